import { type CompatOption, has } from '../compat.ts'
import type { Link } from '../types.ts'
import { elementwise, norm, scaleInPlace } from './moments.ts'

/** u ← factor·u: a rate of its own for part of a chain. */
export const scale = (factor: number): Link => ({
  name: 'scale',
  grain: elementwise,
  update: ({ update }) => scaleInPlace(update, factor),
})

/** u ← sign(u). */
export const sign: Link = {
  name: 'sign',
  grain: elementwise,
  update({ update: u }) {
    for (let i = 0; i < u.length; i++) u[i] = Math.sign(u[i]!)
  },
}

export type TrustRatioOptions = CompatOption & {
  /** The weights' norm counts at most this; none. */
  most?: number
  /** Added to the update's norm; 0. */
  eps?: number
  /** Take the update's norm without the adaptive link's bias correction, as LAMB's version 3 does; false. */
  uncorrected?: boolean
}

/**
 * LAMB's trust ratio: u ← u·φ(‖p‖)/‖u‖ for each tensor, φ cutting off at `most`; unchanged where a norm is 0.
 * You et al.: Large Batch Optimization for Deep Learning, ICLR 2020, algorithm 2.
 */
export const trustRatio = (o: TrustRatioOptions = {}): Link => ({
  name: 'trust',
  update(site) {
    const { update: u, parameter, lr } = site
    const weights = Math.min(norm(parameter.values), o.most ?? Number.POSITIVE_INFINITY)
    const direction = has(o, 'lamb-moved-norm')
      ? norm(parameter.values.map((p, i) => p - lr * u[i]!))
      : norm(u) / (o.uncorrected ? Math.abs(site.stepSize || 1) : 1)
    if (weights === 0 || direction === 0) return
    scaleInPlace(u, weights / (direction + (o.eps ?? 0)))
  },
})
