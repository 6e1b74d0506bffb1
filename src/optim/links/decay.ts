import { type CompatOption, has } from '../compat.ts'
import { add, loop, mul, sub } from '../loops/index.ts'
import type { Link, Site } from '../types.ts'
import { elementwise } from './moments.ts'

export type DecayOptions = CompatOption & {
  /** λ; 0. A parameter group's own comes first. */
  weightDecay?: number
  /**
   * 'decoupled': p ← (1 − lr·λ)p − lr·u, never scaled by the adaptive part (Loshchilov and Hutter, ICLR 2019).
   * 'l2': λp is added to the gradient, as classical regularization.
   * 'independent': p ← (1 − λ)p − lr·u, without the rate.
   * 'proximal': p ← (p − lr·u)/(1 + lr·λ), the implicit step (Zhuang et al. 2022; Adan's algorithm 1).
   * 'scaled': p ← (1 − lr·s·λ)p − lr·u with s the adaptive link's own step size, where a method estimates its rate itself.
   * 'before': p ← (1 − lr·λ)p before the links that follow look at the weights.
   * 'after': p ← (1 − lr·λ)(p − lr·u), decay of the weights once moved.
   */
  decay?: 'decoupled' | 'l2' | 'independent' | 'proximal' | 'scaled' | 'before' | 'after'
}

/**
 * Weight decay. In the modes 'decoupled' and 'l2' it adds λp to the direction at its place in the chain: last it is
 * decoupled decay, first it is L2; see `withDecay`.
 */
export const weightDecay = (options: DecayOptions = {}): Link => {
  const timesStep = options.decay === 'scaled' || has(options, 'decay-times-step-size')
  const onlyMoving = has(options, 'decay-only-when-moving')
  const rateOf = (site: Site): number => {
    if (onlyMoving && site.idle) return 0
    return (site.weightDecay ?? options.weightDecay ?? 0) * (timesStep ? site.stepSize : 1)
  }
  const shrink = (shareOf: (site: Site, rate: number) => number) => (site: Site) => {
    const rate = rateOf(site)
    if (rate === 0) return
    shrinkBy({ p: site.parameter.values }, { share: shareOf(site, rate) })
  }
  switch (options.decay) {
    case 'independent':
      return { name: 'decay', grain: elementwise, update: shrink((_, rate) => rate) }
    case 'proximal':
      return { name: 'decay', grain: elementwise, after: shrink((site, rate) => 1 - 1 / (1 + site.lr * rate)) }
    case 'before':
      return { name: 'decay', grain: elementwise, update: shrink((site, rate) => site.lr * rate) }
    case 'after':
      return { name: 'decay', grain: elementwise, after: shrink((site, rate) => site.lr * rate) }
    default:
      return {
        name: 'decay',
        grain: elementwise,
        update(site) {
          const rate = rateOf(site)
          if (rate !== 0) addWeights({ u: site.update, p: site.parameter.values }, { rate })
        },
      }
  }
}

/** p ← p − share·p; 1 − share itself is too near 1 for float32. */
const shrinkBy = loop(['p'], ['share'], ({ p }, { share }) => ({ p: sub(p, mul(share, p)) }))

const addWeights = loop(['u', 'p'], ['rate'], ({ u, p }, { rate }) => ({ u: add(u, mul(rate, p)) }))

/** A chain with its decay where the mode wants it: before the other links for 'l2' and 'before', else after them. */
export const withDecay = (options: DecayOptions, links: readonly Link[]): Link[] =>
  options.decay === 'l2' || options.decay === 'before'
    ? [weightDecay(options), ...links]
    : [...links, weightDecay(options)]
