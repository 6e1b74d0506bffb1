import { UsageError } from '../../base/index.ts'
import { optimizerNamed, parseSchedule, presetOf, type Recipe } from '../../optim/index.ts'

/** An optimizer that takes part, its rate and schedule left open. */
export type Entrant = {
  /** As a table shows it: `ranger`, or with its options `ranger:gc=false`. */
  readonly name: string
  /** Where the search for its rate begins: the preset's own. */
  readonly rate: number
  recipe(setting: Setting, steps: number): Recipe
}

/** What is tuned for every entrant alike. */
export type Setting = { readonly rate: number; readonly schedule: string }

/**
 * An entrant from text: a preset's name and, behind colons, options that stay fixed, as in `ranger:gc=false:k=5`.
 * @throws UsageError for an unknown preset or option.
 */
export const entrantOf = (text: string): Entrant => {
  const [name = '', ...given] = text.split(':')
  const options = Object.fromEntries(
    given.map((option) => {
      const [key = '', value, ...more] = option.split('=')
      if (value === undefined || more.length > 0)
        throw new UsageError(`'${option}' of '${text}' is no option`, {
          remedy: 'write NAME:OPTION=VALUE:OPTION=VALUE',
        })
      return [key, value]
    }),
  )
  if ('lr' in options) throw new UsageError(`'${text}' fixes the rate, which is tuned`, { remedy: 'leave lr away' })
  return {
    name: text,
    rate: presetOf(name).make(options).lr,
    recipe: ({ rate, schedule }, steps) =>
      optimizerNamed(name, { ...options, lr: rate, schedule: parseSchedule(schedule, { steps }) }),
  }
}
