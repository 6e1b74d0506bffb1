import { UsageError } from '../../base/index.ts'
import { checkSpec } from '../../data/node.ts'
import { criteria, type Latency, type PlanOptions, type PlanSource, type Target } from '../../prune/index.ts'
import type { PruneSchedule } from '../../train/node.ts'
import type { Effect } from '../effects.ts'
import { lossEffects, lossOptions } from '../losses.ts'
import { limits, type Options, type Parsed } from '../options.ts'
import { runEffects, runOptions } from '../run-folder.ts'
import { optimizerOptions, stepOptions, trainingOptions } from '../runs.ts'
import { sampleEffects, sampleOptions } from '../samples.ts'
import { trainedOptions } from '../trained.ts'

export const pruneOptions = {
  out: {
    kind: 'text',
    value: 'FILE',
    help: 'the pruned (and, with --retrain, retrained) model; checkpoints of retraining are in FILE.run until it is written',
  },
  criterion: { kind: 'choice', among: Object.keys(criteria), help: 'what kernels are judged by', default: 'l1' },
  ratio: { kind: 'number', value: 'X', help: 'share of the units that goes, 0 to 1', min: 0, below: 1 },
  macs: {
    kind: 'number',
    value: 'N',
    help: 'multiply–accumulates to get down to; up to 1 a share of the original',
    above: 0,
  },
  params: { kind: 'number', value: 'N', help: 'the same for parameters', above: 0 },
  bytes: { kind: 'number', value: 'N', help: 'the same for the size of the file', above: 0 },
  latency: {
    kind: 'text',
    value: 'TIME',
    help: 'the same for the measured time of one run: a share such as 0.5, or a time such as 3ms, 800us or 0.5s',
    check: (text: string) => latencyFrom(text),
  },
  best: {
    kind: 'list',
    value: 'LAYER=N',
    help: "keeps a layer's N best kernels, as the article does",
    check: (text: string) => pair('best', text),
  },
  'layer-ratio': {
    kind: 'list',
    value: 'LAYER=X',
    help: 'a ratio of its own for a layer',
    check: (text: string) => pair('layer-ratio', text),
  },
  scope: {
    kind: 'choice',
    among: ['local', 'global', 'isomorphic'],
    help: 'what competes with what',
    default: 'local',
  },
  steps: {
    kind: 'number',
    value: 'N',
    help: 'rounds of pruning and retraining to get there',
    default: 1,
    min: 1,
    max: 1000,
    whole: true,
  },
  'prune-schedule': {
    kind: 'choice',
    among: ['one-shot', 'geometric', 'linear', 'agp'],
    help: 'how much of it goes in which round: all in the first, the same share of what is left, equal steps, or the cubic of AGP',
    default: 'geometric',
  },
  'round-to': {
    kind: 'text',
    value: 'N[:up|down|nearest]',
    help: 'widths of pruned layers are multiples of this, the nearest unless said',
    check: (text: string) => roundingFrom(text),
  },
  'max-ratio': {
    kind: 'number',
    value: 'X',
    help: 'no layer loses more than this share, in all rounds',
    min: 0,
    max: 1,
  },
  keep: { kind: 'list', value: 'PATTERN', help: 'layers that stay whole; what feeds them may still shrink' },
  'keep-inputs': { kind: 'flag', help: 'what feeds the layers of --keep stays whole too' },
  approximate: { kind: 'flag', help: 'also where removing is not quite masking (LayerNorm)' },
  absorb: {
    kind: 'choice',
    among: ['exact', 'all'],
    help: 'biases take over what removed kernels say at zero weights, exactly where no padding shows, or all',
  },
  plan: { kind: 'text', value: 'FILE', help: 'writes which units went' },
  verify: {
    kind: 'flag',
    help: 'proves that masked original and pruned model give the same, which is done anyway before a file is written; also in a dry run',
  },
  'no-verify': { kind: 'flag', help: 'writes without that proof' },
  'dry-run': { kind: 'flag', help: 'says what would go, without retraining, and writes nothing' },
  data: { kind: 'text', value: 'SPEC', help: 'what to retrain on; as in train', check: checkSpec },
  soft: {
    kind: 'number',
    value: 'EPOCHS',
    help: 'epochs before the cut of every round in which the weakest are set to zero and may recover',
    min: 1,
    max: limits.epochs,
    whole: true,
  },
  retrain: {
    kind: 'number',
    value: 'EPOCHS',
    help: 'epochs of retraining at a small rate after every round',
    default: 0,
    min: 0,
    max: limits.epochs,
  },
  'stop-loss': {
    kind: 'number',
    value: 'X',
    help: 'ends with the last round whose loss on validation samples is at most this',
    min: 0,
  },
  'stop-accuracy': {
    kind: 'number',
    value: 'X',
    help: 'ends with the last round whose accuracy on validation samples is at least this, 0 to 1',
    min: 0,
    max: 1,
  },
  ...trainingOptions,
  ...sampleOptions,
  ...runOptions,
} as const satisfies Options

export type PruneValues = Parsed<typeof pruneOptions>

type PruneFlag = keyof typeof pruneOptions

const flagsOf = <O extends Options>(options: O): readonly (keyof O & string)[] => Object.keys(options)

/** What trains, and what uses samples. */
const training = ['retrain', 'soft']
const sampling = [...training, 'stop-loss', 'stop-accuracy']

/** What is judged is so by the loss, too. */
const judging: readonly PruneFlag[] = ['loss', 'ignore-index']

const trainingFlags: readonly PruneFlag[] = [
  ...flagsOf(optimizerOptions),
  ...flagsOf(stepOptions),
  ...flagsOf(trainedOptions),
  ...flagsOf(lossOptions),
].filter((flag) => flag !== 'seed' && !judging.includes(flag))

