/** A flag of a command: what it takes and what it is for. */
export type Option =
  | {
      readonly kind: 'text'
      readonly value: string
      readonly help: string
      readonly default?: string
      readonly check?: CheckText
    }
  | {
      readonly kind: 'number'
      readonly value: string
      readonly help: string
      readonly default?: number
      /** Least and greatest value; `above` and `below` are bounds that are not allowed themselves. */
      readonly min?: number
      readonly above?: number
      readonly max?: number
      readonly below?: number
      readonly whole?: boolean
    }
  | { readonly kind: 'choice'; readonly among: readonly string[]; readonly help: string; readonly default?: string }
  /** May be given several times. */
  | { readonly kind: 'list'; readonly value: string; readonly help: string; readonly check?: CheckText }
  | { readonly kind: 'flag'; readonly help: string }

/** Reads a value as far as it can be read without a model or data, so that a mistake is found before any work. */
type CheckText = (text: string) => unknown

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

/** Greatest values of numbers that several commands take: more is a slip, and would exhaust memory or repeat a smaller one. */
export const limits = {
  /** A seed fills 32 bits. */
  seed: 2 ** 32 - 1,
  threads: 256,
  batch: 65_536,
  epochs: 1e6,
  /** Of counts of steps or samples. */
  count: 1e9,
} as const

export const commonOptions = {
  json: { kind: 'flag', help: 'print one JSON document on stdout and nothing else' },
  help: { kind: 'flag', help: 'say what the command does and which flags it takes; -h for short' },
} as const satisfies Options

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
