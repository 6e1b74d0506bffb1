import { has } from '../compat.ts'
import { type CentralizeOptions, centralize } from '../links/centralize.ts'
import { type AdaptiveClipOptions, adaptiveClip, normalizeGradient } from '../links/clip.ts'
import { type DecayOptions, weightDecay, withDecay } from '../links/decay.ts'
import { type LookaheadOptions, lookahead } from '../links/lookahead.ts'
import { elementwise } from '../links/moments.ts'
import { type RadamScalingOptions, radamScaling, rectification } from '../links/radam.ts'
import { normLoss, type PositiveNegativeOptions, positiveNegative, stableDecay } from '../links/ranger21.ts'
import { type OptimizerOptions, optimizer } from '../optimizer.ts'
import type { Link } from '../types.ts'

export type RadamOptions = OptimizerOptions & RadamScalingOptions & DecayOptions

/** Rectified Adam. Liu et al.: On the Variance of the Adaptive Learning Rate and Beyond, ICLR 2020. */
export const radam = (o: RadamOptions = {}) => optimizer(withDecay(o, [radamScaling(o)]), o)

export type RangerOptions = RadamOptions &
  LookaheadOptions &
  CentralizeOptions & {
    /** Where gradients are centralized: in the final 'update', as GC's authors advise for adaptive methods and the default
     *  here; in the 'gradient', as ranger.py does; or nowhere, false. */
    gc?: 'update' | 'gradient' | false
  }

/**
 * Ranger: RAdam, gradient centralization, Lookahead. Wright: github.com/lessw2020/Ranger-Deep-Learning-Optimizer; the
 * papers stand at the links. Rate 1e-3, β₁ 0.95, eps 1e-5, threshold 5, k 6, α 0.5; with the flat-then-cosine schedule.
 */
export const ranger = (options: RangerOptions = {}) => {
  const o = { betas: [0.95, 0.999] as const, eps: 1e-5, k: 6, ...options }
  return optimizer([...adapted(o), ...overwriting(o), lookahead(o)], o)
}

/** RAdam with centralization before it, after it, or (a published habit) after the decay. */
const adapted = (o: RangerOptions) => {
  if (o.gc === false) return withDecay(o, [radamScaling(o)])
  if (o.gc === 'gradient') return [centralize(o), ...withDecay(o, [radamScaling(o)])]
  if (has(o, 'decay-is-centralized')) return [radamScaling(o), weightDecay(o), centralize(o)]
  return withDecay(o, [radamScaling(o), centralize(o)])
}

/** The published habit of taking the momentum itself, not a copy, for the update of a step below the threshold. */
const overwriting = (o: RangerOptions): Link[] =>
  has(o, 'warm-up-overwrites-momentum')
    ? [
        {
          name: 'overwrite',
          grain: elementwise,
          update({ step, stepSize, update: u, peers }) {
            const momentum = peers.find((slots) => slots.momentum)?.momentum
            if (!momentum || rectification(step, o.betas?.[1] ?? 0.999, o.threshold, o.inclusive).adaptive) return
            for (let i = 0; i < u.length; i++) momentum[i] = u[i]! / stepSize
          },
        },
      ]
    : []

export type Ranger21Options = OptimizerOptions &
  PositiveNegativeOptions &
  AdaptiveClipOptions &
  LookaheadOptions &
  Pick<CentralizeOptions, 'convOnly' | 'embeddings'> & {
    /** λ of stable decay; 1e-4. */
    weightDecay?: number
    /** λ of the norm loss; 1e-4. */
    normLoss?: number
  }

/**
 * Ranger21: adaptive clipping, centralization, normalisation, positive–negative momentum over a softplus denominator, stable
 * decay, norm loss, Lookahead with k 5. Its schedule is `untuned-warmup+warmdown`. Wright and Demeure: Ranger21, 2021.
 */
export const ranger21 = (options: Ranger21Options = {}) => {
  const o = { softplus: 50, k: 5, ...options }
  const { eps: _, ...clip } = o
  return optimizer(
    [
      adaptiveClip(clip),
      centralize(o),
      normalizeGradient(),
      positiveNegative(o),
      stableDecay(o.weightDecay ?? 1e-4, { beta2: o.betas?.[1] ?? 0.999 }),
      normLoss(o.normLoss),
      lookahead(o),
    ],
    o,
  )
}
