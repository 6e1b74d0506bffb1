import { UsageError } from '../../base/index.ts'
import { type CompatOption, has } from '../compat.ts'
import { add, loop, mul, sub } from '../loops/index.ts'
import type { Link, Slots } from '../types.ts'
import { adaptiveStep, averaged, type Betas, checkBetas, checkEps, elementwise } from './moments.ts'

export type RadamScalingOptions = CompatOption & {
  /** Decay rates of the first and second moment; [0.9, 0.999]. */
  betas?: Betas
  /** Added to the denominator; 1e-8. */
  eps?: number
  /** Adapt only where ρ, the length of the averaged window, passes this; 5. The paper says 4, its authors' code 5: with
   *  β₂ = 0.999 the first adaptive step is the 5th for 4, the 6th for 5. */
  threshold?: number
  /** Whether ρ equal to the threshold suffices; true. Only a contrived β₂ makes a difference. */
  inclusive?: boolean
  /** Below the threshold: 'sgd' steps along m̂, as the paper does; 'skip' does not move, as its authors' code does by
   *  default. */
  warmup?: 'sgd' | 'skip'
  /** Where eps stands: 'raw' adds it to √v, so that it weighs eps/√(1−β₂ᵗ) against √v̂ (31 times eps at step 1 with
   *  β₂ = 0.999); 'corrected' adds it to √v̂, as Adam does. */
  epsOn?: 'raw' | 'corrected'
}

export type Rectification = { readonly rho: number; readonly factor: number; readonly adaptive: boolean }

/**
 * The variance rectification of RAdam at step t, in double: float32 loses ρ (at β₂ = 0.9999 it gives 1.027 for 2.9999).
 *   ρ∞ = 2/(1−β₂) − 1,  ρₜ = ρ∞ − 2tβ₂ᵗ/(1−β₂ᵗ),  r = √((ρₜ−4)(ρₜ−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρₜ))
 */
export const rectification = (step: number, beta2: number, threshold = 5, inclusive = true): Rectification => {
  const power = beta2 ** step
  const limit = 2 / (1 - beta2) - 1
  const rho = limit - (2 * step * power) / (1 - power)
  const adaptive = inclusive ? rho >= threshold : rho > threshold
  const factor = adaptive ? Math.sqrt(((rho - 4) * (rho - 2) * limit) / ((limit - 4) * (limit - 2) * rho)) : 1
  return { rho, factor, adaptive }
}

/**
 * RAdam's direction: r·m̂/(√v̂ + eps) where the variance of the adaptive rate can be told, m̂ (or nothing) before.
 * Liu et al.: On the Variance of the Adaptive Learning Rate and Beyond, ICLR 2020, algorithm 2.
 * @throws UsageError when β₂ and the threshold never let it adapt, or the threshold lets r be the root of a negative.
 */
export const radamScaling = (options: RadamScalingOptions = {}): Link<Moments> => {
  const { eps = 1e-8, threshold = 5, inclusive = true, warmup = 'sgd', epsOn = 'raw' } = options
  const ascends = has(options, 'radam-ascends')
  const [beta1, beta2] = checkBetas('radam', options.betas ?? [0.9, 0.999])
  checkEps('radam', eps)
  if (!(threshold >= 4))
    throw new UsageError(`a RAdam threshold of ${threshold} makes r the root of a negative number`, {
      remedy: 'give 4 (the paper) or more',
    })
  const limit = 2 / (1 - beta2) - 1
  if (!(limit > threshold) && !has(options, 'radam-never-adapts'))
    throw new UsageError(
      `with β₂ = ${beta2} RAdam's window never exceeds ${limit.toFixed(2)}, below its threshold ${threshold}`,
      {
        remedy: `raise β₂ above ${(1 - 2 / (threshold + 1)).toFixed(3)} or use adam`,
      },
    )

  return {
    name: 'radam',
    init: (p, fresh) => ({ momentum: fresh(p), variance: fresh(p) }),
    grain: elementwise,
    update(site, { momentum: m, variance: v }) {
      const { rho, factor, adaptive } = rectification(site.step, beta2, threshold, inclusive)
      const correction1 = 1 - beta1 ** site.step
      const correction2 = Math.sqrt(1 - beta2 ** site.step)
      const mode = adaptive ? 'adaptive' : ascends ? 'sgd' : warmup
      site.emit?.({ type: 'rectification', parameter: site.parameter.name, step: site.step, rho, factor, mode })
      const [u, rest1, rest2] = [site.update, 1 - beta1, 1 - beta2]
      if (adaptive) {
        site.stepSize = (factor / correction1) * (epsOn === 'raw' ? correction2 : 1)
        const scale = epsOn === 'raw' ? 1 : 1 / correction2
        adaptiveStep({ u, m, v }, { gain: rest1, fade: rest1, rest: rest2, root: 0, scale, eps, size: site.stepSize })
      } else {
        site.idle = mode === 'skip'
        site.stepSize = site.idle ? 0 : (ascends ? -1 : 1) / correction1
        momentumStep({ u, m, v }, { rest1, rest2, size: site.stepSize })
      }
    },
  }
}

export type Moments = Slots & { momentum: Float32Array; variance: Float32Array }

/** The same moments, but u = size·m. */
const momentumStep = loop(['u', 'm', 'v'], ['rest1', 'rest2', 'size'], ({ u, m, v }, { rest1, rest2, size }) => {
  const mean = averaged(m, u, rest1)
  return { m: mean, v: add(v, sub(mul(mul(rest2, u), u), mul(rest2, v))), u: mul(size, mean) }
})