export const pruneEffects: readonly Effect<PruneFlag>[] = [
  { flags: ['verify'], without: ['no-verify'] },
  { flags: ['keep-inputs'], with: ['keep'] },
  { flags: ['scope'], with: ['ratio', 'macs', 'params', 'bytes', 'latency'] },
  { flags: ['steps', 'soft', 'absorb', 'stop-loss', 'stop-accuracy'], without: ['latency'] },
  { flags: ['prune-schedule'], with: ['steps'] },
  { flags: ['data', ...judging, ...flagsOf(sampleOptions)], with: sampling },
  { flags: trainingFlags, with: training },
  { flags: ['resume', 'overwrite', 'checkpoint-every'], with: training },
  { flags: ['resume', 'overwrite', 'checkpoint-every'], without: ['dry-run'] },
  ...runEffects,
  ...sampleEffects,
  // Without --loss, the model's file may state another than the default.
  ...lossEffects.map((effect) => ({
    ...effect,
    ...(effect.with && { with: [...effect.with, `loss=${lossOptions.loss.default}`] }),
  })),
]

/** What the flags ask of a plan. @throws UsageError for flags that contradict each other or make no sense */
export const planOptionsFrom = (values: PruneValues, source: PlanSource): PlanOptions => {
  const target = targetFrom(values)
  return {
    criterion: values.criterion,
    seed: values.seed,
    source,
    scope: scopeOf(values.scope),
    keepBest: pairs('best', values.best),
    ratios: pairs('layer-ratio', values['layer-ratio']),
    keep: values.keep,
    keepInputs: values['keep-inputs'],
    approximate: values.approximate,
    ...(target && { target }),
    ...(values['round-to'] !== undefined && roundingFrom(values['round-to'])),
    ...(values['max-ratio'] !== undefined && { maxRatio: values['max-ratio'] }),
  }
}

const targetFrom = (values: PruneValues): Target | undefined => {
  const { ratio, macs, params, bytes, latency } = values
  const asked = Object.entries({ ratio, macs, params, bytes, latency }).filter(([, value]) => value !== undefined)
  if (asked.length > 1)
    throw new UsageError(`${asked.map(([name]) => `--${name}`).join(' and ')} are two targets`, { remedy: 'give one' })
  if (asked.length === 0 && values.best.length === 0 && values['layer-ratio'].length === 0)
    throw new UsageError('there is no target', {
      remedy: 'give --ratio, --macs, --params, --bytes, --latency, --best or --layer-ratio',
    })
  if (ratio !== undefined) return { ratio }
  if (macs !== undefined) return { macs }
  if (params !== undefined) return { params }
  return bytes === undefined ? undefined : { bytes }
}

const milliseconds: { readonly [unit: string]: number } = { us: 1e-3, µs: 1e-3, ms: 1, s: 1e3 }

/** `0.5` as a share, `3ms` as a time. */
export const latencyFrom = (text: string): Latency => {
  const [, digits = '', unit = ''] = /^\s*([\d.]+(?:e[+-]?\d+)?)\s*(us|µs|ms|s)?\s*$/i.exec(text) ?? []
  const number = digits === '' ? Number.NaN : Number(digits)
  const forms = 'give a share of the original’s time up to 1, such as 0.5, or a time such as 3ms, 800us or 0.5s'
  if (!(number > 0 && Number.isFinite(number)))
    throw new UsageError(`--latency ${text} makes no sense`, { remedy: forms })
  if (unit !== '') return { ms: number * milliseconds[unit.toLowerCase()]! }
  if (number > 1)
    throw new UsageError(`--latency ${text} is neither a share nor a time with its unit`, { remedy: forms })
  return { share: number }
}

const scopeOf = (text: string) => (text === 'global' || text === 'isomorphic' ? text : 'local')

export const scheduleOf = (text: string): PruneSchedule =>
  text === 'one-shot' || text === 'linear' || text === 'agp' ? text : 'geometric'

/** `8` or `8:up`. */
const roundingFrom = (text: string): Pick<PlanOptions, 'roundTo' | 'rounding'> => {
  const [, number, rounding] = /^(\d+)(?::(up|down|nearest))?$/.exec(text) ?? []
  if (number === undefined || Number(number) < 1)
    throw new UsageError(`--round-to ${text} makes no sense`, {
      remedy: 'give a whole number of at least 1, such as 8, 8:up or 8:down',
    })
  const way = rounding === 'up' || rounding === 'down' ? rounding : 'nearest'
  return { roundTo: Number(number), rounding: way }
}

/** `conv1=8` and the like as a table of patterns. */
const pairs = (flag: PairFlag, texts: readonly string[]): { [pattern: string]: number } => {
  const found = texts.map((text) => pair(flag, text))
  const names = found.map(([pattern]) => pattern)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new UsageError(`--${flag} names '${twice}' twice`, { remedy: 'name it once' })
  return Object.fromEntries(found)
}

type PairFlag = 'best' | 'layer-ratio'

const pair = (flag: PairFlag, text: string): [pattern: string, value: number] => {
  const at = text.lastIndexOf('=')
  const digits = text.slice(at + 1)
  const value = digits.trim() === '' ? Number.NaN : Number(digits)
  const fits = flag === 'best' ? Number.isSafeInteger(value) && value >= 1 : value >= 0 && value < 1
  if (at < 1 || !fits)
    throw new UsageError(`--${flag} ${text} makes no sense`, {
      remedy: `write --${flag} LAYER=NUMBER with ${flag === 'best' ? 'a whole number of at least 1' : 'a number of at least 0 and below 1'}`,
    })
  return [text.slice(0, at), value]
}
