import { UsageError } from '../base/index.ts'
import type { Arguments } from './arguments.ts'
import type { Option, Options } from './options.ts'

/**
 * When flags have an effect. A condition is `FLAG` (its value is another than its default), `FLAG=VALUE` (its value is
 * VALUE, or begins with it where VALUE ends with a colon), or a word that the command's first argument must be. A flag that
 * is given without effect would mislead whoever reads the command, so it is refused.
 */
export type Effect<Flag extends string = string> = {
  readonly flags: readonly Flag[]
  /** One of these conditions must hold. */
  readonly with?: readonly string[]
  /** None of these may hold. */
  readonly without?: readonly string[]
}

/** @throws UsageError for the first flag given that has no effect, naming the flags that are missing or in the way */
export const checkEffects = (effects: readonly Effect[], options: Options, read: Arguments): void => {
  for (const flag of read.given)
    for (const effect of effects) {
      if (!effect.flags.includes(flag)) continue
      const contradicting = effect.without?.find((condition) => holds(condition, options, read))
      if (contradicting !== undefined)
        throw new UsageError(`--${flag} has no effect with ${conditionText(contradicting, options)}`, {
          remedy: isWord(contradicting, options) ? `leave --${flag} away` : 'leave one of them away',
        })
      if (effect.with === undefined || effect.with.some((condition) => holds(condition, options, read))) continue
      const missing = effect.with.map((condition) => conditionText(condition, options)).join(' or ')
      throw new UsageError(`--${flag} has no effect without ${missing}`, {
        remedy: `give ${effect.with.length > 1 ? 'one of them' : 'it'}, or leave --${flag} away`,
      })
    }
}

/** What a condition is about. */
export const subjectOf = (condition: string): string => condition.split('=', 1)[0]!

const isWord = (condition: string, options: Options) => !Object.hasOwn(options, subjectOf(condition))

const holds = (condition: string, options: Options, { values, positionals }: Arguments): boolean => {
  const name = subjectOf(condition)
  if (isWord(condition, options)) return positionals[0] === name
  if (name === condition) return isOn(options[name]!, values[name])
  const wanted = condition.slice(name.length + 1)
  const value = values[name] === undefined ? '' : String(values[name])
  return wanted.endsWith(':') ? value.startsWith(wanted) : value === wanted
}

const isOn = (option: Option, value: unknown): boolean => {
  if (option.kind === 'flag') return value === true
  if (option.kind === 'list') return Array.isArray(value) && value.length > 0
  return value !== undefined && value !== option.default
}

const conditionText = (condition: string, options: Options): string => {
  if (isWord(condition, options)) return `'${condition}'`
  const name = subjectOf(condition)
  return name === condition ? `--${name}` : `--${name} ${condition.slice(name.length + 1).replace(/:$/, ':…')}`
}
