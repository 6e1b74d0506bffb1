import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../../base/files.ts'
import { EspalierError } from '../../base/index.ts'
import { writeModel } from '../../onnx/file.ts'
import { encodeModel, type Model } from '../../onnx/index.ts'
import { kernelStatistics, serializePlan, sourceOf } from '../../prune/index.ts'
import { renderReport } from '../../report/index.ts'
import { command } from '../command.ts'
import { duration } from '../console.ts'
import { reportData } from '../demo/report-data.ts'
import { tellStory } from '../demo/story.ts'
import { measureStage, stageTable } from '../measure.ts'
import { limits } from '../options.ts'

/** The second layer's kernels feed the dense layer, where most weights are: it can spare more than the first. */
const defaults = {
  ratios: { conv1: 0.625, conv2: 0.83 },
  roundEpochs: 1,
  lastEpochs: 7,
  lr: 2e-3,
  retrainLr: 3e-3,
  batch: 50,
  budget: 0.25,
  reach: 0.004,
}

export const demo = command({
  name: 'demo',
  summary: 'the whole story on real MNIST: train with Ranger, look at the kernels, prune, retrain, compare',
  usage: '',
  positionals: [],
  options: {
    out: { kind: 'text', value: 'DIR', help: 'folder for the models, plan, summary and report', default: 'runs/demo' },
    seed: {
      kind: 'number',
      value: 'N',
      help: 'makes the story repeat exactly',
      default: 0,
      min: 0,
      max: limits.seed,
      whole: true,
    },
    epochs: {
      kind: 'number',
      value: 'N',
      help: 'passes over the training images',
      default: 3,
      above: 0,
      max: limits.epochs,
    },
    rounds: {
      kind: 'number',
      value: 'N',
      help: 'rounds of pruning and retraining',
      default: 4,
      min: 1,
      max: 100,
      whole: true,
    },
  },
  async run({ values: { out, seed, epochs, rounds }, console }) {
    const started = performance.now()
    await mkdir(out, { recursive: true }).catch((error: unknown) => {
      throw new EspalierError('the folder cannot be made', {
        place: { file: out },
        remedy: 'name another with --out',
        cause: error,
      })
    })
    const keep = async (model: Model) => {
      await writeModel(join(out, 'original.onnx'), model)
      return sourceOf('original.onnx', new Uint8Array(encodeModel(model)))
    }
    const settings = { ...defaults, seed, epochs, rounds }
    const story = await tellStory(settings, console, keep)
    await writeModel(join(out, 'pruned.onnx'), story.pruned)
    await writeModel(join(out, 'retrained.onnx'), story.retrained)
    await writeFileAtomic(join(out, 'plan.json'), serializePlan(story.plan))

    console.say()
    for (const { layer, axis, l2 } of kernelStatistics(story.original)) {
      const kept = story.plan.slices[layer]?.[axis]
      if (kept) console.say(`   ${layer}: ${l2.length} kernels → ${kept.length} (${kept.join(' ')} stay)`)
    }
    console.say(`   masked original and pruned network differ by ${story.proof.difference.toExponential(1)} at most`)
    console.say()

    const stages = []
    for (const [name, model] of Object.entries({
      original: story.original,
      pruned: story.pruned,
      retrained: story.retrained,
    }))
      stages.push(await measureStage(name, model, story.test))
    console.say(`5. Compared on ${story.test.size} test images`)
    console.say(stageTable(stages))

    const seconds = (performance.now() - started) / 1000
    const data = await reportData(story, stages, seconds)
    await writeFileAtomic(join(out, 'report.html'), renderReport(data))
    const figures = stages.map(({ name, accuracy, loss, bytes, parameters, macs, latencyMs }) => [
      name,
      { accuracy, loss, bytes, parameters, macs, latencyMs },
    ])
    const summary = {
      ...Object.fromEntries(figures),
      seconds: (performance.now() - started) / 1000,
      seed,
      verified: story.proof.equal,
    }
    await writeFileAtomic(join(out, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`)
    console.say()
    console.say(`${duration(summary.seconds)}; open ${join(out, 'report.html')}`)
    return summary
  },
})
