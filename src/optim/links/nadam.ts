import { type CompatOption, has } from '../compat.ts'
import type { Link } from '../types.ts'
import { type Betas, checkBetas, checkEps } from './moments.ts'

export type NadamScalingOptions = CompatOption & {
  /** [0.9, 0.999]. */
  betas?: Betas
  /** 1e-8. */
  eps?: number
  /** How fast β₁'s warm-up μₜ = β₁(1 − ½·0.96^{t·decay}) reaches β₁; 4e-3. */
  momentumDecay?: number
}

type State = { momentum: Float32Array; variance: Float32Array; product: Float64Array }

/**
 * NAdam: Adam with Nesterov's momentum, u = ((1−μₜ)/(1−Πμ)·g + μₜ₊₁/(1−Πμ·μₜ₊₁)·m)/(√v̂ + eps), Π over all steps so far.
 * Dozat: Incorporating Nesterov Momentum into Adam, ICLR 2016 workshop.
 */
export const nadamScaling = (o: NadamScalingOptions = {}): Link<State> => {
  const { eps = 1e-8, momentumDecay = 4e-3 } = o
  const [beta1, beta2] = checkBetas('nadam', o.betas ?? ([0.9, 0.999] as const))
  checkEps('nadam', eps)
  const twice = has(o, 'nadam-mu-twice')
  const muAt = (t: number) => beta1 * (1 - 0.5 * 0.96 ** (t * momentumDecay))
  return {
    name: 'nadam',
    init: (p, fresh) => ({ momentum: fresh(p), variance: fresh(p), product: new Float64Array(1).fill(1) }),
    update({ update: u, step }, { momentum: m, variance: v, product }) {
      const [mu, next] = [muAt(step), muAt(step + 1)]
      const all = product[0]! * mu
      product[0] = all
      const [direct, ahead] = [(1 - mu) / (1 - all), next / (1 - all * next * (twice ? mu : 1))]
      const scale = 1 / Math.sqrt(1 - beta2 ** step)
      for (let i = 0; i < u.length; i++) {
        const g = u[i]!
        const mean = beta1 * m[i]! + (1 - beta1) * g
        const square = beta2 * v[i]! + (1 - beta2) * g * g
        m[i] = mean
        v[i] = square
        u[i] = (direct * g + ahead * mean) / (Math.sqrt(square) * scale + eps)
      }
    },
  }
}
