import { UsageError } from '../../base/index.ts'
import { type Compat, compats } from '../compat.ts'
import type { DecayOptions } from '../links/decay.ts'
import type { OptimizerOptions, Recipe } from '../optimizer.ts'
import * as adams from './adam.ts'
import { type Field, type Fields, flag, number, oneOf, pair, readOptions, triple } from './fields.ts'
import * as matrix from './matrix.ts'
import * as modern from './modern.ts'
import { type ModernRangerOptions, modernRanger } from './modern-ranger.ts'
import * as rangers from './ranger.ts'
import * as free from './schedule-free.ts'
import { type SgdOptions, sgd } from './sgd.ts'

/** A preset as the command line and run files know it. */
export type Preset = {
  /** Where it comes from. */
  readonly paper: string
  /** The options it takes as plain data, with what they hold. */
  readonly options: Readonly<Record<string, string>>
  /**
   * The recipe from plain data (numbers may be text) and what is not plain: schedule and groups.
   * @throws UsageError naming a wrong option.
   */
  make(options: Readonly<Record<string, unknown>>, more?: Pick<OptimizerOptions, 'schedule' | 'groups'>): Recipe
}

const isCompat = (name: unknown): name is Compat => typeof name === 'string' && Object.hasOwn(compats, name)

const compat: Field<readonly Compat[]> = {
  kind: `one or more of ${Object.keys(compats).join(', ')}`,
  parse(value) {
    const names: unknown = typeof value === 'string' ? value.split(',') : value
    return Array.isArray(names) && names.every(isCompat) ? names : undefined
  },
}

const common: Fields<OptimizerOptions & DecayOptions> = {
  lr: number,
  maximize: flag,
  weightDecay: number,
  decay: oneOf('decoupled', 'l2', 'independent', 'proximal', 'scaled', 'before', 'after'),
  compat,
}

const sgdFields: Fields<SgdOptions> = { ...common, momentum: number, nesterov: flag, dampening: number }
const adaptive = { betas: pair, eps: number }
const adam: Fields<adams.AdamOptions> = {
  ...common,
  ...adaptive,
  amsgrad: flag,
  correct: oneOf('both', 'first', 'second', 'none'),
  epsOn: oneOf('corrected', 'raw'),
  epsRoot: number,
  softplus: number,
  sumFirst: flag,
  adanorm: number,
}
const radam: Fields<rangers.RadamOptions> = {
  ...common,
  ...adaptive,
  threshold: number,
  inclusive: flag,
  warmup: oneOf('sgd', 'skip'),
  epsOn: oneOf('raw', 'corrected'),
}
const slow = {
  k: number,
  alpha: number,
  outer: oneOf('average', 'nesterov', 'ema'),
  outerMomentum: number,
  pullback: oneOf('none', 'reset', 'average'),
}
const centre = { convOnly: flag, embeddings: flag, axes: oneOf('role', 'ndim') }
const averaging = { warmupSteps: number, power: number, ratePower: number, cautious: flag }

const preset = <O>(
  paper: string,
  make: (options: Partial<O>) => Recipe,
  fields: Fields<O>,
): ((name: string) => Preset) => {
  const options: Record<string, string> = {}
  for (const key in fields) options[key] = fields[key]?.kind ?? ''
  return (name) => ({
    paper,
    options,
    make: (given, more = {}) => make({ ...readOptions(`the optimizer ${name}`, fields, given), ...more }),
  })
}

const named = (entries: Record<string, (name: string) => Preset>): Readonly<Record<string, Preset>> =>
  Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, entry(name)]))

