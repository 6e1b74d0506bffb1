import type { Link } from '../types.ts'
import { cautiousScale, stableRms } from './masks.ts'
import { checkBetas, checkEps, elementwise } from './moments.ts'

export type AdemamixScalingOptions = {
  /** Decay rates of the fast average, the squares and the slow average; [0.9, 0.999, 0.9999]. */
  betas?: readonly [number, number, number]
  /** 1e-8. */
  eps?: number
  /** Weight of the slow average; 5. */
  alpha?: number
  /** Steps over which α rises from 0 and β₃ from β₁; none. Short runs need it, or a smaller β₃. */
  warmup?: number
  /** Leave out the fast average where it disagrees with the gradient; false. */
  cautious?: boolean
  /** Divide by RMS(g/√v) where it exceeds 1 (Wortsman et al. 2023: Stable and low-precision training); false. */
  stable?: boolean
  /** Correct the slow average for the first moment's start at zero too; false. */
  correctSlow?: boolean
}

type State = { momentum: Float32Array; slowMomentum: Float32Array; variance: Float32Array }

/**
 * AdEMAMix: u = (m̂₁ + α·m₂)/(√v̂ + eps) with a fast and a slow average of the gradient.
 * Pagliardini, Ablin, Grangier: The AdEMAMix Optimizer, ICLR 2025, algorithm 1 and its schedulers.
 */
export const ademamixScaling = (o: AdemamixScalingOptions = {}): Link<State> => {
  const { eps = 1e-8, alpha = 5, warmup, cautious = false, stable = false, correctSlow = false } = o
  const [beta1, beta2, beta3] = checkBetas('ademamix', o.betas ?? ([0.9, 0.999, 0.9999] as const))
  checkEps('ademamix', eps)
  /** β₃ grows so that its half-life grows linearly. */
  const slowRate = (t: number) => {
    if (!warmup) return beta3
    const [a, b] = [Math.log(beta1), Math.log(beta3)]
    const share = t / warmup
    return Math.min(Math.exp((a * b) / ((1 - share) * b + share * a)), beta3)
  }
  return {
    name: 'ademamix',
    init: (p, fresh) => ({ momentum: fresh(p), slowMomentum: fresh(p), variance: fresh(p) }),
    ...(!cautious && !stable && { grain: elementwise }),
    update(site, { momentum: m, slowMomentum: s, variance: v }) {
      const { update: u, step } = site
      const slow = slowRate(step)
      const first = 1 - beta1 ** step
      const weight = (warmup ? Math.min((step * alpha) / warmup, alpha) : alpha) / (correctSlow ? first : 1)
      const scale = 1 / Math.sqrt(1 - beta2 ** step)
      for (let i = 0; i < u.length; i++) {
        const g = u[i]!
        m[i] = beta1 * m[i]! + (1 - beta1) * g
        s[i] = slow * s[i]! + (1 - slow) * g
        v[i] = beta2 * v[i]! + (1 - beta2) * g * g
      }
      const kept = cautious ? cautiousScale(m, u) : 1
      const rms = stable ? stableRms(u, v) : 1
      for (let i = 0; i < u.length; i++) {
        const fast = cautious && m[i]! * u[i]! <= 0 ? 0 : (kept * m[i]!) / first
        u[i] = (fast + weight * s[i]!) / ((Math.sqrt(v[i]!) * scale + eps) * rms)
      }
    },
  }
}
