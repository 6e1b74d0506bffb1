import { UnsupportedError, UsageError } from '../../base/index.ts'

/** Reads a source's options under its own names, with its own defaults, and complains of any it was not asked for. */
export type OptionReader = {
  number(name: string, absent: number): number
  /** A number, or undefined where the source says None or nothing. */
  optional(name: string): number | undefined
  /** A number, or null where the source says None. */
  nullable(name: string, absent: number): number | null
  flag(name: string, absent: boolean): boolean
  word(name: string, absent: string): string
  pair(name: string, absent: readonly [number, number]): readonly [number, number]
  triple(name: string, absent: readonly [number, number, number]): readonly [number, number, number]
  /** Options without influence on the numbers. */
  ignore(...names: string[]): void
  /** @throws UnsupportedError naming options nobody asked for. */
  done(): void
}

export const optionReader = (source: string, options: Readonly<Record<string, unknown>>): OptionReader => {
  const asked = new Set<string>()
  const wrong = (name: string, what: string): never => {
    throw new UsageError(`${source}: option ${name} = ${JSON.stringify(options[name])} is not ${what}`)
  }
  const read = (name: string): unknown => {
    asked.add(name)
    return options[name]
  }
  const optional = (name: string): number | undefined => {
    const value = read(name)
    if (value === undefined || value === null) return undefined
    if (typeof value === 'number') return value
    if (typeof value === 'boolean') return Number(value)
    // Python's json writes its infinities as bare words, which some writers quote.
    return value === 'Infinity' || value === 'inf' ? Number.POSITIVE_INFINITY : wrong(name, 'a number')
  }
  const numbers = (name: string, absent: readonly number[]): number[] => {
    const value: unknown = read(name) ?? absent
    if (!Array.isArray(value)) return wrong(name, 'a list of numbers')
    return value.map((v: unknown) => (typeof v === 'number' ? v : wrong(name, 'a list of numbers')))
  }
  return {
    number: (name, absent) => optional(name) ?? absent,
    optional,
    nullable: (name, absent) => (read(name) === null ? null : (optional(name) ?? absent)),
    flag(name, absent) {
      const value = read(name) ?? absent
      return typeof value === 'boolean'
        ? value
        : value === 0 || value === 1
          ? value === 1
          : wrong(name, 'true or false')
    },
    word(name, absent) {
      const value = read(name) ?? absent
      return typeof value === 'string' ? value : wrong(name, 'a word')
    },
    pair(name, absent) {
      const [a, b, ...rest] = numbers(name, absent)
      return a !== undefined && b !== undefined && rest.length === 0 ? [a, b] : wrong(name, 'a pair of numbers')
    },
    triple(name, absent) {
      const [a, b, c, ...rest] = numbers(name, absent)
      const whole = a !== undefined && b !== undefined && c !== undefined && rest.length === 0
      return whole ? [a, b, c] : wrong(name, 'three numbers')
    },
    ignore(...names) {
      for (const name of names) asked.add(name)
    },
    done() {
      const unknown = Object.keys(options).filter((name) => !asked.has(name))
      if (unknown.length)
        throw new UnsupportedError(`${source}: no translation of ${unknown.join(', ')}`, {
          remedy: `known are ${[...asked].sort().join(', ')}`,
        })
    },
  }
}
