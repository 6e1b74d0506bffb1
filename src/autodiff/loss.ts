import { UsageError } from '../base/index.ts'
import { crossEntropy, distillation, divergence } from './losses/classes.ts'
import { tokenCrossEntropy } from './losses/tokens.ts'
import type { Loss, LossOptions, Rule } from './losses/types.ts'
import { binaryCrossEntropy, huber, meanSquaredError } from './losses/values.ts'

export type { Loss, LossOptions, Targets } from './losses/types.ts'

type Entry = { readonly rule: (options: LossOptions) => Rule; readonly takes: readonly (keyof LossOptions)[] }

const classOptions = ['labelSmoothing', 'classWeights', 'ignoreIndex'] as const

const losses = {
  'cross-entropy': { rule: crossEntropy, takes: classOptions },
  'token-cross-entropy': { rule: tokenCrossEntropy, takes: classOptions },
  bce: { rule: binaryCrossEntropy, takes: ['labelSmoothing', 'classWeights'] },
  mse: { rule: meanSquaredError, takes: [] },
  huber: { rule: huber, takes: ['delta'] },
  kl: { rule: divergence, takes: ['temperature'] },
  distillation: { rule: distillation, takes: ['temperature', 'weight', ...classOptions] },
} as const satisfies Record<string, Entry>

export type LossName = keyof typeof losses | `output:${string}`

/** The losses there are, beside `output:NAME`. */
export const lossNames: readonly string[] = Object.keys(losses)

/** The losses that take an option. */
export const lossesTaking = (option: keyof LossOptions): readonly string[] =>
  Object.entries<Entry>(losses).flatMap(([name, { takes }]) => (takes.includes(option) ? [name] : []))

const entryNamed = (name: string): Entry | undefined =>
  Object.entries<Entry>(losses).find(([known]) => known === name)?.[1]

/**
 * The loss of a name; `output:NAME` takes the network's own value NAME, a single number, as the loss.
 * @throws UsageError listing the names there are, or naming an option that the loss does not take or that makes no sense.
 */
export const lossNamed = (name: string, options: LossOptions = {}): Loss => {
  const value = /^output:(.+)$/s.exec(name)?.[1]
  const entry = value === undefined ? entryNamed(name) : { rule: () => scalarValue(value), takes: [] }
  if (!entry)
    throw new UsageError(`there is no loss '${name}'`, { remedy: `use one of ${lossNames.join(', ')} or output:NAME` })
  for (const [option, given] of Object.entries(options))
    if (given !== undefined && !entry.takes.some((taken) => taken === option))
      throw new UsageError(`the loss ${name} takes no ${wordsOf(option)}`, {
        remedy: 'leave it away or use another loss',
      })
  checkOptions(options)
  return { name, ...entry.rule(options) }
}

const scalarValue = (value: string): Rule => ({
  // Whether a network's own loss is a mean over its samples is not known.
  separable: false,
  scores: false,
  value,
  targets: () => ({}),
  build: (b) => b.op('Reshape', [value, b.ints([])]),
})

/** 'labelSmoothing' as 'label smoothing'. */
const wordsOf = (option: string) => option.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)

const checkOptions = ({
  labelSmoothing = 0,
  temperature = 1,
  weight = 0,
  delta = 1,
  classWeights = [],
}: LossOptions) => {
  const wrong = (what: string, remedy: string) => new UsageError(`${what} makes no sense`, { remedy })
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw wrong(`a label smoothing of ${labelSmoothing}`, 'give a number from 0 to 1')
  if (!(temperature > 0)) throw wrong(`a temperature of ${temperature}`, 'give a number above 0')
  if (!(weight >= 0 && weight <= 1)) throw wrong(`a teacher's share of ${weight}`, 'give a number from 0 to 1')
  if (!(delta > 0)) throw wrong(`a delta of ${delta}`, 'give a number above 0')
  const bad = classWeights.find((value) => !(value >= 0 && Number.isFinite(value)))
  if (bad !== undefined) throw wrong(`a class weight of ${bad}`, 'give numbers of 0 or more')
}
