import { Worker } from 'node:worker_threads'
import { EspalierError, type Tensor, type TensorType } from '../../base/index.ts'
import { encodeModel, type Model } from '../../onnx/index.ts'
import { type EngineBatch, type EngineOptions, prepare } from '../engine.ts'
import { layOut, signal, tensorAt } from './layout.ts'
import type { ShardJob } from './shard.worker.ts'

/** From source (in tests) the built worker is started, since Node 20 runs no TypeScript. */
const workerFile = new URL(
  import.meta.url.endsWith('.ts') ? '../../../dist/train/shards/shard.worker.js' : './shard.worker.js',
  import.meta.url,
)

/** Starts a thread that computes one shard, through memory shared with it. */
export const startWorker = async (
  model: Model,
  options: EngineOptions,
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
