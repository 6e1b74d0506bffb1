import { UnsupportedError } from '../../base/index.ts'
import { only } from '../groups.ts'
import { adamScaling } from '../links/adam.ts'
import { centralize } from '../links/centralize.ts'
import { clipNorm } from '../links/clip.ts'
import { type DecayOptions, weightDecay, withDecay } from '../links/decay.ts'
import { lionScaling } from '../links/lion.ts'
import { marsCorrection } from '../links/mars.ts'
import { cautious } from '../links/masks.ts'
import { momentum } from '../links/momentum.ts'
import { radamScaling } from '../links/radam.ts'
import { scale, sign, trustRatio } from '../links/scale.ts'
import { optimizer, type Recipe } from '../optimizer.ts'
import { adabelief } from '../presets/adam.ts'
import { soap } from '../presets/matrix.ts'
import { adan, ademamix, adopt, prodigy } from '../presets/modern.ts'
import type { Link, Parameter } from '../types.ts'
import type { OptionReader } from './options.ts'

const common = (o: OptionReader, lr: number) => {
  o.ignore('foreach')
  return { lr: o.number('lr', lr), maximize: o.flag('maximize', false) }
}

/** weight_decay, weight_decouple, fixed_decay. */
const decayOf = (o: OptionReader, decoupled: boolean, rate = 0) => {
  const fixed = o.flag('fixed_decay', false)
  const decay: DecayOptions['decay'] = o.flag('weight_decouple', decoupled)
    ? fixed
      ? 'independent'
      : 'decoupled'
    : 'l2'
  return { weightDecay: o.number('weight_decay', rate), decay }
}

const adanormOf = (o: OptionReader) => {
  const rate = o.number('adanorm_r', o.number('r', 0.95))
  return o.flag('adanorm', false) ? { adanorm: rate } : {}
}

const rectifyOf = (o: OptionReader, sgd: boolean) => ({
  rectify: o.flag('rectify', false),
  threshold: o.number('n_sma_threshold', 5),
  warmup: o.flag('degenerated_to_sgd', sgd) ? ('sgd' as const) : ('skip' as const),
})

/** kozistr's pytorch_optimizer by class name: its options and defaults in ours. */
export const kozistrOptimizers: Record<string, (o: OptionReader) => Recipe> = {
  AdaBelief: (o) =>
    adabelief({
      ...common(o, 1e-3),
      ...decayOf(o, true),
      ...rectifyOf(o, true),
      ...adanormOf(o),
      betas: o.pair('betas', [0.9, 0.999]),
      eps: o.number('eps', 1e-16),
      amsgrad: o.flag('ams_bound', false),
      correctFirst: !o.flag('adam_debias', false),
    }),

  Adan: (o) => {
    const most = o.number('max_grad_norm', 0)
    if (o.flag('use_gc', false))
      throw new UnsupportedError(
        'Adan with use_gc starts from a gradient difference of a defect, which is not reproduced',
      )
    const eps = o.number('eps', 1e-8)
    const { links, ...rest } = adan({
      ...common(o, 1e-3),
      ...adanormOf(o),
      betas: o.triple('betas', [0.98, 0.92, 0.99]),
      eps,
      weightDecay: o.number('weight_decay', 0),
      decay: o.flag('weight_decouple', false) ? 'decoupled' : 'proximal',
    })
    return optimizer(most > 0 ? [clipNorm(most, { eps }), ...links] : links, rest)
  },

  AdEMAMix: (o) => {
    const warmup = o.optional('t_alpha_beta3')
    return ademamix({
      ...common(o, 1e-3),
      ...decayOf(o, false),
      betas: o.triple('betas', [0.9, 0.999, 0.9999]),
      alpha: o.number('alpha', 5),
      eps: o.number('eps', 1e-8),
      cautious: o.flag('cautious', false),
      stable: o.flag('stable_adamw', false),
      correctSlow: true,
      ...(warmup !== undefined && { warmup }),
    })
  },

  ADOPT: (o) =>
    adopt({
      ...common(o, 1e-3),
      ...decayOf(o, false),
      betas: o.pair('betas', [0.9, 0.9999]),
      eps: o.number('eps', 1e-6),
      cautious: o.flag('cautious', false),
      stable: o.flag('stable_adamw', false),
    }),

  Lamb: (o) => lamb(o),
  Lion: (o) => lion(o),
  MARS: (o) => mars(o),

  Prodigy: (o) => {
    const fixed = o.flag('fixed_decay', false)
    // Undecoupled decay reaches the gradient after the moments were taken, and so does nothing.
    const rate = o.number('weight_decay', 0) * (o.flag('weight_decouple', true) ? 1 : 0)
    const growthRate = o.number('growth_rate', Number.POSITIVE_INFINITY)
    const beta3 = o.optional('beta3')
    return prodigy({
      ...common(o, 1),
      betas: o.pair('betas', [0.9, 0.999]),
      eps: o.nullable('eps', 1e-8),
      d0: o.number('d0', 1e-6),
      dCoefficient: o.number('d_coef', 1),
      growthRate,
      biasCorrection: o.flag('bias_correction', false),
      safeguardWarmup: o.flag('safeguard_warmup', false),
      weightDecay: rate,
      decay: fixed ? 'independent' : 'scaled',
      ...(beta3 !== undefined && { beta3 }),
    })
  },

  SOAP: (o) => {
    const shampoo = o.optional('shampoo_beta')
    o.ignore('data_format')
    return soap({
      ...common(o, 3e-3),
      betas: o.pair('betas', [0.95, 0.95]),
      eps: o.number('eps', 1e-8),
      weightDecay: o.number('weight_decay', 0.01),
      frequency: o.number('precondition_frequency', 10),
      longest: o.number('max_precondition_dim', 10_000),
      mergeAxes: o.flag('merge_dims', false),
      vectors: o.flag('precondition_1d', false),
      correct: o.flag('correct_bias', true),
      normalize: o.flag('normalize_gradient', false),
      compat: 'decay-only-when-moving',
      ...(shampoo !== undefined && { covarianceBeta: shampoo }),
    })
  },
}

