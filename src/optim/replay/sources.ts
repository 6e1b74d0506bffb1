import { own, UnsupportedError } from '../../base/index.ts'
import { only } from '../groups.ts'
import { lookahead } from '../links/lookahead.ts'
import { optimizer, type Recipe } from '../optimizer.ts'
import { muon } from '../presets/matrix.ts'
import { radam, ranger } from '../presets/ranger.ts'
import { scheduleFreeAdamw, scheduleFreeRadam, scheduleFreeSgd } from '../presets/schedule-free.ts'
import type { Link, Parameter } from '../types.ts'
import { kozistrOptimizers } from './kozistr.ts'
import { type OptionReader, optionReader } from './options.ts'
import { torchOptimizers } from './torch.ts'

/** How a source is recognised by what a trace says of it, and what of ours it is. */
type Source = { readonly pattern: RegExp; readonly recipe: (o: OptionReader, match: string) => Recipe }

const sources: readonly Source[] = [
  { pattern: /michaelrzhang.*over torch (\w+)/, recipe: (o, inner) => zhangLookahead(o, inner) },
  { pattern: /torch\.optim\.(\w+)/, recipe: (o, name) => named(torchOptimizers, `torch.optim.${name}`, name)(o) },
  {
    pattern: /pytorch_optimizer (\w+)/,
    recipe: (o, name) => named(kozistrOptimizers, `kozistr/pytorch_optimizer ${name}`, name)(o),
  },
  {
    pattern: /schedule_free (\w+)/,
    recipe: (o, name) => named(scheduleFreeOptimizers, `facebookresearch/schedule_free ${name}`, name)(o),
  },
  { pattern: /KellerJordan\/Muon SingleDeviceMuon/, recipe: (o) => muonPy(o) },
  { pattern: /ranger2020\.py/, recipe: (o) => ranger2020(o, true, true) },
  { pattern: /Gradient-Centralization.*Ranger/, recipe: (o) => ranger2020(o, false, false) },
  { pattern: /Ranger.*ranger\.py/, recipe: (o) => rangerPy(o) },
  { pattern: /LiyuanLucasLiu\/RAdam/, recipe: (o) => radamPy(o) },
]

/**
 * The optimizer a trace was recorded with, from its source's name and options alone.
 * @throws UnsupportedError for a source or option there is no translation of.
 */
export const recipeFor = (source: string, options: Readonly<Record<string, unknown>>): Recipe => {
  for (const { pattern, recipe } of sources) {
    const match = pattern.exec(source)
    if (!match) continue
    const o = optionReader(source, options)
    const made = recipe(o, match[1] ?? '')
    o.done()
    return made
  }
  throw new UnsupportedError(`no optimizer is known for the source '${source}'`)
}

const named = <T>(table: Readonly<Record<string, T>>, source: string, name: string): T => {
  const found = own(table, name)
  if (!found)
    throw new UnsupportedError(`no optimizer is known for the source '${source}'`, {
      remedy: `known are ${Object.keys(table).join(', ')}`,
    })
  return found
}

const rangerCommon = (o: OptionReader) => ({
  lr: o.number('lr', 1e-3),
  alpha: o.number('alpha', 0.5),
  k: o.number('k', 6),
  threshold: o.number('N_sma_threshhold', 5),
  inclusive: false,
  betas: o.pair('betas', [0.95, 0.999]),
  eps: o.number('eps', 1e-5),
  weightDecay: o.number('weight_decay', 0),
  convOnly: o.flag('gc_conv_only', false),
  axes: 'ndim' as const,
})

/** lessw2020's ranger.py, which never looks at its use_gc. */
const rangerPy = (o: OptionReader): Recipe => {
  o.ignore('use_gc')
  return ranger({ ...rangerCommon(o), gc: 'gradient', compat: 'radam-never-adapts' })
}

