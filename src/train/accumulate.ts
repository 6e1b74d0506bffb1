import type { Batch, Batches } from '../data/index.ts'
import type { Engine, EngineBatch } from './engine.ts'

/** The batches of one update: up to `count`, none of the next epoch. */
export const takeBatches = (feed: Batches, count: number): Batch[] => {
  const taken: Batch[] = []
  do taken.push(feed.next())
  while (taken.length < count && feed.state().position > 0)
  return taken
}

/** What the batches of an update found together. */
export type Gathered = {
  readonly loss: number
  readonly gradients: ReadonlyMap<string, Float32Array>
  readonly samples: number
}

/**
 * Loss and gradients of several batches as of one: ∇L = Σ_i (n_i/n)·∇L_i for batches of n_i samples of n. Equal to the large
 * batch's for a loss that is a mean over samples, in a network whose samples do not mix.
 */
export const gathering = (engine: Engine, engineBatch: (batch: Batch) => Promise<EngineBatch>) => {
  const sums = new Map<string, Float32Array>()
  return async (parts: readonly Batch[]): Promise<Gathered> => {
    const samples = parts.reduce((sum, { indices }) => sum + indices.length, 0)
    let loss = 0
    for (const [i, part] of parts.entries()) {
      const share = part.indices.length / samples
      loss += share * (await engine.step(await engineBatch(part))).loss
      if (parts.length === 1) break
      for (const [name, gradient] of engine.gradients) {
        const sum = sums.get(name) ?? new Float32Array(gradient.length)
        sums.set(name, sum)
        for (let j = 0; j < sum.length; j++) sum[j] = (i === 0 ? 0 : sum[j]!) + share * gradient[j]!
      }
    }
    return { loss, gradients: parts.length === 1 ? engine.gradients : sums, samples }
  }
}
