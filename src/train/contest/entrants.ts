import { UsageError } from '../../base/index.ts'
import {
  cautious,
  centralize,
  type Link,
  lookahead,
  optimizer,
  optimizerNamed,
  parseSchedule,
  presetOf,
  type Recipe,
} from '../../optim/index.ts'

/** An optimizer that takes part, its rate and schedule left open. */
export type Entrant = {
  /** As a table shows it: `ranger`, with its options `ranger:gc=false`, with a link more `gc+nesterov`. */
  readonly name: string
  /** Where the search for its rate begins: the preset's own. */
  readonly rate: number
  recipe(setting: Setting, steps: number): Recipe
}

/** What is tuned for every entrant alike. */
export type Setting = { readonly rate: number; readonly schedule: string }

/** What can be put round any preset's chain, by name. */
const around: Readonly<Record<string, (links: readonly Link[]) => readonly Link[]>> = {
  gc: (links) => [centralize(), ...links],
  lookahead: (links) => [...links, lookahead({ k: 6 })],
  cautious: (links) => cautious(...links),
}

/**
 * An entrant from text: a preset's name, options that stay fixed behind colons, and links put round it before a plus, as in
 * `ranger:gc=false:k=5` or `gc+nesterov`.
 * @throws UsageError for an unknown preset, option or link.
 */
export const entrantOf = (text: string): Entrant => {
  const parts = text.split('+')
  const [name = '', ...given] = (parts.pop() ?? '').split(':')
  const options = Object.fromEntries(given.map((option) => readOption(option, text)))
  const wraps = parts.map((wrap) => {
    const found = Object.hasOwn(around, wrap) ? around[wrap] : undefined
    if (!found)
      throw new UsageError(`'${wrap}' of '${text}' is no link to put round an optimizer`, {
        remedy: `use ${Object.keys(around).join(', ')}`,
      })
    return found
  })
  return {
    name: text,
    rate: presetOf(name).make(options).lr,
    recipe({ rate, schedule }, steps) {
      const recipe = optimizerNamed(name, { ...options, lr: rate, schedule: parseSchedule(schedule, { steps }) })
      if (wraps.length === 0) return recipe
      const links = wraps.reduceRight((inner, wrap) => wrap(inner), recipe.links)
      return optimizer(links, { lr: rate, ...(recipe.schedule && { schedule: recipe.schedule }) })
    },
  }
}

const readOption = (option: string, text: string): [string, string] => {
  const [key = '', value, ...more] = option.split('=')
  if (value === undefined || more.length > 0)
    throw new UsageError(`'${option}' of '${text}' is no option`, { remedy: 'write NAME:OPTION=VALUE:OPTION=VALUE' })
  if (key === 'lr') throw new UsageError(`'${text}' fixes the rate, which is tuned`, { remedy: 'leave lr away' })
  return [key, value]
}

/** Those that a new optimizer must be measured against, and the Rangers. Decay is each one's usual. */
export const standardField: readonly string[] = [
  'nesterov:weightDecay=5e-4',
  'adamw',
  'nadam:weightDecay=0.01',
  'radam',
  'ranger',
  'ranger21',
  'lion',
  'modern-ranger',
]

/** A part put in or left out: `variant` differs from `base` by it alone. */
export type Ablation = { readonly what: string; readonly base: string; readonly variant: string }

/** Ranger's parts, and the same parts on plainer optimizers. */
export const ablations: readonly Ablation[] = [
  { what: 'Ranger without centralization', base: 'ranger', variant: 'ranger:gc=false' },
  { what: 'Ranger, centralization on the gradient', base: 'ranger', variant: 'ranger:gc=gradient' },
  { what: 'Ranger without Lookahead (k = 1, α = 1)', base: 'ranger', variant: 'ranger:k=1:alpha=1' },
  { what: 'Ranger, threshold 4', base: 'ranger', variant: 'ranger:threshold=4' },
  { what: 'Ranger standing still below the threshold', base: 'ranger', variant: 'ranger:warmup=skip' },
  { what: 'RAdam, threshold 4', base: 'radam', variant: 'radam:threshold=4' },
  { what: 'RAdam standing still below the threshold', base: 'radam', variant: 'radam:warmup=skip' },
  {
    what: 'SGD-Nesterov with centralization',
    base: 'nesterov:weightDecay=5e-4',
    variant: 'gc+nesterov:weightDecay=5e-4',
  },
  { what: 'AdamW with centralization', base: 'adamw', variant: 'gc+adamw' },
  { what: 'AdamW with Lookahead', base: 'adamw', variant: 'lookahead+adamw' },
  { what: 'NAdamW with Lookahead', base: 'nadam:weightDecay=0.01', variant: 'lookahead+nadam:weightDecay=0.01' },
  { what: 'Ranger, cautious', base: 'ranger', variant: 'cautious+ranger' },
  ...[
    { what: 'with RAdam in place of Adam', option: 'rectify=true' },
    { what: 'without centralization', option: 'gc=false' },
    { what: 'with cautious masking', option: 'cautious=true' },
    { what: 'without Lookahead', option: 'k=1:alpha=1' },
  ].map(({ what, option }) => ({
    what: `Modern Ranger ${what}`,
    base: 'modern-ranger',
    variant: `modern-ranger:${option}`,
  })),
]