/** lessw2020's ranger2020.py and the same code in the GC repository, which differ in their defaults. */
const ranger2020 = (o: OptionReader, useGc: boolean, gcLoc: boolean): Recipe => {
  const use = o.flag('use_gc', useGc)
  const first = o.flag('gc_loc', gcLoc)
  return ranger({
    ...rangerCommon(o),
    gc: use && (first ? 'gradient' : 'update'),
    compat: ['radam-never-adapts', 'decay-times-step-size', 'decay-is-centralized', 'warm-up-overwrites-momentum'],
  })
}

/** RAdam's authors' radam.py. */
const radamPy = (o: OptionReader): Recipe =>
  radam({
    lr: o.number('lr', 1e-3),
    betas: o.pair('betas', [0.9, 0.999]),
    eps: o.number('eps', 1e-8),
    weightDecay: o.number('weight_decay', 0),
    warmup: o.flag('degenerated_to_sgd', false) ? 'sgd' : 'skip',
    compat: ['radam-never-adapts', 'decay-only-when-moving'],
  })

/** michaelrzhang's lookahead_pytorch.py over a torch optimizer; its pull-back reaches only SGD's momentum. */
const zhangLookahead = (o: OptionReader, inner: string): Recipe => {
  const slow = lookahead({
    k: o.number('la_steps', 5),
    alpha: o.number('la_alpha', 0.8),
    pullback: pullbackOf(o.word('pullback_momentum', 'none').toLowerCase(), inner),
    compat: 'lookahead-aliased-pullback',
  })
  const { links, ...options } = named(torchOptimizers, `torch ${inner}`, inner)(o)
  return optimizer([...links, slow], options)
}

/** facebookresearch/schedule_free by class name. */
const scheduleFreeCommon = (o: OptionReader, lr: number) => {
  o.ignore('foreach')
  return {
    lr: o.number('lr', lr),
    weightDecay: o.number('weight_decay', 0),
    power: o.number('r', 0),
    ratePower: o.number('weight_lr_power', 2),
  }
}

const scheduleFreeOptimizers: Record<string, (o: OptionReader) => Recipe> = {
  SGDScheduleFree: (o) =>
    scheduleFreeSgd({
      ...scheduleFreeCommon(o, 1),
      momentum: o.number('momentum', 0.9),
      warmupSteps: o.number('warmup_steps', 0),
    }),
  AdamWScheduleFree: (o) =>
    scheduleFreeAdamw({
      ...scheduleFreeCommon(o, 0.0025),
      betas: o.pair('betas', [0.9, 0.999]),
      eps: o.number('eps', 1e-8),
      warmupSteps: o.number('warmup_steps', 0),
    }),
  RAdamScheduleFree: (o) =>
    scheduleFreeRadam({
      ...scheduleFreeCommon(o, 0.0025),
      betas: o.pair('betas', [0.9, 0.999]),
      eps: o.number('eps', 1e-8),
      warmup: o.flag('silent_sgd_phase', true) ? 'skip' : 'sgd',
      cautious: o.flag('cautious', false),
    }),
}

/** KellerJordan's SingleDeviceMuon, in bfloat16 throughout. The recorded runs give it tensors of two and four axes only. */
const muonPy = (o: OptionReader): Recipe => {
  const recipe = muon({
    lr: o.number('lr', 0.02),
    momentum: o.number('momentum', 0.95),
    weightDecay: o.number('weight_decay', 0),
    precision: 'bfloat16',
    compat: 'muon-kernel-ratio',
  })
  const given = ({ dims }: Parameter) => dims.length === 2 || dims.length === 4
  const still: Link = { name: 'still', applies: (p) => !given(p), apply: () => {} }
  return optimizer([...recipe.links.map((link) => only(given, link)), still], { lr: recipe.lr })
}

const pullbackOf = (word: string, inner: string) =>
  inner !== 'SGD' || word === 'none' ? 'none' : word === 'reset' ? 'reset' : 'average'
