import type { Model } from '../../onnx/index.ts'
import { copyWeights, type Engine, type EngineBatch, openEngine, prepare } from '../engine.ts'
import type { ShardedOptions } from './options.ts'
import { batchSize, shardSizes, slice } from './samples.ts'
import { isSplittable, isWorthSplitting } from './splittable.ts'
import { openTeam, type Team } from './team.ts'

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
