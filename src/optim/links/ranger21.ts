import type { Link, Slots } from '../types.ts'
import { softplusOf } from './adam.ts'
import { type Betas, checkBetas, checkEps, elementwise } from './moments.ts'
import { eachRun, unitNorms, unitsOf, wholeTensor } from './units.ts'

export type PositiveNegativeOptions = {
  /** Decay rates of the momenta and the squares; [0.9, 0.999]. */
  betas?: Betas
  /** 1e-8. */
  eps?: number
  /** Weight β₀ of the negative momentum; 1. */
  noise?: number
  /** β of the softplus the denominator passes through; none. */
  softplus?: number
  /** Divide by the largest second moment seen; false. */
  amsgrad?: boolean
}

type State = Slots & { momentum: Float32Array; negative: Float32Array; variance: Float32Array; largest?: Float32Array }

/**
 * Positive–negative momentum over Adam's denominator: two momenta take turns, m ← β₁²m + (1−β₁²)g, and the direction is
 * ((1+β₀)m_now − β₀m_other)/√((1+β₀)²+β₀²), whose gradient noise is larger at the same mean.
 * Xie, Yuan, Zhu, Sugiyama: Positive-Negative Momentum, ICML 2021, algorithm 2 (AdaPNM).
 */
export const positiveNegative = (o: PositiveNegativeOptions = {}): Link<State> => {
  const { eps = 1e-8, noise = 1, softplus, amsgrad = false } = o
  const [beta1, beta2] = checkBetas('positive-negative momentum', o.betas ?? ([0.9, 0.999] as const))
  checkEps('positive-negative momentum', eps)
  return {
    name: 'pnm',
    init: (p, fresh) => ({
      momentum: fresh(p),
      negative: fresh(p),
      variance: fresh(p),
      ...(amsgrad && { largest: fresh(p) }),
    }),
    grain: elementwise,
    update(site, { momentum, negative, variance: v, largest }) {
      const { update: u, step } = site
      const [now, other] = step % 2 === 1 ? [momentum, negative] : [negative, momentum]
      const keep = beta1 ** 2
      const size = 1 / (Math.hypot(1 + noise, noise) * (1 - beta1 ** step))
      const scale = 1 / Math.sqrt(1 - beta2 ** step)
      site.stepSize = size
      for (let i = 0; i < u.length; i++) {
        const g = u[i]!
        const mean = keep * now[i]! + (1 - keep) * g
        now[i] = mean
        v[i] = beta2 * v[i]! + (1 - beta2) * g * g
        if (largest) largest[i] = Math.max(largest[i]!, v[i]!)
        const root = Math.sqrt((largest ?? v)[i]!) * scale + eps
        u[i] =
          (size * ((1 + noise) * mean - noise * other[i]!)) /
          (softplus === undefined ? root : softplusOf(root, softplus))
      }
    },
  }
}

/**
 * Stable weight decay for adaptive methods: u += λp/√(mean of v̂ over all parameters), so that decay and step are measured
 * alike. Needs a link with second moments before it. Xie, Sato, Sugiyama: Stable Weight Decay Regularization, 2020, eq. 9.
 */
export const stableDecay = (
  rate: number,
  { beta2 = 0.999 }: { beta2?: number } = {},
): Link<Slots, { root: number }> => ({
  name: 'stable-decay',
  shared: { root: 1 },
  begin({ sites }, shared) {
    let [sum, count] = [0, 0]
    for (const { site } of sites) {
      const v = site.peers.find((slots) => slots.variance)?.variance
      if (!v) continue
      const correction = 1 - beta2 ** site.step
      let own = 0
      for (let i = 0; i < v.length; i++) own += v[i]!
      sum += own / correction
      count += v.length
    }
    shared.root = Math.sqrt(sum / Math.max(1, count))
  },
  grain: elementwise,
  update({ update: u, parameter, weightDecay }, _, { root }) {
    const own = weightDecay ?? rate
    if (own === 0 || root === 0) return
    const p = parameter.values
    for (let i = 0; i < u.length; i++) u[i]! += (own / root) * p[i]!
  },
})

/**
 * Norm loss: pulls each output unit's norm towards 1, u += 2λ(1 − 1/‖w‖)w.
 * Georgiou et al.: Norm Loss: An efficient yet effective regularization method for deep neural networks, ICPR 2020.
 */
export const normLoss = (rate = 1e-4, { eps = 1e-8 }: { eps?: number } = {}): Link => ({
  name: 'norm-loss',
  update({ update: u, parameter }) {
    const p = parameter.values
    const units = unitsOf(parameter) ?? wholeTensor(parameter)
    const factors = unitNorms(units, p).map((size) => 2 * rate * (1 - 1 / (size + eps)))
    eachRun(units, (unit, start, end) => {
      const factor = factors[unit]!
      for (let i = start; i < end; i++) u[i]! += factor * p[i]!
    })
  },
})
