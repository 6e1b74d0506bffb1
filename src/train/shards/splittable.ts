import { float32Of } from '../../base/index.ts'
import type { Model } from '../../onnx/index.ts'
import { costOf } from '../../prune/index.ts'
import { copyWeights, type EngineBatch, type EngineOptions, prepare, weightFeeds } from '../engine.ts'

import type { ShardedOptions } from './options.ts'
import { batchSize, slice } from './samples.ts'

/** Multiply–accumulates of a batch per weight below which moving weights and gradients costs more than a second core gains. */
const worthSplitting = 200

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

/** Whether there is enough to do for each weight. */
export const isWorthSplitting = async (model: Model, { runtime }: EngineOptions, { inputs }: EngineBatch) => {
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
