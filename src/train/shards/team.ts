import { float32Of, type Tensor } from '../../base/index.ts'
import type { Model } from '../../onnx/index.ts'
import { type EngineBatch, prepare, weightFeeds } from '../engine.ts'

import type { ShardedOptions } from './options.ts'
import { batchSize, concatenate, shardSizes, slice } from './samples.ts'
import { startWorker } from './worker.ts'

export type Team = {
  step(batch: EngineBatch, gradients: ReadonlyMap<string, Float32Array>): Promise<{ loss: number; output: Tensor }>
  close(): Promise<void>
}

/** The sessions for one batch size: one of this thread's own and one in each worker. */
export const openTeam = async (
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

const scaleInto = (target: Float32Array, source: Float32Array, factor: number) => {
  for (let i = 0; i < target.length; i++) target[i] = source[i]! * factor
}

const addScaled = (target: Float32Array, source: Float32Array, factor: number) => {
  for (let i = 0; i < target.length; i++) target[i] = target[i]! + source[i]! * factor
}
