import { UsageError } from '../../base/index.ts'
import { type Network, networks } from '../../nn/index.ts'
import { optimizerNamed, parametersOf } from '../../optim/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { openFormulation, openParallelEngine, remembered } from '../../train/node.ts'
import { byteText, type Console, table } from '../console.ts'
import { defaultThreads } from '../runs.ts'
import { exampleBatch, exampleLoss } from './example.ts'
import { openForwardOfStep } from './forward.ts'
import { median } from './median.ts'

type Settings = {
  batch: number | undefined
  steps: number
  optimizer: string
  threads: number | undefined
  tune: boolean
}

/** Milliseconds of a training step beside those of a forward pass, and the memory it took, for each network. */
export const benchTrain = async (names: readonly string[], settings: Settings, console: Console) => {
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
    `median milliseconds of a step on ${threads} cores with ${settings.optimizer}; forward: the first half of that step on as many cores; inference: plain ONNX Runtime, as it opens a model by default, on one`,
  )
  console.say(
    table(
      ['network', 'batch', 'step', 'forward', 'ratio', 'inference', 'ratio', 'peak memory'],
      rows.map((row) => [
        row.network,
        String(row.batch),
        row.stepMs.toFixed(2),
        row.forwardMs.toFixed(2),
        row.ratio.toFixed(2),
        row.inferenceMs.toFixed(2),
        row.ratioInference.toFixed(2),
        byteText(row.peakBytes),
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
  const options = { runtime: nodeRuntime, shards: threads, loss: exampleLoss(network) }
  const engine = settings.tune
    ? await openFormulation(model, options, await remembered(model, options, example), example)
    : await openParallelEngine(model, options, example)
  const parameters = parametersOf(model.graph, engine.trainable).map((p) => ({
    ...p,
    values: engine.weights.get(p.name)!,
  }))
  const optimizer = optimizerNamed(settings.optimizer, { lr: 1e-4 }).start(parameters)
  const step = async () => {
    await engine.step(example)
    optimizer.step(engine.gradients, { consume: true })
  }
  await warmUp(step)
  const peakBytes = process.resourceUsage().maxRSS * 1024
  const forward = await openForwardOfStep(model, { runtime: nodeRuntime, threads, loss: options.loss }, example)
  const inference = await nodeRuntime.open(model)
  const work = { step, forward: forward.run, inference: () => inference.run(example.inputs) }
  const times: Record<keyof typeof work, number[]> = { step: [], forward: [], inference: [] }
  const block = 10
  for (let done = -block; done < settings.steps; done += block)
    for (const key of ['step', 'forward', 'inference'] as const)
      for (let i = 0; i < block; i++) {
        const start = performance.now()
        await work[key]()
        if (done >= 0) times[key].push(performance.now() - start)
      }
  await Promise.all([engine.close(), forward.close(), inference.close()])
  const [stepMs, forwardMs, inferenceMs] = [median(times.step), median(times.forward), median(times.inference)]
  const ratios = { ratio: stepMs / forwardMs, ratioInference: stepMs / inferenceMs }
  return { batch, stepMs, forwardMs, inferenceMs, ...ratios, peakBytes }
}

/** Until memory is given back and taken again as in a long run: at first every result lies in pages never touched before. */
const warmUp = async (step: () => Promise<void>): Promise<void> => {
  const start = performance.now()
  for (let i = 0; i < 5 || (performance.now() - start < 2000 && i < 400); i++) await step()
}
