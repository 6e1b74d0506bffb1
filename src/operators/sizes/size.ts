/**
 * Sizes as what they depend on. A size is a number where it is the same whatever a model is fed, else a polynomial over
 * quantities that vary: the free axes of the inputs, and what no rule can take apart (a division with a remainder, a
 * minimum). Equal polynomials are equal sizes in every run; different ones may still be equal in some.
 */
export type Size = number | Quantity

/** Something that varies from run to run. */
export type Atom = {
  readonly id: number
  /** As people read it. */
  readonly name: string
  /** It is never less; −∞ where nothing is known. */
  readonly least: number
  /** Whether it is a whole number. */
  readonly whole: boolean
  /** What it is computed from. */
  readonly from: readonly Size[]
}

type Term = { readonly coefficient: number; readonly atoms: readonly Atom[] }

/** A polynomial with at least one atom; `key` is the same for equal ones. */
export type Quantity = { readonly terms: readonly Term[]; readonly key: string }

/** A polynomial of more terms becomes an atom: nothing that people write adds up so many sizes. */
const mostTerms = 32

const termsOf = (size: Size): readonly Term[] =>
  typeof size === 'number' ? (size === 0 ? [] : [{ coefficient: size, atoms: [] }]) : size.terms

const keyOf = (atoms: readonly Atom[]) => atoms.map(({ id }) => id).join('.')

/** The sum of terms, those of the same atoms collected. */
const collected = (terms: readonly Term[]): Size => {
  const byKey = new Map<string, Term>()
  for (const { coefficient, atoms } of terms) {
    const key = keyOf(atoms)
    byKey.set(key, { coefficient: coefficient + (byKey.get(key)?.coefficient ?? 0), atoms })
  }
  const left = [...byKey].filter(([, { coefficient }]) => coefficient !== 0).sort(([a], [b]) => (a < b ? -1 : 1))
  const [only] = left
  if (!only) return 0
  if (left.length === 1 && only[0] === '') return only[1].coefficient
  return {
    terms: left.map(([, term]) => term),
    key: left.map(([key, { coefficient }]) => `${coefficient}*${key}`).join('+'),
  }
}

export const plus = (a: Size, b: Size): Size => collected([...termsOf(a), ...termsOf(b)])

export const minus = (a: Size, b: Size): Size => plus(a, times(b, -1))

export const times = (a: Size, b: Size): Size =>
  collected(
    termsOf(a).flatMap((x) =>
      termsOf(b).map((y) => ({
        coefficient: x.coefficient * y.coefficient,
        atoms: [...x.atoms, ...y.atoms].sort((p, q) => p.id - q.id),
      })),
    ),
  )

export const product = (sizes: readonly Size[]): Size => sizes.reduce(times, 1)

/** a ÷ b where b is a single term that divides every term of a; undefined otherwise. */
export const quotient = (a: Size, b: Size): Size | undefined => {
  const [divisor, ...more] = termsOf(b)
  if (!divisor || more.length > 0) return sameSize(a, b) && b !== 0 ? 1 : undefined
  const terms: Term[] = []
  for (const { coefficient, atoms } of termsOf(a)) {
    if (!Number.isInteger(coefficient / divisor.coefficient)) return undefined
    const left = [...atoms]
    for (const atom of divisor.atoms) {
      const at = left.findIndex(({ id }) => id === atom.id)
      if (at < 0) return undefined
      left.splice(at, 1)
    }
    terms.push({ coefficient: coefficient / divisor.coefficient, atoms: left })
  }
  return collected(terms)
}

export const sameSize = (a: Size, b: Size): boolean =>
  typeof a === 'number' || typeof b === 'number' ? Object.is(a, b) : a.key === b.key

export const sameSizes = (a: readonly Size[], b: readonly Size[]): boolean =>
  a.length === b.length && a.every((size, i) => sameSize(size, b[i]!))

export const isFixed = (size: Size | undefined): size is number => typeof size === 'number'

export const allFixed = (sizes: readonly Size[] | undefined): sizes is readonly number[] =>
  sizes?.every(isFixed) ?? false

/** A size is never less than this; −∞ where nothing is known. */
export const leastOf = (size: Size): number => {
  let least = 0
  for (const { coefficient, atoms } of termsOf(size)) {
    if (atoms.length === 0) least += coefficient
    else if (coefficient < 0 || atoms.some((atom) => atom.least < 0)) return Number.NEGATIVE_INFINITY
    else least += atoms.reduce((n, atom) => n * atom.least, coefficient)
  }
  return least
}

export const isWhole = (size: Size): boolean =>
  termsOf(size).every(({ coefficient, atoms }) => Number.isInteger(coefficient) && atoms.every(({ whole }) => whole))

/** Whether a < b in every run, or in none; undefined where runs may differ. Whole numbers only. */
export const isLess = (a: Size, b: Size): boolean | undefined => {
  if (leastOf(minus(b, a)) >= 1) return true
  return leastOf(minus(a, b)) >= 0 ? false : undefined
}

/** Whether a = b in every run, or in none; undefined where runs may differ. Whole numbers only. */
export const isEqual = (a: Size, b: Size): boolean | undefined => {
  const difference = minus(a, b)
  if (typeof difference === 'number') return difference === 0
  return leastOf(difference) >= 1 || leastOf(minus(b, a)) >= 1 ? false : undefined
}

/** All that a size is computed from, itself among it, by the atoms' numbers. */
export const atomsOf = (size: Size, found = new Set<number>()): ReadonlySet<number> => {
  for (const { atoms } of termsOf(size))
    for (const { id, from } of atoms) {
      if (found.has(id)) continue
      found.add(id)
      for (const source of from) atomsOf(source, found)
    }
  return found
}

/** '2·N·H + 1' */
export const sizeText = (size: Size): string =>
  termsOf(size)
    .map(({ coefficient, atoms }) =>
      [...(coefficient === 1 && atoms.length > 0 ? [] : [String(coefficient)]), ...atoms.map(({ name }) => name)].join(
        '·',
      ),
    )
    .join(' + ') || '0'

/** The quantities of one model: the same operation on the same sizes gives the same quantity. */
export class Quantities {
  readonly #atoms = new Map<string, Quantity>()

  /** Something that varies, by a name of its own. */
  named(name: string, least: number): Quantity {
    return this.#atom(`=${name}`, { name, least, whole: true, from: [] })
  }

  /** What an operation makes of sizes; nothing is known of it but its bounds. */
  apply(operation: string, sizes: readonly Size[], { least = Number.NEGATIVE_INFINITY, whole = true } = {}): Quantity {
    const key = sizes.map((size) => (typeof size === 'number' ? size : `[${size.key}]`)).join()
    const name = `${operation}(${sizes.map(sizeText).join(', ')})`
    return this.#atom(`${operation}(${key})`, { name, least, whole, from: sizes })
  }

  /** A sum or product, as an atom when it has become too long. */
  bounded(size: Size): Size {
    return typeof size === 'number' || size.terms.length <= mostTerms
      ? size
      : this.apply('sum', [size], { least: leastOf(size), whole: isWhole(size) })
  }

  #atom(key: string, atom: Omit<Atom, 'id'>): Quantity {
    const known = this.#atoms.get(key)
    if (known) return known
    const id = this.#atoms.size
    const name = atom.name.length > 60 ? `size ${id}` : atom.name
    const made: Quantity = { terms: [{ coefficient: 1, atoms: [{ ...atom, id, name }] }], key: `1*${id}` }
    this.#atoms.set(key, made)
    return made
  }
}
