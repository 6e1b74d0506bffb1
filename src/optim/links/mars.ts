import type { Link } from '../types.ts'
import { norm, scaleInPlace } from './moments.ts'

export type MarsCorrectionOptions = {
  /** β₁ of the momentum the corrected gradient goes into; 0.95. */
  beta1?: number
  /** Strength of the correction; 0.025. */
  gamma?: number
}

/**
 * MARS's corrected gradient c = g + γ·β₁/(1−β₁)·(g − g₋₁), scaled down to ‖c‖ ≤ 1 for each tensor; g₀ = 0.
 * Yuan et al.: MARS: Unleashing the Power of Variance Reduction, 2024, algorithm 2 (approximate form).
 */
export const marsCorrection = ({
  beta1 = 0.95,
  gamma = 0.025,
}: MarsCorrectionOptions = {}): Link<{
  previous: Float32Array
}> => ({
  name: 'mars',
  init: (p, fresh) => ({ previous: fresh(p) }),
  update({ update: u }, { previous }) {
    const weight = (gamma * beta1) / (1 - beta1)
    for (let i = 0; i < u.length; i++) {
      const g = u[i]!
      u[i] = g + weight * (g - previous[i]!)
      previous[i] = g
    }
    scaleInPlace(u, 1 / Math.max(1, norm(u)))
  },
})
