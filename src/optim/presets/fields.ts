import { UsageError } from '../../base/index.ts'

/** Reads one option from plain JSON or a command line's text. */
export type Field<T> = { readonly kind: string; parse(value: unknown): T | undefined }

/** A field for each option that can be given as plain data. */
export type Fields<O> = { readonly [K in keyof O]?: Field<NonNullable<O[K]>> }

export const number: Field<number> = {
  kind: 'a number',
  parse(value) {
    const read = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
    return typeof read === 'number' && Number.isFinite(read) ? read : undefined
  },
}

export const flag: Field<boolean> = {
  kind: 'true or false',
  parse: (value) =>
    value === true || value === 'true' ? true : value === false || value === 'false' ? false : undefined,
}

export const oneOf = <const C extends readonly (string | false)[]>(...choices: C): Field<C[number]> => ({
  kind: choices.join(', '),
  parse: (value) => choices.find((choice) => choice === value || String(choice) === value),
})

/** A list such as [0.9, 0.999], or '0.9,0.999'. */
const listOf = (value: unknown): (number | undefined)[] => {
  const items: unknown = typeof value === 'string' ? value.split(',') : value
  return Array.isArray(items) ? items.map((item) => number.parse(item)) : []
}

export const pair: Field<readonly [number, number]> = {
  kind: 'two numbers, 0.9,0.999',
  parse(value) {
    const [a, b, ...rest] = listOf(value)
    return a !== undefined && b !== undefined && rest.length === 0 ? [a, b] : undefined
  },
}

export const triple: Field<readonly [number, number, number]> = {
  kind: 'three numbers, 0.9,0.999,0.9999',
  parse(value) {
    const [a, b, c, ...rest] = listOf(value)
    return a !== undefined && b !== undefined && c !== undefined && rest.length === 0 ? [a, b, c] : undefined
  },
}

/**
 * Typed options from plain data.
 * @throws UsageError naming an option that is unknown or has the wrong kind of value, and what is known.
 */
export const readOptions = <O>(of: string, fields: Fields<O>, given: Readonly<Record<string, unknown>>): Partial<O> => {
  const options: Partial<O> = {}
  const known: string[] = []
  const take = <K extends keyof O>(key: K & string) => {
    const field = fields[key]
    if (!field) return
    known.push(key)
    const value = Object.hasOwn(given, key) ? given[key] : undefined
    if (value === undefined) return
    const parsed = field.parse(value)
    if (parsed === undefined) throw new UsageError(`${of}: ${key} = ${JSON.stringify(value)} is not ${field.kind}`)
    options[key] = parsed
  }
  for (const key in fields) take(key)
  for (const key of Object.keys(given))
    if (!known.includes(key))
      throw new UsageError(`${of} has no option '${key}'`, { remedy: `it has ${known.join(', ')}` })
  return options
}
