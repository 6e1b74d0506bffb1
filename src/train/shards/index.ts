import { Worker } from 'node:worker_threads'
import { EspalierError, float32Of, type Tensor, type TensorType } from '../../base/index.ts'
import { encodeModel, type Model } from '../../onnx/index.ts'
import { costOf } from '../../prune/index.ts'
import type { Values } from '../../runtime/index.ts'
import {
  copyWeights,
  type Engine,
  type EngineBatch,
  type EngineOptions,
  openEngine,
  prepare,
  weightFeeds,
} from '../engine.ts'
import { layOut, signal, tensorAt } from './layout.ts'
import type { ShardJob } from './shard.worker.ts'

export type ShardedOptions = EngineOptions & {
  /** How many parts a batch is split into: one runs here, the others in a worker thread each. */
  readonly shards: number
}

/**
 * An engine that splits every batch over worker threads, one operator thread each, and adds up the gradients:
 * ∇L = Σ_s (n_s / n) ∇L_s for a loss that is a mean over the batch. Exact for networks whose samples do not mix; for others
 * (BatchNormalization in training mode) use `openParallelEngine`, which finds out.
 * Each step blocks the calling thread until all shards are done.
 */
export const openShardedEngine = async (
  model: Model,
  options: ShardedOptions,
  example: EngineBatch,
): Promise<Engine> => {
  const teams = new Map<number, Promise<Team>>()
  const sizes = shardSizes(batchSize(example), options.shards)
  const first = await prepare(model, options, slice(example, 0, sizes[0]!))
  const trainable = [...first.graph.gradients.keys()]
  await first.session.close()

  const weights = copyWeights(model, trainable)
  const gradients = new Map<string, Float32Array>(
    trainable.map((name) => [name, new Float32Array(weights.get(name)!.length)]),
  )
  const teamFor = (batch: EngineBatch) => {
    const size = batchSize(batch)
    const team = teams.get(size) ?? openTeam(model, options, batch, weights)
    teams.set(size, team)
    return team
  }

  return {
    weights,
    trainable,
    outputDims: first.graph.outputDims,
    gradients,
    step: async (batch) => (await teamFor(batch)).step(batch, gradients),
    close: async () => {
      for (const team of await Promise.all(teams.values())) await team.close()
    },
  }
}

/** Multiply–accumulates of a batch per weight below which moving weights and gradients costs more than a second core gains. */
const worthSplitting = 200

/**
 * The engine for a machine of several cores: batches split over `shards` threads where that changes nothing and there is
 * enough to do for each weight, else whole batches with as many threads per operator.
 */
export const openParallelEngine = async (
  model: Model,
  options: ShardedOptions,
  example: EngineBatch,
): Promise<Engine> => {
  const split = (await isSplittable(model, options, example)) && (await isWorthSplitting(model, options, example))
  return split
    ? openShardedEngine(model, options, example)
    : openEngine(model, { ...options, threads: options.shards }, example)
}

/** Whether splitting batches changes nothing. */
export const isSplittable = async (model: Model, options: ShardedOptions, example: EngineBatch): Promise<boolean> =>
  options.shards > 1 &&
  batchSize(example) > 1 &&
  (options.loss?.separable ?? true) &&
  !takesBatchStatistics(model, options) &&
  !(await mixesSamples(model, options, example))

/** What `mixesSamples` would find out, known beforehand. */
const takesBatchStatistics = ({ graph }: Model, { mode }: EngineOptions) =>
  mode !== 'eval' && graph.nodes.some((node) => node.opType === 'BatchNormalization')

const isWorthSplitting = async (model: Model, { runtime }: EngineOptions, { inputs }: EngineBatch) => {
  const { macs, parameters } = await costOf(model, { runtime, feeds: inputs })
  return macs >= worthSplitting * parameters
}

/**
 * Whether a sample's loss depends on the others, as with batch statistics. Settled by trying, on a few samples: together they
 * then have another loss than the mean of their parts. A network that takes no other batch than its own is not split either.
 */
