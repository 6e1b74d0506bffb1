import { UsageError } from '../../base/index.ts'
import { type Network, networks } from '../../nn/index.ts'
import { optimizerNamed, parametersOf } from '../../optim/index.ts'
import { pruneModel } from '../../prune/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { openParallelEngine } from '../../train/node.ts'
import { benchCentralization } from '../bench/centralization.ts'
import { exampleBatch } from '../bench/example.ts'
import { benchOptimizers, contestOptions } from '../bench/optimizers.ts'
import { command } from '../command.ts'
import { byteText, type Console, table } from '../console.ts'
import { loadModel } from '../models.ts'
import { defaultThreads } from '../runs.ts'

export const bench = command({
  name: 'bench',
  summary: 'time of training steps and of pruning; optimizers against each other, all tuned alike',
  usage: 'train|prune|optimizers|centralization',
  positionals: ['train|prune|optimizers|centralization'],
  options: {
    network: { kind: 'list', value: 'NAME', help: 'only these (for prune, ONNX files too)' },
    batch: { kind: 'number', value: 'N', help: 'samples in a batch (50 for MNIST CNNs, else 32)', min: 1, whole: true },
    steps: { kind: 'number', value: 'N', help: 'steps timed or watched', default: 60, min: 5, whole: true },
    optimizer: { kind: 'list', value: 'NAME', help: 'part of the step (ranger); or those that compete' },
    threads: { kind: 'number', value: 'N', help: 'cores to use', min: 1, whole: true },
    ...contestOptions,
  },
  async run({ positionals: [what = ''], values, console }) {
    if (what === 'optimizers') return benchOptimizers(values, console)
    if (what === 'centralization') return benchCentralization(values, console)
    const names = values.network.length > 0 ? values.network : timed
    if (what === 'train')
      return benchTrain(names, { ...values, optimizer: values.optimizer.at(-1) ?? 'ranger' }, console)
    if (what === 'prune') return benchPrune(names, console)
    throw new UsageError(`there is no bench of '${what}'`, { remedy: 'use train, prune, optimizers or centralization' })
  },
})

/** The networks that take pictures; a language model's batches are made of tokens. */
const timed = Object.keys(networks).filter((name) => networks[name]?.sampleType === 'float32')

type Settings = { batch: number | undefined; steps: number; optimizer: string; threads: number | undefined }

const benchTrain = async (names: readonly string[], settings: Settings, console: Console) => {
  const threads = settings.threads ?? defaultThreads()
  const rows = []
  for (const name of names) {
    const network = networks[name]
    if (!network)
      throw new UsageError(`there is no network '${name}'`, {
        remedy: `use one of ${Object.keys(networks).join(', ')}`,
      })
    console.progress(`timing ${name} …`)
    rows.push({ network: name, ...(await timeNetwork(name, network, { ...settings, threads })) })
  }
  console.say(
    `median milliseconds of a step on ${threads} cores with ${settings.optimizer}; forward: plain ONNX Runtime, as it opens a model by default`,
  )
  console.say(
    table(
      ['network', 'batch', 'step', 'forward', 'ratio', `forward, ${threads} threads`, 'ratio'],
      rows.map((row) => [
        row.network,
        String(row.batch),
        row.stepMs.toFixed(2),
        row.forwardMs.toFixed(2),
        row.ratio.toFixed(2),
        row.forwardThreadedMs.toFixed(2),
        row.ratioThreaded.toFixed(2),
      ]),
    ),
  )
  return { threads, optimizer: settings.optimizer, rows }
}

/** Steps and forward passes take turns, so that a busy machine slows both alike. */
const timeNetwork = async (name: string, network: Network, settings: Settings & { threads: number }) => {
  const model = network.build()
  const batch = settings.batch ?? (name === 'seed-cnn' || name === 'tf-cnn' ? 50 : 32)
  const example = exampleBatch(network, batch)
  const { threads } = settings
  const engine = await openParallelEngine(model, { runtime: nodeRuntime, shards: threads }, example)
  const parameters = parametersOf(model.graph, engine.trainable).map((p) => ({
    ...p,
    values: engine.weights.get(p.name)!,
  }))
  const optimizer = optimizerNamed(settings.optimizer, { lr: 1e-4 }).start(parameters)
  const forward = await nodeRuntime.open(model)
  const threaded = await nodeRuntime.open(model, { threads })
  const work = {
    step: async () => {
      await engine.step(example)
      optimizer.step(engine.gradients, { consume: true })
    },
    forward: () => forward.run(example.inputs),
    threaded: () => threaded.run(example.inputs),
  }
  const times: Record<keyof typeof work, number[]> = { step: [], forward: [], threaded: [] }
  const block = 10
  for (let done = -block; done < settings.steps; done += block)
    for (const key of ['step', 'forward', 'threaded'] as const)
      for (let i = 0; i < block; i++) {
        const start = performance.now()
        await work[key]()
        if (done >= 0) times[key].push(performance.now() - start)
      }
  await Promise.all([engine.close(), forward.close(), threaded.close()])
  const [stepMs, forwardMs, forwardThreadedMs] = [median(times.step), median(times.forward), median(times.threaded)]
  const ratios = { ratio: stepMs / forwardMs, ratioThreaded: stepMs / forwardThreadedMs }
  return { batch, stepMs, forwardMs, forwardThreadedMs, ...ratios }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!

const benchPrune = async (names: readonly string[], console: Console) => {
  const rows = []
  for (const name of names) {
    const { model } = await loadModel(name)
    const times = []
    let groups = 0
    for (let i = 0; i < 5; i++) {
      const start = performance.now()
      const { plan } = await pruneModel(model, { runtime: nodeRuntime, target: { ratio: 0.5 } })
      times.push(performance.now() - start)
      groups = plan.groups.length
    }
    rows.push({ network: name, ms: median(times), groups, peakBytes: process.resourceUsage().maxRSS * 1024 })
  }
  console.say('analysis, plan and surgery at a ratio of 0.5; peak memory of the process so far')
  console.say(
    table(
      ['network', 'groups', 'ms', 'peak memory'],
      rows.map((row) => [row.network, String(row.groups), row.ms.toFixed(1), byteText(row.peakBytes)]),
    ),
  )
  return { rows }
}
