import { UsageError } from '../../base/index.ts'
import { type Sampling, statedSampling } from '../../data/index.ts'
import { checkSpec } from '../../data/node.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { freeBatch } from '../../train/node.ts'
import { command } from '../command.ts'
import { lossOptions } from '../losses.ts'
import { measureStage, type Stage, stageTable } from '../measure.ts'
import { loadModelFile } from '../models.ts'
import { sampleEffects, sampleOptions, samplesFor } from '../samples.ts'

export const compare = command({
  name: 'compare',
  summary: 'accuracy, loss, bytes, parameters, MACs and measured latency side by side',
  usage: 'A B… --data SPEC',
  positionals: ['A', 'B…'],
  options: {
    data: { kind: 'text', value: 'SPEC', help: 'its test samples are used; as in train', check: checkSpec },
    ...sampleOptions,
    'ignore-index': lossOptions['ignore-index'],
  },
  effects: sampleEffects,
  async run({ positionals, values, console }) {
    if (!values.data)
      throw new UsageError('--data is missing', {
        remedy: 'give mnist, idx:DIR, images:DIR, npz:FILE, safetensors:FILE or csv:FILE',
      })
    const models = []
    for (const path of positionals) models.push({ path, ...(await loadModelFile(path)) })
    // A file that was never trained here is judged as those that were, on the samples that were set aside from them.
    const stated = models.map(({ model }) => statedSampling(model))
    const first = <K extends keyof Sampling>(key: K) => stated.find((one) => one[key] !== undefined)?.[key]
    const stages: Stage[] = []
    for (const [i, { path, model }] of models.entries()) {
      const loss = stated[i]!.loss ?? first('loss')
      const { test } = await samplesFor(model, values.data, {
        ...{ values, loss, seed: first('splitSeed') ?? 0, ignore: values['ignore-index'] },
      })
      const { evaluation: _, ...stage } = await measureStage(path, await freeBatch(model, nodeRuntime), test, loss)
      stages.push(stage)
    }
    console.say(stageTable(stages))
    return { data: values.data, stages }
  },
})
