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
  /** The operation that made it of those; undefined for what has a name of its own. */
  readonly operation?: string
}

type Term = { readonly coefficient: number; readonly atoms: readonly Atom[] }

/** A polynomial with at least one atom; `key` is the same for equal ones. */
export type Quantity = { readonly terms: readonly Term[]; readonly key: string }

/** A polynomial of more terms becomes an atom: nothing that people write adds up so many sizes. */
const mostTerms = 32

const termsOf = (size: Size): readonly Term[] =>
  typeof size === 'number' ? (size === 0 ? [] : [{ coefficient: size, atoms: [] }]) : size.terms

const keyOf = (atoms: readonly Atom[]) => atoms.map(({ id }) => id).join('.')

/** Sevenths add up to whole numbers again. */
const snapped = (value: number): number => (Math.abs(value - Math.round(value)) < 1e-9 ? Math.round(value) : value)

/** The sum of terms, those of the same atoms collected. */
const collected = (terms: readonly Term[]): Size => {
  const byKey = new Map<string, Term>()
  for (const { coefficient, atoms } of terms) {
    const key = keyOf(atoms)
    byKey.set(key, { coefficient: snapped(coefficient + (byKey.get(key)?.coefficient ?? 0)), atoms })
  }
  const left = [...byKey].filter(([, { coefficient }]) => coefficient !== 0).sort(([a], [b]) => (a < b ? -1 : 1))
  const [only] = left
  if (!only) return 0
  if (left.length === 1 && only[0] === '') return only[1].coefficient
  return {
    terms: left.map(([, term]) => term),
    key: left.map(([key, { coefficient }]) => `${Number(coefficient.toPrecision(12))}*${key}`).join('+'),
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

/** Terms of a higher degree first, those of one degree in the order of their atoms. */
const leads = (a: Term, b: Term): number => {
  if (a.atoms.length !== b.atoms.length) return b.atoms.length - a.atoms.length
  const i = a.atoms.findIndex(({ id }, at) => id !== b.atoms[at]!.id)
  return i < 0 ? 0 : a.atoms[i]!.id - b.atoms[i]!.id
}

const ratioOf = (a: Term, b: Term, exact: boolean): Term | undefined => {
  const coefficient = snapped(a.coefficient / b.coefficient)
  if (!exact && !Number.isInteger(coefficient)) return undefined
  const atoms = [...a.atoms]
  for (const { id } of b.atoms) {
    const at = atoms.findIndex((atom) => atom.id === id)
    if (at < 0) return undefined
    atoms.splice(at, 1)
  }
  return { coefficient, atoms }
}

/**
 * a ÷ b as polynomials, where nothing is left over; undefined otherwise. Coefficients must divide as well, unless it is known
 * that every run divides without a remainder.
 */
export const quotient = (a: Size, b: Size, { exact = false } = {}): Size | undefined => {
  const divisor = [...termsOf(b)].sort(leads)[0]
  if (!divisor) return undefined
  const found: Term[] = []
  for (let left = a; left !== 0; ) {
    const term = ratioOf([...termsOf(left)].sort(leads)[0]!, divisor, exact)
    if (!term || found.length >= mostTerms) return undefined
    found.push(term)
    left = minus(left, times(b, collected([term])))
  }
  return collected(found)
}

export const sameSize = (a: Size, b: Size): boolean =>
  typeof a === 'number' || typeof b === 'number' ? Object.is(a, b) : a.key === b.key

export const sameSizes = (a: readonly Size[], b: readonly Size[]): boolean =>
  a.length === b.length && a.every((size, i) => sameSize(size, b[i]!))

export const isFixed = (size: Size | undefined): size is number => typeof size === 'number'

export const allFixed = (sizes: readonly Size[] | undefined): sizes is readonly number[] =>
  sizes?.every(isFixed) ?? false

/**
 * Whether a whole number divides a size in every run. A remainder by that number is congruent to what it is the remainder of,
 * so H + (8 − H mod 8) mod 8 is a multiple of 8.
 */
export const isMultiple = (size: Size, of: number): boolean => {
  const terms = termsOf(size)
  if (!terms.every(({ coefficient, atoms }) => Number.isInteger(coefficient) && atoms.every(({ whole }) => whole)))
    return false
  const remainder = (atom: Atom) => atom.operation === 'mod' && atom.from[1] === of
  if (!terms.some(({ atoms }) => atoms.some(remainder))) return terms.every(({ coefficient }) => coefficient % of === 0)
  const open = terms.map(({ coefficient, atoms }) =>
    atoms.reduce<Size>((left, atom) => times(left, remainder(atom) ? atom.from[0]! : sizeOfAtom(atom)), coefficient),
  )
  return isMultiple(open.reduce(plus, 0), of)
}

const sizeOfAtom = (atom: Atom): Quantity => ({ terms: [{ coefficient: 1, atoms: [atom] }], key: `1*${atom.id}` })

/** A size divided by a number that divides it in every run. */
export const fraction = (size: Size, by: number): Size =>
  collected(termsOf(size).map(({ coefficient, atoms }) => ({ coefficient: coefficient / by, atoms })))

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
      [
        ...(coefficient === 1 && atoms.length > 0 ? [] : [String(Number(coefficient.toPrecision(4)))]),
        ...atoms.map(({ name }) => name),
      ].join('·'),
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
    return this.#atom(`${operation}(${key})`, { name, least, whole, from: sizes, operation })
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
    const made = sizeOfAtom({ ...atom, id, name })
    this.#atoms.set(key, made)
    return made
  }
}
