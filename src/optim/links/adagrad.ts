import type { Link } from '../types.ts'
import { type Betas, checkBetas, checkEps, elementwise } from './moments.ts'

export type AdagradScalingOptions = {
  /** 1e-10. */
  eps?: number
  /** The rate falls as 1/(1 + (t−1)·decay); 0. */
  rateDecay?: number
  /** What the sum of squares starts at; 0. */
  initial?: number
}

/** Adagrad: u = g/(√Σg² + eps). Duchi, Hazan, Singer: Adaptive Subgradient Methods, JMLR 2011. */
export const adagradScaling = (o: AdagradScalingOptions = {}): Link<{ sum: Float32Array }> => {
  const { eps = 1e-10, rateDecay = 0, initial = 0 } = o
  checkEps('adagrad', eps)
  return {
    name: 'adagrad',
    init: (p, fresh) => ({ sum: fresh(p, initial) }),
    grain: elementwise,
    update(site, { sum }) {
      const u = site.update
      site.stepSize = 1 / (1 + (site.step - 1) * rateDecay)
      for (let i = 0; i < u.length; i++) {
        const g = u[i]!
        const total = sum[i]! + g * g
        sum[i] = total
        u[i] = (site.stepSize * g) / (Math.sqrt(total) + eps)
      }
    },
  }
}

export type AdadeltaScalingOptions = {
  /** Decay rate of both averages; 0.9. */
  rho?: number
  /** 1e-6. */
  eps?: number
}

/** Adadelta: u = g·√(E[u²] + eps)/√(E[g²] + eps). Zeiler: ADADELTA, 2012, algorithm 1. */
export const adadeltaScaling = (
  o: AdadeltaScalingOptions = {},
): Link<{ variance: Float32Array; moved: Float32Array }> => {
  const { rho = 0.9, eps = 1e-6 } = o
  checkBetas('adadelta', [rho])
  checkEps('adadelta', eps)
  return {
    name: 'adadelta',
    init: (p, fresh) => ({ variance: fresh(p), moved: fresh(p) }),
    grain: elementwise,
    update({ update: u }, { variance: v, moved }) {
      for (let i = 0; i < u.length; i++) {
        const g = u[i]!
        const square = rho * v[i]! + (1 - rho) * g * g
        v[i] = square
        const step = (Math.sqrt(moved[i]! + eps) / Math.sqrt(square + eps)) * g
        moved[i] = rho * moved[i]! + (1 - rho) * step * step
        u[i] = step
      }
    },
  }
}

export type RmspropScalingOptions = {
  /** Decay rate of the squares; 0.99. */
  rho?: number
  /** 1e-8. */
  eps?: number
  /** Subtract the squared mean: divide by the standard deviation; false. */
  centered?: boolean
}

/** RMSprop: u = g/(√E[g²] + eps). Tieleman and Hinton: Lecture 6.5, Coursera 2012; centred: Graves 2013, eq. 38–45. */
export const rmspropScaling = (
  o: RmspropScalingOptions = {},
): Link<{ variance: Float32Array; mean?: Float32Array }> => {
  const { rho = 0.99, eps = 1e-8, centered = false } = o
  checkBetas('rmsprop', [rho])
  checkEps('rmsprop', eps)
  return {
    name: 'rmsprop',
    init: (p, fresh) => ({ variance: fresh(p), ...(centered && { mean: fresh(p) }) }),
    grain: elementwise,
    update({ update: u }, { variance: v, mean }) {
      for (let i = 0; i < u.length; i++) {
        const g = u[i]!
        let square = rho * v[i]! + (1 - rho) * g * g
        v[i] = square
        if (mean) {
          const average = rho * mean[i]! + (1 - rho) * g
          mean[i] = average
          square -= average * average
        }
        u[i] = g / (Math.sqrt(square) + eps)
      }
    },
  }
}

export type AdamaxScalingOptions = {
  /** [0.9, 0.999]. */
  betas?: Betas
  /** Added to |g|; 1e-8. */
  eps?: number
}

/** Adamax: Adam in the infinity norm, u = m̂/max(β₂·n, |g| + eps). Kingma and Ba: Adam, ICLR 2015, algorithm 2. */
export const adamaxScaling = (
  o: AdamaxScalingOptions = {},
): Link<{ momentum: Float32Array; infinity: Float32Array }> => {
  const { eps = 1e-8 } = o
  const [beta1, beta2] = checkBetas('adamax', o.betas ?? ([0.9, 0.999] as const))
  checkEps('adamax', eps)
  return {
    name: 'adamax',
    init: (p, fresh) => ({ momentum: fresh(p), infinity: fresh(p) }),
    grain: elementwise,
    update(site, { momentum: m, infinity: n }) {
      const u = site.update
      site.stepSize = 1 / (1 - beta1 ** site.step)
      for (let i = 0; i < u.length; i++) {
        const g = u[i]!
        const mean = beta1 * m[i]! + (1 - beta1) * g
        const most = Math.max(beta2 * n[i]!, Math.abs(g) + eps)
        m[i] = mean
        n[i] = most
        u[i] = (site.stepSize * mean) / most
      }
    },
  }
}
