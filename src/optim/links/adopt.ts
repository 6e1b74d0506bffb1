import type { Link } from '../types.ts'
import { cautiousScale, stableRms } from './masks.ts'
import { type Betas, checkBetas, checkEps, elementwise } from './moments.ts'

export type AdoptScalingOptions = {
  /** [0.9, 0.9999]. */
  betas?: Betas
  /** The least denominator; 1e-6. */
  eps?: number
  /** The normalised gradient is clipped to ±t^power; 0.25, none to leave it. */
  clipPower?: number | false
  /** Leave out the momentum where it disagrees with the normalised gradient; false. */
  cautious?: boolean
  /** Divide by RMS(g/√v) where it exceeds 1; false. */
  stable?: boolean
}

/**
 * ADOPT: divides each gradient by the second moment of the steps before it, then averages: m ← β₁m + (1−β₁)·clip(g/√v₋₁),
 * u = m. The first step only starts v. Taniguchi et al.: ADOPT, NeurIPS 2024, algorithm 2 and its clipped version.
 */
export const adoptScaling = (o: AdoptScalingOptions = {}): Link<{ momentum: Float32Array; variance: Float32Array }> => {
  const { eps = 1e-6, clipPower = 0.25, cautious = false, stable = false } = o
  const [beta1, beta2] = checkBetas('adopt', o.betas ?? ([0.9, 0.9999] as const))
  checkEps('adopt', eps)
  return {
    name: 'adopt',
    init: (p, fresh) => ({ momentum: fresh(p), variance: fresh(p) }),
    ...(!cautious && !stable && { grain: elementwise }),
    update(site, { momentum: m, variance: v }) {
      const { update: u, step } = site
      if (step === 1) {
        for (let i = 0; i < u.length; i++) v[i] = u[i]! ** 2
        u.fill(0)
        site.idle = true
        return
      }
      const limit = clipPower === false ? Number.POSITIVE_INFINITY : step ** clipPower
      const rms = stable ? stableRms(u, v) : 1
      for (let i = 0; i < u.length; i++) {
        const g = u[i]!
        const normed = Math.min(limit, Math.max(-limit, g / Math.max(Math.sqrt(v[i]!), eps)))
        m[i] = beta1 * m[i]! + (1 - beta1) * normed
        v[i] = beta2 * v[i]! + (1 - beta2) * g * g
      }
      const kept = cautious ? cautiousScale(m, u) : 1
      for (let i = 0; i < u.length; i++) u[i] = cautious && m[i]! * u[i]! <= 0 ? 0 : (kept * m[i]!) / rms
    },
  }
}
