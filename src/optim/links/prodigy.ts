import type { Link } from '../types.ts'
import { type Betas, checkBetas, elementwise } from './moments.ts'

export type ProdigyScalingOptions = {
  /** [0.9, 0.999]. */
  betas?: Betas
  /** Decay rate of the distance's estimate; √β₂. */
  beta3?: number
  /** Added to the denominator, times d; null divides by atan2 instead of a sum; 1e-8. */
  eps?: number | null
  /** First estimate of the distance; 1e-6. */
  d0?: number
  /** Factor on the estimate; 1. */
  dCoefficient?: number
  /** Most d may grow by in a step; no limit. */
  growthRate?: number
  /** Adam's bias correction; false. */
  biasCorrection?: boolean
  /** Leave the rate out of the estimate's denominator, for runs with a warm-up; false. */
  safeguardWarmup?: boolean
}

type State = { momentum: Float32Array; variance: Float32Array; distance: Float32Array; start: Float32Array }
type Numbers = { d: number; most: number; numerator: number; old: number; steps: number }

/**
 * Prodigy: Adam whose rate is an estimate d of the distance to the solution, from ⟨g, p₀ − p⟩ over all parameters:
 *   r ← √β₂r + (d²γ/d₀)⟨g, p₀−p⟩,  s ← √β₂s + (d²γ/d₀)g,  d ← max(d, r/‖s‖₁),
 * and u = d·m/(√v + d·eps), m and v averages of dg and d²g². Leave the rate at 1.
 * Mishchenko and Defazio: Prodigy, ICML 2024, algorithm 4.
 */
export const prodigyScaling = (o: ProdigyScalingOptions = {}): Link<State, Numbers> => {
  const { eps = 1e-8, d0 = 1e-6, dCoefficient = 1, growthRate = Number.POSITIVE_INFINITY } = o
  const { biasCorrection = false, safeguardWarmup = false } = o
  const [beta1, beta2] = checkBetas('prodigy', o.betas ?? ([0.9, 0.999] as const))
  const beta3 = o.beta3 ?? Math.sqrt(beta2)
  return {
    name: 'prodigy',
    shared: { d: d0, most: d0, numerator: 0, old: d0, steps: 0 },
    init: (p, fresh) => ({ momentum: fresh(p), variance: fresh(p), distance: fresh(p), start: fresh(p, p.values) }),
    begin({ sites }, shared) {
      shared.steps++
      const { d, steps } = shared
      const correction = biasCorrection ? (1 - beta1 ** steps) / Math.sqrt(1 - beta2 ** steps) : 1
      shared.numerator *= beta3
      let denominator = 0
      for (const { site, slots } of sites) {
        const { update: g, parameter, lr } = site
        const { momentum: m, variance: v, distance: s, start } = slots
        const p = parameter.values
        const rate = (d * lr) / correction
        const [weight, mean, square] = [(d / d0) * (safeguardWarmup ? d : rate), d * (1 - beta1), d * d * (1 - beta2)]
        let dot = 0
        for (let i = 0; i < g.length; i++) {
          dot += g[i]! * (start[i]! - p[i]!)
          m[i] = beta1 * m[i]! + mean * g[i]!
          v[i] = beta2 * v[i]! + square * g[i]! * g[i]!
          s[i] = beta3 * s[i]! + weight * g[i]!
          denominator += Math.abs(s[i]!)
        }
        shared.numerator += (d / d0) * rate * dot
        site.stepSize = d / correction
        site.idle = false
      }
      shared.old = d
      if (denominator === 0) {
        for (const { site } of sites) site.idle = true
        return
      }
      const estimate = (dCoefficient * shared.numerator) / denominator
      const grown = d === d0 ? Math.max(d, estimate) : d
      shared.most = Math.max(shared.most, estimate)
      shared.d = Math.min(shared.most, grown * growthRate)
    },
    grain: elementwise,
    update(site, { momentum: m, variance: v }, { d }) {
      const u = site.update
      if (site.idle) {
        u.fill(0)
        site.stepSize = 0
        return
      }
      const size = site.stepSize
      if (eps === null) for (let i = 0; i < u.length; i++) u[i] = size * Math.atan2(m[i]!, Math.sqrt(v[i]!))
      else for (let i = 0; i < u.length; i++) u[i] = (size * m[i]!) / (Math.sqrt(v[i]!) + d * eps)
    },
  }
}