/** Its decay comes before the trust ratio, which counts weights' norms up to 10 and takes the update's without bias correction. */
const lamb = (o: OptionReader): Recipe => {
  const { rectify, ...radam } = rectifyOf(o, false)
  const base = common(o, 1e-3)
  const most = o.number('max_grad_norm', 1)
  const eps = o.number('eps', 1e-6)
  const decay = decayOf(o, true)
  const moments = { betas: o.pair('betas', [0.9, 0.999]), eps }
  const sumFirst = !o.flag('grad_averaging', true)
  const adanorm = adanormOf(o)
  const first = o.flag('adam_debias', false) ? 'none' : 'first'
  const adapt = rectify
    ? radamScaling({ ...moments, ...radam })
    : adamScaling({ ...moments, ...adanorm, sumFirst, correct: first, epsOn: 'raw' })
  if (rectify && (sumFirst || first === 'none' || adanorm.adanorm !== undefined))
    throw new UnsupportedError('Lamb with rectify and grad_averaging, adam_debias or adanorm changed is not reproduced')
  const shrink = weightDecay(decay.decay === 'decoupled' ? { ...decay, decay: 'before' } : decay)
  const ratio = rectify
    ? trustRatio({ most: 10, eps, compat: 'lamb-moved-norm' })
    : trustRatio({ most: 10, eps, uncorrected: true })
  const coupled = decay.decay === 'l2' && !rectify
  return optimizer(
    [
      ...(o.flag('pre_norm', false) && most > 0 ? [clipNorm(most, { eps })] : []),
      ...(decay.decay === 'l2' ? [] : [shrink]),
      adapt,
      ...(coupled ? [weightDecay({ weightDecay: decay.weightDecay, compat: 'decay-times-step-size' })] : []),
      ...(o.flag('adam', false) ? [] : [ratio]),
    ],
    base,
  )
}

const lion = (o: OptionReader): Recipe => {
  const step = lionScaling({ betas: o.pair('betas', [0.9, 0.99]), ...adanormOf(o) })
  const centred = o.flag('use_gc', false) ? [centralize({ axes: 'ndim' })] : []
  const steps = o.flag('cautious', false) ? cautious(step) : [step]
  return optimizer([...centred, ...withDecay(decayOf(o, true), steps)], common(o, 1e-4))
}

/**
 * Matrices and convolutions go through the corrected gradient, vectors (unless optimize_1d) through plain AdamW. The
 * recorded version takes weight_decay_1d and never looks at it.
 */
const mars = (o: OptionReader): Recipe => {
  o.ignore('weight_decay_1d')
  const base = common(o, 3e-3)
  const betas = o.pair('betas', [0.95, 0.99])
  const flatBetas = o.pair('betas_1d', [0.9, 0.95])
  const flatRate = o.number('lr_1d', 3e-3)
  const decay = decayOf(o, true)
  const moments = {
    eps: o.number('eps', 1e-8),
    amsgrad: o.flag('ams_bound', false),
    epsOn: 'raw',
    epsRoot: 1e-15,
  } as const
  const careful = o.flag('cautious', false)
  const type = o.word('mars_type', 'adamw')
  const correction = marsCorrection({ beta1: betas[0], gamma: o.number('gamma', 0.025) })
  const masked = (...links: Link[]) => (careful ? cautious(...links) : links)
  const corrected: Record<string, Link[]> = {
    adamw: masked(correction, adamScaling({ ...moments, betas })),
    lion: [...masked(correction, momentum({ momentum: betas[0], kind: 'average' })), sign],
  }
  const chosen = corrected[type]
  if (!chosen) throw new UnsupportedError(`MARS of type '${type}' is not reproduced`)

  const all = o.flag('optimize_1d', false)
  const first = (p: Parameter) => all || p.dims.length >= 2
  const second = (p: Parameter) => !first(p)
  // Undecoupled decay reaches the gradient after the moments were taken: it shows only in the next difference.
  const shrink = decay.decay === 'l2' ? decayIntoPrevious(decay.weightDecay) : weightDecay(decay)
  return optimizer(
    [
      ...chosen.map((link) => only(first, link)),
      ...masked(adamScaling({ ...moments, betas: flatBetas })).map((link) => only(second, link)),
      shrink,
      only(second, scale(flatRate / (base.lr || 1))),
    ],
    base,
  )
}

const decayIntoPrevious = (rate: number): Link => ({
  name: 'decay',
  update({ parameter: { values: p }, peers }) {
    const previous = peers.find((slots) => slots.previous)?.previous
    if (previous) for (let i = 0; i < p.length; i++) previous[i]! += rate * p[i]!
  },
})
