import { UsageError } from '../../base/index.ts'
import { type CompatOption, has } from '../compat.ts'
import type { Link, Site } from '../types.ts'

export type ScheduleFreeOptions = CompatOption & {
  /** Where the gradient is taken, y = βx + (1−β)z; 0.9. */
  beta?: number
  /** Linear warm-up of the rate over so many updates; 0. */
  warmupSteps?: number
  /** Step t weighs t^power in the average; 0. */
  power?: number
  /** Step t weighs (largest rate so far)^power in the average; 2. */
  ratePower?: number
  /** Leave out parts of y's move that disagree with the direction; false. */
  cautious?: boolean
}

type State = { z: Float32Array; weights: Float64Array }

/**
 * Schedule-free averaging around any direction u: with c the step's share of the average,
 *   z ← z − γu,  x ← (1−c)x + cz,  y = βx + (1−β)z.
 * The training weights are y, at which gradients are taken; x is the average to evaluate with and is never stored:
 * y ← y + c(z − y) − γ(1 − β(1−c))u, with z before its step. c = wₜ/Σw with wₜ = t^power·(max γ)^ratePower.
 * Defazio et al.: The Road Less Scheduled, NeurIPS 2024, algorithm 1 and appendix.
 */
export const scheduleFree = (o: ScheduleFreeOptions = {}): Link<State> => {
  const { beta = 0.9, warmupSteps = 0, power = 0, ratePower = 2, cautious = false } = o
  if (!(beta > 0 && beta < 1))
    throw new UsageError(`schedule-free: β = ${beta} is out of range`, { remedy: 'give a number between 0 and 1' })
  const ascends = has(o, 'schedule-free-ascends')
  /** c, updating the sum of weights and the largest rate. */
  const share = (site: Site, gamma: number, weights: Float64Array): number => {
    const most = Math.max(gamma * Math.abs(site.stepSize), weights[1]!)
    const weight = site.step ** power * most ** ratePower
    weights[0]! += weight
    weights[1] = most
    return weights[0]! > 0 ? weight / weights[0]! : 0
  }
  return {
    name: 'schedule-free',
    init: (p, fresh) => ({ z: fresh(p, p.values), weights: Float64Array.of(0, 0) }),
    apply(site, { z, weights }) {
      const y = site.parameter.values
      const u = site.update
      const gamma = site.lr * (site.step < warmupSteps ? site.step / warmupSteps : 1)
      const c = share(site, gamma, weights)
      const size = gamma * (1 - beta * (1 - c)) * (ascends ? -1 : 1)
      const kept = cautious ? agreeing(y, z, u, c, size) : 1
      for (let i = 0; i < y.length; i++) {
        const move = c * (y[i]! - z[i]!) + size * u[i]!
        if (!cautious || move * u[i]! > 0) y[i]! -= kept * move
        z[i]! -= gamma * u[i]!
      }
    },
    evaluate({ values: y }, { z }, x) {
      for (let i = 0; i < y.length; i++) x[i] = y[i]! + (1 - 1 / beta) * (z[i]! - y[i]!)
    },
  }
}

const agreeing = (y: Float32Array, z: Float32Array, u: Float32Array, c: number, size: number): number => {
  let count = 0
  for (let i = 0; i < y.length; i++) if ((c * (y[i]! - z[i]!) + size * u[i]!) * u[i]! > 0) count++
  return y.length / (count + 1)
}