/** Every preset by name. Here SGD has a momentum of 0.9 unless told otherwise. */
export const optimizers: Readonly<Record<string, Preset>> = named({
  sgd: preset<SgdOptions>(
    'Robbins and Monro 1951; Sutskever et al., ICML 2013',
    (o) => sgd({ momentum: 0.9, ...o }),
    sgdFields,
  ),
  nesterov: preset<SgdOptions>(
    'Nesterov 1983; Sutskever et al., ICML 2013',
    (o) => sgd({ momentum: 0.9, nesterov: true, ...o }),
    sgdFields,
  ),
  adam: preset<adams.AdamOptions>('Kingma and Ba, ICLR 2015', adams.adam, adam),
  amsgrad: preset<adams.AdamOptions>('Reddi, Kale, Kumar, ICLR 2018', adams.amsgrad, adam),
  adamw: preset<adams.AdamOptions>('Loshchilov and Hutter, ICLR 2019', adams.adamw, adam),
  nadam: preset<adams.NadamOptions>('Dozat, ICLR 2016 workshop', adams.nadam, {
    ...common,
    ...adaptive,
    momentumDecay: number,
  }),
  adamax: preset<Parameters<typeof adams.adamax>[0] & object>('Kingma and Ba, ICLR 2015', adams.adamax, {
    ...common,
    ...adaptive,
  }),
  adagrad: preset<Parameters<typeof adams.adagrad>[0] & object>('Duchi, Hazan, Singer, JMLR 2011', adams.adagrad, {
    ...common,
    eps: number,
    rateDecay: number,
    initial: number,
  }),
  adadelta: preset<Parameters<typeof adams.adadelta>[0] & object>('Zeiler 2012', adams.adadelta, {
    ...common,
    rho: number,
    eps: number,
  }),
  rmsprop: preset<adams.RmspropOptions>('Tieleman and Hinton 2012', adams.rmsprop, {
    ...common,
    rho: number,
    eps: number,
    centered: flag,
    momentum: number,
  }),
  radam: preset<rangers.RadamOptions>('Liu et al., ICLR 2020', rangers.radam, radam),
  ranger: preset<rangers.RangerOptions>('Wright 2019–2020; Liu et al.; Zhang et al.; Yong et al.', rangers.ranger, {
    ...radam,
    ...slow,
    ...centre,
    gc: oneOf('update', 'gradient', false),
  }),
  ranger21: preset<rangers.Ranger21Options>('Wright and Demeure 2021', rangers.ranger21, {
    lr: number,
    ...adaptive,
    ...slow,
    convOnly: flag,
    embeddings: flag,
    weightDecay: number,
    normLoss: number,
    noise: number,
    softplus: number,
    amsgrad: flag,
    clipping: number,
  }),
  'modern-ranger': preset<ModernRangerOptions>(
    'our own: Jordan et al. 2024; Liu et al. 2020 and 2025; Yong et al. 2020; Liang et al. 2024; Zhang et al. 2019',
    modernRanger,
    {
      ...radam,
      ...slow,
      convOnly: flag,
      matrices: oneOf('adaptive', 'orthogonal'),
      rectify: flag,
      gc: flag,
      cautious: flag,
    },
  ),
  adabelief: preset<Parameters<typeof adams.adabelief>[0] & object>('Zhuang et al., NeurIPS 2020', adams.adabelief, {
    ...common,
    ...adaptive,
    amsgrad: flag,
    rectify: flag,
    threshold: number,
    warmup: oneOf('sgd', 'skip'),
    adanorm: number,
  }),
  lamb: preset<Parameters<typeof modern.lamb>[0] & object>('You et al., ICLR 2020', modern.lamb, {
    ...adam,
    most: number,
    uncorrected: flag,
  }),
  lion: preset<Parameters<typeof modern.lion>[0] & object>('Chen et al., NeurIPS 2023', modern.lion, {
    ...common,
    betas: pair,
    cautious: flag,
    adanorm: number,
  }),
  adan: preset<Parameters<typeof modern.adan>[0] & object>('Xie et al. 2022', modern.adan, {
    ...common,
    betas: triple,
    eps: number,
    adanorm: number,
  }),
  ademamix: preset<Parameters<typeof modern.ademamix>[0] & object>('Pagliardini et al., ICLR 2025', modern.ademamix, {
    ...common,
    betas: triple,
    eps: number,
    alpha: number,
    warmup: number,
    cautious: flag,
    stable: flag,
    correctSlow: flag,
  }),
  adopt: preset<Parameters<typeof modern.adopt>[0] & object>('Taniguchi et al., NeurIPS 2024', modern.adopt, {
    ...common,
    ...adaptive,
    cautious: flag,
    stable: flag,
  }),
  mars: preset<Parameters<typeof modern.mars>[0] & object>('Yuan et al. 2024', modern.mars, {
    ...adam,
    gamma: number,
    cautious: flag,
  }),
  prodigy: preset<Parameters<typeof modern.prodigy>[0] & object>('Mishchenko and Defazio, ICML 2024', modern.prodigy, {
    ...common,
    betas: pair,
    beta3: number,
    eps: number,
    d0: number,
    dCoefficient: number,
    growthRate: number,
    biasCorrection: flag,
    safeguardWarmup: flag,
  }),
  muon: preset<matrix.MuonOptions>('Jordan et al. 2024', matrix.muon, {
    ...common,
    momentum: number,
    nesterov: flag,
    iterations: number,
    precision: oneOf('float32', 'bfloat16'),
    scaling: oneOf('spectral', 'rms'),
  }),
  soap: preset<Parameters<typeof matrix.soap>[0] & object>('Vyas et al., ICLR 2025', matrix.soap, {
    ...common,
    ...adaptive,
    covarianceBeta: number,
    frequency: number,
    longest: number,
    vectors: flag,
    mergeAxes: flag,
    correct: flag,
    normalize: flag,
  }),
  'schedule-free-sgd': preset<free.ScheduleFreeSgdOptions>('Defazio et al., NeurIPS 2024', free.scheduleFreeSgd, {
    ...common,
    ...averaging,
    momentum: number,
  }),
  'schedule-free-adamw': preset<free.ScheduleFreeAdamOptions>('Defazio et al., NeurIPS 2024', free.scheduleFreeAdamw, {
    ...common,
    ...averaging,
    ...adaptive,
  }),
  'schedule-free-radam': preset<free.ScheduleFreeRadamOptions>('Defazio et al., NeurIPS 2024', free.scheduleFreeRadam, {
    ...common,
    ...averaging,
    ...adaptive,
    warmup: oneOf('skip', 'sgd'),
  }),
})

/**
 * A preset by name.
 * @throws UsageError listing the known ones.
 */
export const presetOf = (name: string): Preset => {
  const found = Object.hasOwn(optimizers, name) ? optimizers[name] : undefined
  if (!found)
    throw new UsageError(`there is no optimizer '${name}'`, {
      remedy: `known are ${Object.keys(optimizers).join(', ')}`,
    })
  return found
}

/** What is given to a preset by name: its own options as plain data, and a schedule or groups. */
export type NamedOptions = Readonly<Record<string, unknown>> & Pick<OptimizerOptions, 'schedule' | 'groups'>

/**
 * The recipe of a preset by name.
 * @throws UsageError for an unknown name or option, listing the known ones.
 */
export const optimizerNamed = (name: string, { schedule, groups, ...options }: NamedOptions = {}): Recipe =>
  presetOf(name).make(options, { ...(schedule && { schedule }), ...(groups && { groups }) })