const mixesSamples = async (model: Model, options: EngineOptions, example: EngineBatch): Promise<boolean> => {
  const half = batchSize(example) < 4 ? 1 : 2
  const lossOf = async (start: number, size: number): Promise<number> => {
    const batch = slice(example, start, size)
    const { graph, session } = await prepare(model, { ...options, threads: 1 }, batch)
    try {
      // The statistics are copies: the engine would write new ones over the model's.
      const names = [...graph.gradients.keys(), ...graph.updates.map((update) => update.initializer)]
      const weights = weightFeeds(model, copyWeights(model, names))
      const results = await session.run({ ...weights, ...batch.inputs, ...batch.targets }, [graph.loss])
      return float32Of(results[graph.loss]!)[0]!
    } finally {
      await session.close()
    }
  }
  try {
    const together = await lossOf(0, 2 * half)
    const apart = ((await lossOf(0, half)) + (await lossOf(half, half))) / 2
    return !(Math.abs(apart - together) <= 1e-4 * Math.abs(together) + 1e-6)
  } catch {
    return true
  }
}

type Team = {
  step(batch: EngineBatch, gradients: ReadonlyMap<string, Float32Array>): Promise<{ loss: number; output: Tensor }>
  close(): Promise<void>
}

/** The sessions for one batch size: one of this thread's own and one in each worker. */
const openTeam = async (
  model: Model,
  options: ShardedOptions,
  batch: EngineBatch,
  weights: ReadonlyMap<string, Float32Array>,
): Promise<Team> => {
  const sizes = shardSizes(batchSize(batch), options.shards)
  const starts = sizes.map((_, shard) => sizes.slice(0, shard).reduce((a, b) => a + b, 0))
  const [own, ...others] = sizes.map((size, shard) => slice(batch, starts[shard]!, size))
  const { graph, session } = await prepare(model, { ...options, threads: 1 }, own!)
  const feeds = weightFeeds(model, weights)
  const workers = await Promise.all(others.map((part) => startWorker(model, options, part, weights)))
  const total = batchSize(batch)

  return {
    async step(batch, gradients) {
      const parts = sizes.map((size, shard) => slice(batch, starts[shard]!, size))
      for (const [i, worker] of workers.entries()) worker.run(weights, parts[i + 1]!)
      const results = await session.run({ ...feeds, ...parts[0]!.inputs, ...parts[0]!.targets })
      const outputs = [results[graph.output]!]
      let loss = (float32Of(results[graph.loss]!)[0]! * sizes[0]!) / total
      for (const [name, output] of graph.gradients)
        scaleInto(gradients.get(name)!, float32Of(results[output]!), sizes[0]! / total)
      for (const [i, worker] of workers.entries()) {
        const share = sizes[i + 1]! / total
        const found = worker.wait()
        loss += float32Of(found(worker.names.loss))[0]! * share
        outputs.push(found(worker.names.output))
        for (const [name, output] of worker.names.gradients)
          addScaled(gradients.get(name)!, float32Of(found(output)), share)
      }
      return { loss, output: concatenate(outputs) }
    },
    async close() {
      await Promise.all([session.close(), ...workers.map((worker) => worker.stop())])
    },
  }
}

/** From source (in tests) the built worker is started, since Node 20 runs no TypeScript. */
const workerFile = new URL(
  import.meta.url.endsWith('.ts') ? '../../../dist/train/shards/shard.worker.js' : './shard.worker.js',
  import.meta.url,
)

