import { parseArgs } from 'node:util'
import { messageOf, UsageError } from '../base/index.ts'

/** A flag of a command: what it takes and what it is for. */
export type Option =
  | { readonly kind: 'text'; readonly value: string; readonly help: string; readonly default?: string }
  | {
      readonly kind: 'number'
      readonly value: string
      readonly help: string
      readonly default?: number
      readonly min?: number
      readonly whole?: boolean
    }
  | { readonly kind: 'choice'; readonly among: readonly string[]; readonly help: string; readonly default?: string }
  /** May be given several times. */
  | { readonly kind: 'list'; readonly value: string; readonly help: string }
  | { readonly kind: 'flag'; readonly help: string }

export type Options = { readonly [name: string]: Option }

type ValueOf<O extends Option> = O extends { kind: 'flag' }
  ? boolean
  : O extends { kind: 'list' }
    ? readonly string[]
    : O extends { kind: 'number' }
      ? O extends { default: number }
        ? number
        : number | undefined
      : O extends { default: string }
        ? string
        : string | undefined

/** The values of a command's flags, typed by their table. */
export type Parsed<O extends Options> = { readonly [name in keyof O]: ValueOf<O[name]> }

export const commonOptions = {
  json: { kind: 'flag', help: 'print one JSON document on stdout and nothing else' },
  help: { kind: 'flag', help: 'say what the command does and which flags it takes' },
} as const satisfies Options

/**
 * Reads a command's arguments.
 * @throws UsageError naming the flag that is unknown, lacks a value or has one that makes no sense
 */
export const parseOptions = (args: readonly string[], options: Options) => {
  const config = Object.fromEntries(
    Object.entries<Option>({ ...commonOptions, ...options }).map(([name, { kind }]) => [
      name,
      { type: kind === 'flag' ? ('boolean' as const) : ('string' as const), multiple: isList(kind) },
    ]),
  )
  const { values, positionals } = tryParse(args, config)
  const read = Object.fromEntries(
    Object.entries<Option>({ ...commonOptions, ...options }).map(([name, option]) => [
      name,
      readValue(name, option, values[name]),
    ]),
  )
  return { values: read, positionals }
}

const isList = (kind: Option['kind']) => kind === 'list'

const tryParse = (args: readonly string[], options: NonNullable<Parameters<typeof parseArgs>[0]>['options']) => {
  try {
    return parseArgs({ args: [...args], options: options ?? {}, allowPositionals: true, strict: true })
  } catch (error) {
    const [, flag] = /'(?:-\w, )?--([\w-]+)[^']*' argument is ambiguous/.exec(messageOf(error)) ?? []
    if (flag !== undefined)
      throw new UsageError(`what follows --${flag} begins with a dash`, {
        remedy: `write --${flag}=VALUE, as in --${flag}=-1`,
      })
    // Node says what is wrong first and guesses at the reason in further sentences.
    throw new UsageError(messageOf(error).split(/\.\s/)[0]!.replace(/\.$/, ''), {
      remedy: 'see --help for the flags there are',
    })
  }
}

const readValue = (name: string, option: Option, given: unknown): unknown => {
  if (option.kind === 'flag') return given === true
  if (option.kind === 'list') return given ?? []
  if (given === undefined) return option.default
  const text = String(given)
  if (option.kind === 'choice' && !option.among.includes(text))
    throw new UsageError(`--${name} ${text} is not known`, { remedy: `use one of ${option.among.join(', ')}` })
  if (option.kind !== 'number') return text
  const number = text.trim() === '' ? Number.NaN : Number(text)
  const { min = Number.NEGATIVE_INFINITY, whole = false } = option
  if (!Number.isFinite(number) || number < min || (whole && !Number.isInteger(number)))
    throw new UsageError(`--${name} ${text} makes no sense`, {
      remedy: `give a ${whole ? 'whole ' : ''}number${min > Number.NEGATIVE_INFINITY ? ` of at least ${min}` : ''}`,
    })
  return number
}

/** Parts of a command's flags, by the title they have in its help. */
export type Sections = { readonly [title: string]: Options }

/** The flags of a command as lines of help: those of no section first. */
export const optionLines = (options: Options, sections: Sections = {}): string[] => {
  const titled = new Set(Object.values(sections).flatMap(Object.keys))
  const plain = Object.fromEntries(Object.entries(options).filter(([name]) => !titled.has(name)))
  const all = { '': { ...plain, ...commonOptions }, ...sections }
  const width = Math.max(
    ...Object.values(all)
      .flatMap(rowsOf)
      .map(([usage]) => usage.length),
  )
  return Object.entries(all).flatMap(([title, part]) => [
    ...(title === '' ? [] : ['', `  ${title}`]),
    ...rowsOf(part).map(([usage, help]) => `  ${usage.padEnd(width)}  ${help}`),
  ])
}

const rowsOf = (options: Options): [string, string][] =>
  Object.entries<Option>(options).map(([name, option]) => [usageOf(name, option), helpOf(option)])

const usageOf = (name: string, option: Option): string => {
  if (option.kind === 'flag') return `--${name}`
  if (option.kind === 'choice') return `--${name} ${option.among.join('|')}`
  return `--${name} ${option.value}${option.kind === 'list' ? ' …' : ''}`
}

const helpOf = (option: Option): string =>
  'default' in option && option.default !== undefined ? `${option.help} (${option.default})` : option.help
