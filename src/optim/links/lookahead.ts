import { UsageError } from '../../base/index.ts'
import { type CompatOption, has } from '../compat.ts'
import { add, type Expression, loop, mul, sub } from '../loops/index.ts'
import type { Link, Site, Slots } from '../types.ts'
import { elementwise } from './moments.ts'

export type LookaheadOptions = CompatOption & {
  /** Fast steps between meetings; 5 (the paper's). */
  k?: number
  /** How far the slow weights move towards the fast ones, 0…1, fixed or by the number of the parameter's updates; 0.5. */
  alpha?: number | ((step: number) => number)
  /**
   * What happens at a meeting, with φ the slow weights and θ the fast ones.
   * 'average': φ ← φ + α(θ − φ), θ ← φ (Zhang et al.).
   * 'nesterov': Δ = φ − θ is taken as a gradient: b ← μb + Δ, φ ← φ − α(Δ + μb), θ ← φ (SNOO, Kallusky et al. 2025).
   * 'ema': φ ← φ + α(θ − φ), and θ goes on undisturbed.
   */
  outer?: 'average' | 'nesterov' | 'ema'
  /** μ of the Nesterov outer step; 0.9. */
  outerMomentum?: number
  /** What a meeting does to the inner momentum: 'none', 'reset' to zero, or 'average' it with its last value as the weights
   *  are; 'none'. */
  pullback?: 'none' | 'reset' | 'average'
}

type State = Slots & { slow: Float32Array; velocity?: Float32Array; momentum0?: Float32Array }

/**
 * Lookahead: every k steps the slow weights move towards the fast ones, and the fast ones start again from there. Slow
 * weights are the first weights at first, live in the optimizer's state and are the ones to evaluate with.
 * Zhang, Lucas, Hinton, Ba: Lookahead Optimizer: k steps forward, 1 step back, NeurIPS 2019, algorithm 1.
 */
export const lookahead = (options: LookaheadOptions = {}): Link<State> => {
  const { k = 5, alpha = 0.5, outer = 'average', outerMomentum = 0.9, pullback = 'none' } = options
  const atMeeting = has(options, 'lookahead-starts-at-first-meeting')
  const afterFirst = has(options, 'lookahead-starts-after-first-step')
  const atZero = has(options, 'lookahead-starts-at-zero')
  const aliased = has(options, 'lookahead-aliased-pullback')
  if (!(Number.isInteger(k) && k >= 1))
    throw new UsageError(`lookahead: k = ${k} is no number of steps`, { remedy: 'give a whole number of 1 or more' })
  if (typeof alpha === 'number' && !(alpha >= 0 && alpha <= 1))
    throw new UsageError(`lookahead: α = ${alpha} is out of range`, { remedy: 'give a number from 0 to 1' })
  const meets = (step: number) => (afterFirst ? step % k === 1 % k : step % (atZero ? k + 1 : k) === 0)

  return {
    name: 'lookahead',
    init: (p, fresh) => ({
      slow: atZero ? fresh(p) : fresh(p, p.values),
      ...(outer === 'nesterov' && { velocity: fresh(p) }),
      ...(pullback === 'average' && { momentum0: fresh(p) }),
    }),
    grain: elementwise,
    after(site, slots) {
      const { step, parameter } = site
      const { slow, velocity } = slots
      const fast = parameter.values
      if (site.emit) site.emit({ type: 'lookahead', parameter: parameter.name, distance: distance(fast, slow) })
      if (step === (atMeeting ? k : afterFirst ? 1 : -1)) slow.set(fast)
      if (!meets(step)) return
      const rate = typeof alpha === 'number' ? alpha : alpha(step)
      if (velocity) nesterov(slow, fast, velocity, rate, outerMomentum)
      else if (outer === 'ema') approach({ slow, fast }, { rate })
      else meet({ slow, fast }, { rate })
      meetMomentum(site, slots, rate)
    },
    evaluate: (_, { slow }, out) => out.set(slow),
  }

  function meetMomentum(site: Site, { momentum0 }: State, rate: number) {
    if (pullback === 'none') return
    for (const { momentum: inner } of site.peers) {
      if (!inner) continue
      if (pullback === 'reset') inner.fill(0)
      else if (momentum0) {
        if (aliased) {
          const factor = site.step === k ? rate : rate * (2 - rate)
          for (let i = 0; i < inner.length; i++) inner[i]! *= factor
        } else {
          for (let i = 0; i < inner.length; i++) inner[i] = momentum0[i]! + rate * (inner[i]! - momentum0[i]!)
          momentum0.set(inner)
        }
      }
    }
  }
}

const closer = (slow: Expression, fast: Expression, rate: Expression) => add(slow, mul(rate, sub(fast, slow)))

/** φ ← φ + α(θ − φ). */
const approach = loop(['slow', 'fast'], ['rate'], ({ slow, fast }, { rate }) => ({ slow: closer(slow, fast, rate) }))

/** The same, then θ ← φ. */
const meet = loop(['slow', 'fast'], ['rate'], ({ slow, fast }, { rate }) => {
  const both = closer(slow, fast, rate)
  return { slow: both, fast: both }
})

const nesterov = (slow: Float32Array, fast: Float32Array, velocity: Float32Array, rate: number, mu: number): void => {
  for (let i = 0; i < slow.length; i++) {
    const delta = slow[i]! - fast[i]!
    const b = mu * velocity[i]! + delta
    velocity[i] = b
    slow[i]! -= rate * (delta + mu * b)
    fast[i] = slow[i]!
  }
}

const distance = (a: Float32Array, b: Float32Array): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2
  return Math.sqrt(sum)
}