const startWorker = async (
  model: Model,
  options: ShardedOptions,
  part: EngineBatch,
  weights: ReadonlyMap<string, Float32Array>,
) => {
  const { graph, session, settings } = await prepare(model, { ...options, threads: 1 }, part)
  const outputType = session.valueInfo.get(graph.output)
  await session.close()
  const given = new Map<string, TensorType>([
    ...[...weights.keys()].map((name) => [name, model.graph.initializers.get(name)!] as const),
    ...Object.entries(part.inputs),
    ...Object.entries(part.targets),
  ])
  const dims = (outputType?.dims ?? []).map(Number)
  const made = new Map<string, TensorType>([
    [graph.loss, { type: 'float32', dims: [] }],
    [graph.output, { type: 'float32', dims }],
    ...[...graph.gradients].map(([name, output]) => [output, model.graph.initializers.get(name)!] as const),
  ])
  const { layout, bytes } = layOut(new Map([...given, ...made]))
  const memory = new SharedArrayBuffer(bytes)
  const state = new Int32Array(memory, 0, 1)
  const job: ShardJob = {
    model: encodeModel(graph.model),
    settings,
    memory,
    layout,
    feeds: [...given.keys()],
    fetches: [...made.keys()],
  }
  const worker = new Worker(workerFile, { workerData: job })
  await new Promise<void>((ready, failed) => {
    worker.once('message', () => ready())
    worker.once('error', failed)
  })
  worker.unref()

  const put = (name: string, bytes: Uint8Array) => tensorAt(memory, layout, name).bytes.set(bytes)
  return {
    names: graph,
    run(weights: ReadonlyMap<string, Float32Array>, part: EngineBatch) {
      for (const [name, values] of weights)
        put(name, new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
      for (const [name, { bytes }] of Object.entries({ ...part.inputs, ...part.targets })) put(name, bytes)
      Atomics.store(state, 0, signal.run)
      Atomics.notify(state, 0)
    },
    /** Blocks until the worker is done; gives access to its results, which stay until the next `run`. */
    wait() {
      Atomics.wait(state, 0, signal.run)
      if (Atomics.load(state, 0) !== signal.done)
        throw new EspalierError('a worker thread could not run its share of the batch', {
          remedy: 'train with one shard to see the error',
        })
      return (name: string): Tensor => tensorAt(memory, layout, name)
    },
    async stop() {
      Atomics.store(state, 0, signal.stop)
      Atomics.notify(state, 0)
      await worker.terminate()
    },
  }
}

const batchSize = (batch: EngineBatch) => Object.values(batch.inputs)[0]?.dims[0] ?? 0

const shardSizes = (total: number, shards: number): number[] => {
  const parts = Math.max(1, Math.min(shards, total))
  return Array.from(
    { length: parts },
    (_, i) => Math.floor(((i + 1) * total) / parts) - Math.floor((i * total) / parts),
  )
}

/** Samples [start, start + size) of a batch, as views. */
const slice = (batch: EngineBatch, start: number, size: number): EngineBatch => ({
  inputs: rowsOf(batch.inputs, start, size),
  targets: rowsOf(batch.targets, start, size),
})

const rowsOf = (values: Values, start: number, size: number): Values =>
  Object.fromEntries(Object.entries(values).map(([name, tensor]) => [name, rows(tensor, start, size)]))

const rows = (tensor: Tensor, start: number, size: number): Tensor => {
  const stride = tensor.bytes.byteLength / (tensor.dims[0] || 1)
  return {
    type: tensor.type,
    dims: [size, ...tensor.dims.slice(1)],
    bytes: tensor.bytes.subarray(start * stride, (start + size) * stride),
  }
}

const concatenate = (parts: readonly Tensor[]): Tensor => {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.bytes.byteLength, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part.bytes, offset)
    offset += part.bytes.byteLength
  }
  const [first] = parts
  return { type: first!.type, dims: [parts.reduce((n, part) => n + part.dims[0]!, 0), ...first!.dims.slice(1)], bytes }
}

const scaleInto = (target: Float32Array, source: Float32Array, factor: number) => {
  for (let i = 0; i < target.length; i++) target[i] = source[i]! * factor
}

const addScaled = (target: Float32Array, source: Float32Array, factor: number) => {
  for (let i = 0; i < target.length; i++) target[i] = target[i]! + source[i]! * factor
}
