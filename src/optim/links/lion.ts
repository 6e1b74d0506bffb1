import type { Link, Slots } from '../types.ts'
import { adaptiveNorm } from './adam.ts'
import { type Betas, checkBetas, elementwise } from './moments.ts'

export type LionScalingOptions = {
  /** Decay rates of the interpolation that is stepped along and of the momentum kept; [0.9, 0.99]. */
  betas?: Betas
  /** AdaNorm's decay rate; none. */
  adanorm?: number
}

/** Lion: u = sign(β₁m + (1−β₁)g), then m ← β₂m + (1−β₂)g. Chen et al.: Symbolic Discovery of Optimization Algorithms, NeurIPS 2023. */
export const lionScaling = (
  o: LionScalingOptions = {},
): Link<Slots & { momentum: Float32Array; norm?: Float64Array }> => {
  const [beta1, beta2] = checkBetas('lion', o.betas ?? ([0.9, 0.99] as const))
  return {
    name: 'lion',
    init: (p, fresh) => ({ momentum: fresh(p), ...(o.adanorm !== undefined && { norm: new Float64Array(1) }) }),
    ...(o.adanorm === undefined && { grain: elementwise }),
    update({ update: u }, { momentum: m, norm }) {
      const lift = adaptiveNorm(u, norm, o.adanorm)
      for (let i = 0; i < u.length; i++) {
        const g = u[i]!
        u[i] = Math.sign(beta1 * m[i]! + (1 - beta1) * g)
        m[i] = beta2 * m[i]! + (1 - beta2) * lift * g
      }
    },
  }
}
