import type { Link, Slots } from '../types.ts'
import { adaptiveStep, type Betas, checkBetas, checkEps, elementwise } from './moments.ts'

export type AdamScalingOptions = {
  /** Decay rates of the first and second moment; [0.9, 0.999]. */
  betas?: Betas
  /** Added to the denominator; 1e-8. */
  eps?: number
  /** Divide by the largest second moment seen (AMSGrad); false. */
  amsgrad?: boolean
  /** 'both' moments corrected for their start at zero, only the 'first' or the 'second', or 'none'; 'both'. */
  correct?: 'both' | 'first' | 'second' | 'none'
  /** Where eps stands: on √v̂ (Adam's paper) or on the 'raw' √v, before its correction; 'corrected'. */
  epsOn?: 'corrected' | 'raw'
  /** Added to v under the root; 0. */
  epsRoot?: number
  /** β of softplus(x) = ln(1 + e^{βx})/β through which the denominator passes, keeping it away from 0 smoothly (Tong, Liang,
   *  Bi 2019: Calibrating the adaptive learning rate); none. */
  softplus?: number
  /** A gradient enters the first moment whole, not times 1 − β₁; false. */
  sumFirst?: boolean
  /** Scales gradients up to the running average of their norm, at this decay rate (AdaNorm); none. */
  adanorm?: number
}

export type AdamSlots = Slots & {
  momentum: Float32Array
  variance: Float32Array
  largest?: Float32Array
  norm?: Float64Array
}

/**
 * Adam's direction u = m̂/(√v̂ + eps). Kingma and Ba: Adam, ICLR 2015, algorithm 1; AMSGrad from Reddi, Kale, Kumar: On the
 * Convergence of Adam and Beyond, ICLR 2018, algorithm 2.
 */
export const adamScaling = (options: AdamScalingOptions = {}): Link<AdamSlots> => {
  const { eps = 1e-8, amsgrad = false, correct = 'both', epsOn = 'corrected', epsRoot = 0, softplus } = options
  const { sumFirst = false, adanorm } = options
  const [beta1, beta2] = checkBetas('adam', options.betas ?? [0.9, 0.999])
  checkEps('adam', eps)
  return {
    name: 'adam',
    init: (p, fresh) => ({
      momentum: fresh(p),
      variance: fresh(p),
      ...(amsgrad && { largest: fresh(p) }),
      ...(adanorm !== undefined && { norm: new Float64Array(1) }),
    }),
    ...(adanorm === undefined && { grain: elementwise }),
    update(site, slots) {
      const correction1 = correct === 'both' || correct === 'first' ? 1 - beta1 ** site.step : 1
      const correction2 = correct === 'both' || correct === 'second' ? Math.sqrt(1 - beta2 ** site.step) : 1
      site.stepSize = epsOn === 'raw' ? correction2 / correction1 : 1 / correction1
      const scalars = {
        gain: (sumFirst ? 1 : 1 - beta1) * adaptiveNorm(site.update, slots.norm, adanorm),
        fade: 1 - beta1,
        rest: 1 - beta2,
        root: epsRoot,
        scale: epsOn === 'raw' ? 1 : 1 / correction2,
        eps,
        size: site.stepSize,
      }
      const { momentum: m, variance: v } = slots
      if (softplus !== undefined || slots.largest) general(site.update, slots, scalars, softplus)
      else adaptiveStep({ u: site.update, m, v }, scalars)
    },
  }
}

type Scalars = Parameters<typeof adaptiveStep>[1]

const general = (
  u: Float32Array,
  { momentum: m, variance: v, largest }: AdamSlots,
  { gain, fade, rest, root: epsRoot, scale, eps, size }: Scalars,
  softplus: number | undefined,
): void => {
  for (let i = 0; i < u.length; i++) {
    const g = u[i]!
    const mean = (1 - fade) * m[i]! + gain * g
    let square = (1 - rest) * v[i]! + rest * g * g
    m[i] = mean
    v[i] = square
    if (largest) {
      square = Math.max(largest[i]!, v[i]!)
      largest[i] = square
    }
    const root = Math.sqrt(square + epsRoot) * scale + eps
    u[i] = (size * mean) / (softplus === undefined ? root : softplusOf(root, softplus))
  }
}

/** ln(1 + e^{βx})/β, linear where the exponential would overflow. */
export const softplusOf = (x: number, beta: number): number => {
  const z = beta * x
  return z > 20 ? x : Math.log1p(Math.exp(z)) / beta
}

/**
 * AdaNorm: the factor by which the gradient enters the first moment. It lifts gradients smaller than the moving average of
 * their norm up to it. Dubey, Singh, Chaudhuri: AdaNorm, WACV 2023.
 */
export const adaptiveNorm = (u: Float32Array, average: Float64Array | undefined, decay = 0.95): number => {
  if (!average) return 1
  let sum = 0
  for (let i = 0; i < u.length; i++) sum += u[i]! ** 2
  const now = Math.sqrt(sum)
  average[0] = decay * average[0]! + (1 - decay) * now
  return now > 0 && average[0] > now ? average[0] / now : 1
}
