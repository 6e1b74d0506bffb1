import type { Link, Slots } from '../types.ts'
import { adaptiveNorm } from './adam.ts'
import { checkBetas, checkEps, elementwise } from './moments.ts'

export type AdanScalingOptions = {
  /** Decay rates of the gradient, of its differences and of the squares; [0.98, 0.92, 0.99]. The paper's β are 1 minus these. */
  betas?: readonly [number, number, number]
  /** 1e-8. */
  eps?: number
  /** AdaNorm's decay rate; none. */
  adanorm?: number
}

type State = Slots & {
  momentum: Float32Array
  difference: Float32Array
  variance: Float32Array
  previous: Float32Array
  norm?: Float64Array
}

/**
 * Adan: Nesterov's momentum from differences of gradients d = g − g₋₁ (0 at first): u = (m̂ + β₂·d̂)/(√n̂ + eps) with n the
 * average of (g + β₂d)². Xie et al.: Adan, 2022, algorithm 1; its decay is the 'proximal' mode.
 */
export const adanScaling = (o: AdanScalingOptions = {}): Link<State> => {
  const { eps = 1e-8, adanorm } = o
  const [beta1, beta2, beta3] = checkBetas('adan', o.betas ?? ([0.98, 0.92, 0.99] as const))
  checkEps('adan', eps)
  return {
    name: 'adan',
    init: (p, fresh) => ({
      momentum: fresh(p),
      difference: fresh(p),
      variance: fresh(p),
      previous: fresh(p),
      ...(adanorm !== undefined && { norm: new Float64Array(1) }),
    }),
    ...(adanorm === undefined && { grain: elementwise }),
    update({ update: u, step }, { momentum: m, difference: d, variance: n, previous, norm }) {
      if (step === 1) previous.set(u)
      const [first, second, third] = [1 - beta1 ** step, 1 - beta2 ** step, Math.sqrt(1 - beta3 ** step)]
      const lift = (1 - beta1) * adaptiveNorm(u, norm, adanorm)
      for (let i = 0; i < u.length; i++) {
        const g = u[i]!
        const change = g - previous[i]!
        previous[i] = g
        m[i] = beta1 * m[i]! + lift * g
        d[i] = beta2 * d[i]! + (1 - beta2) * change
        const ahead = g + beta2 * change
        n[i] = beta3 * n[i]! + (1 - beta3) * ahead * ahead
        u[i] = (m[i]! / first + (beta2 * d[i]!) / second) / (Math.sqrt(n[i]!) / third + eps)
      }
    },
  }
}
