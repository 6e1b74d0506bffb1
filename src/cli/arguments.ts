import { parseArgs } from 'node:util'
import { UsageError } from '../base/index.ts'
import { commonOptions, type Option, type Options } from './options.ts'
import { nearest } from './slips.ts'

/** A command line as it was read. */
export type Arguments = {
  readonly values: { readonly [name: string]: unknown }
  readonly positionals: readonly string[]
  /** The flags that were given, as opposed to those that have their default. */
  readonly given: ReadonlySet<string>
}

type Given = { readonly name: string; readonly value: string | undefined }

/**
 * Reads a command's arguments.
 * @throws UsageError naming the flag that is unknown, given twice, lacks a value or has one that makes no sense
 */
export const parseArguments = (args: readonly string[], options: Options): Arguments => {
  const all: Options = { ...commonOptions, ...options }
  const { flags, positionals } = split(args, all)
  const texts = new Map<string, (string | undefined)[]>()
  for (const { name, value } of flags) {
    const option = all[name]!
    const earlier = texts.get(name) ?? []
    if (earlier.length > 0 && option.kind !== 'list')
      throw new UsageError(`--${name} is given twice`, { remedy: 'give it once' })
    if (value?.trim() === '') throw new UsageError(`--${name} is empty`, { remedy: 'give it a value or leave it away' })
    texts.set(name, [...earlier, value])
  }
  const read = Object.entries(all).map(([name, option]) => [name, readValue(name, option, texts.get(name))])
  return { values: Object.fromEntries(read), positionals, given: new Set(texts.keys()) }
}

/** Whether an argument before `--` asks for a flag, by its name or its letter; for what must be known before all is read. */
export const asksFor = (flag: keyof typeof commonOptions, args: readonly string[]): boolean => {
  const end = args.indexOf('--')
  const before = end < 0 ? args : args.slice(0, end)
  return before.includes(`--${flag}`) || (flag === 'help' && before.includes('-h'))
}

/** Flags with their values, and what stands beside them. */
const split = (args: readonly string[], all: Options): { flags: Given[]; positionals: string[] } => {
  const config = Object.fromEntries(
    Object.entries(all).map(([name, { kind }]) => [
      name,
      { type: kind === 'flag' ? ('boolean' as const) : ('string' as const), multiple: true },
    ]),
  )
  const { tokens } = parseArgs({
    args: [...args],
    options: config,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const flags: Given[] = []
  const positionals: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const { name, rawName, value, inlineValue } = token
    if (!Object.hasOwn(all, name)) throw unknownFlag(args[token.index] ?? rawName, rawName, Object.keys(all))
    const isFlag = all[name]!.kind === 'flag'
    if (isFlag && value !== undefined)
      throw new UsageError(`--${name} takes no value`, { remedy: `write --${name} alone` })
    if (!isFlag && value === undefined)
      throw new UsageError(`--${name} lacks a value`, { remedy: `write --${name} ${usage(all[name]!)}` })
    if (!isFlag && inlineValue === false && /^-./.test(value ?? ''))
      throw new UsageError(`what follows --${name} begins with a dash`, {
        remedy: `give it a value; one that begins with a dash is written --${name}=${value}`,
      })
    flags.push({ name, value: isFlag ? undefined : value })
  }
  return { flags, positionals }
}

const usage = (option: Option): string =>
  option.kind === 'choice' ? option.among.join('|') : 'value' in option ? option.value : ''

const unknownFlag = (written: string, rawName: string, known: readonly string[]): UsageError => {
  const name = written.replace(/^-+/, '').replace(/=.*$/s, '')
  const meant = known.includes(name) ? name : nearest(name, known)
  return new UsageError(`there is no flag ${written.startsWith('--') ? rawName : written}`, {
    remedy: `${meant === undefined ? '' : `did you mean --${meant}? `}see --help for the flags there are`,
  })
}

const readValue = (name: string, option: Option, texts: readonly (string | undefined)[] = []): unknown => {
  const given = texts.flatMap((text) => (text === undefined ? [] : [text]))
  if (option.kind === 'flag') return texts.length > 0
  if ('check' in option) for (const text of given) option.check?.(text)
  if (option.kind === 'list') return given
  const [text] = given
  if (text === undefined) return option.default
  if (option.kind === 'choice' && !option.among.includes(text))
    throw new UsageError(`--${name} ${text} is not known`, { remedy: `use one of ${option.among.join(', ')}` })
  return option.kind === 'number' ? readNumber(name, option, text) : text
}

type NumberOption = Option & { kind: 'number' }

const readNumber = (name: string, option: NumberOption, text: string): number => {
  const number = Number(text)
  const { min = Number.NEGATIVE_INFINITY, above = Number.NEGATIVE_INFINITY, whole = false } = option
  const { max = Number.POSITIVE_INFINITY, below = Number.POSITIVE_INFINITY } = option
  const fits = number >= min && number > above && number <= max && number < below
  if (!Number.isFinite(number) || !fits || (whole && !Number.isSafeInteger(number)))
    throw new UsageError(`--${name} ${text} makes no sense`, { remedy: `give ${rangeText(option)}` })
  return number
}

/** 'a whole number of at least 1 and at most 100', 'a number above 0'. */
const rangeText = ({ whole = false, min, above, max, below }: NumberOption): string => {
  const what = `a ${whole ? 'whole ' : ''}number`
  const bounds = [
    ...(min === undefined ? [] : [`at least ${min}`]),
    ...(above === undefined ? [] : [`above ${above}`]),
    ...(max === undefined ? [] : [`at most ${max}`]),
    ...(below === undefined ? [] : [`below ${below}`]),
  ]
  return bounds.length === 0 ? what : `${what} ${bounds[0]!.startsWith('at') ? 'of ' : ''}${bounds.join(' and ')}`
}
