import { UsageError } from '../../base/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { freeBatch } from '../../train/node.ts'
import { command } from '../command.ts'
import { lossOptions } from '../losses.ts'
import { measureStage, type Stage, stageTable } from '../measure.ts'
import { loadModelFile } from '../models.ts'
import { sampleOptions, samplesFor } from '../samples.ts'

export const compare = command({
  name: 'compare',
  summary: 'accuracy, loss, bytes, parameters, MACs and measured latency side by side',
  usage: 'A B… --data SPEC',
  positionals: ['A', 'B…'],
  options: {
    data: { kind: 'text', value: 'SPEC', help: 'its test samples are used; as in train' },
    ...sampleOptions,
    'ignore-index': lossOptions['ignore-index'],
  },
  async run({ positionals, values, console }) {
    if (!values.data)
      throw new UsageError('--data is missing', {
        remedy: 'give mnist, idx:DIR, images:DIR, npz:FILE, safetensors:FILE or csv:FILE',
      })
    const models = []
    for (const path of positionals) models.push({ path, ...(await loadModelFile(path)) })
    const stages: Stage[] = []
    for (const { path, model } of models) {
      const { test } = await samplesFor(model, values.data, { values, ignore: values['ignore-index'] })
      const { evaluation: _, ...stage } = await measureStage(path, await freeBatch(model, nodeRuntime), test)
      stages.push(stage)
    }
    console.say(stageTable(stages))
    return { data: values.data, stages }
  },
})
