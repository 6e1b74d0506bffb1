import type { Link, Slots } from '../types.ts'
import { adaptiveNorm } from './adam.ts'
import { type Betas, checkBetas, checkEps, elementwise } from './moments.ts'
import { rectification } from './radam.ts'

export type AdabeliefScalingOptions = {
  /** [0.9, 0.999]. */
  betas?: Betas
  /** Added to the variance at every step and to its root; 1e-16. */
  eps?: number
  /** Where eps stands beside the root: on √v̂ or on the 'raw' √v, before its correction; 'corrected'. */
  epsOn?: 'corrected' | 'raw'
  /** Added to v under the root; 0. */
  epsRoot?: number
  /** Divide by the largest variance seen; false. */
  amsgrad?: boolean
  /** Rectify as RAdam does; false. Below `threshold` (5) step along m̂, or not at all with `warmup: 'skip'`. */
  rectify?: boolean
  threshold?: number
  warmup?: 'sgd' | 'skip'
  /** Correct the first moment for its start at zero; true. */
  correctFirst?: boolean
  /** AdaNorm's decay rate; none. */
  adanorm?: number
}

type State = Slots & { momentum: Float32Array; variance: Float32Array; largest?: Float32Array; norm?: Float64Array }

/**
 * AdaBelief: Adam whose second moment is that of g − m, small where the gradient is as expected.
 * Zhuang et al.: AdaBelief Optimizer, NeurIPS 2020, algorithm 2.
 */
export const adabeliefScaling = (o: AdabeliefScalingOptions = {}): Link<State> => {
  const {
    eps = 1e-16,
    epsOn = 'corrected',
    epsRoot = 0,
    amsgrad = false,
    rectify = false,
    threshold = 5,
    warmup = 'sgd',
    correctFirst = true,
    adanorm,
  } = o
  const [beta1, beta2] = checkBetas('adabelief', o.betas ?? ([0.9, 0.999] as const))
  checkEps('adabelief', eps)
  const raw = rectify || epsOn === 'raw'
  return {
    name: 'adabelief',
    init: (p, fresh) => ({
      momentum: fresh(p),
      variance: fresh(p),
      ...(amsgrad && { largest: fresh(p) }),
      ...(adanorm !== undefined && { norm: new Float64Array(1) }),
    }),
    ...(adanorm === undefined && { grain: elementwise }),
    update(site, { momentum: m, variance: v, largest, norm }) {
      const { update: u, step } = site
      const first = correctFirst ? 1 - beta1 ** step : 1
      const second = Math.sqrt(1 - beta2 ** step)
      const { adaptive, factor } = rectify ? rectification(step, beta2, threshold) : { adaptive: true, factor: 1 }
      site.idle = !adaptive && warmup === 'skip'
      site.stepSize = site.idle ? 0 : (factor / first) * (raw && adaptive ? second : 1)
      const scale = raw ? 1 : 1 / second
      const lift = (1 - beta1) * adaptiveNorm(u, norm, adanorm)
      for (let i = 0; i < u.length; i++) {
        const g = u[i]!
        m[i] = beta1 * m[i]! + lift * g
        const surprise = g - m[i]!
        v[i] = beta2 * v[i]! + (1 - beta2) * surprise * surprise + eps
        if (largest) largest[i] = Math.max(largest[i]!, v[i]!)
        u[i] = site.stepSize * (adaptive ? m[i]! / (Math.sqrt((largest ?? v)[i]! + epsRoot) * scale + eps) : m[i]!)
      }
    },
  }
}
