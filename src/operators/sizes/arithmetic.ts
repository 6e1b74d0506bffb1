import {
  allFixed,
  fraction,
  isEqual,
  isFixed,
  isLess,
  isMultiple,
  isWhole,
  leastOf,
  minus,
  plus,
  type Quantities,
  quotient,
  type Size,
  sameSize,
  times,
} from './size.ts'

// Arithmetic as graphs do it with sizes. Whole numbers are followed exactly; floats only where all are numbers, since
// rounding makes (H · 0.1) · 10 another number than H.

type Operation = (q: Quantities, ...sizes: Size[]) => Size

const truth = (answer: boolean | undefined): Size | undefined => (answer === undefined ? undefined : answer ? 1 : 0)

/** a ÷ b rounded down; a is not negative, or the division is exact. */
export const floorDivided = (q: Quantities, a: Size, b: Size): Size => {
  if (isFixed(a) && isFixed(b)) return Math.floor(a / b)
  return quotient(a, b) ?? q.apply('floor÷', [a, b], { least: boundOf(a, b) })
}

const boundOf = (a: Size, b: Size): number =>
  leastOf(a) < 0 ? Number.NEGATIVE_INFINITY : isFixed(b) && b > 0 ? Math.floor(leastOf(a) / b) : 0

/** ONNX divides whole numbers towards 0. */
const divided: Operation = (q, a, b) => {
  if (isFixed(a) && isFixed(b)) return b === 0 ? q.apply('÷', [a, b]) : Math.trunc(a / b)
  if (b === 0) return q.apply('÷', [a, b])
  if (isFixed(b) && b > 0 && isMultiple(a, b)) return fraction(a, b)
  return quotient(a, b) ?? q.apply('÷', [a, b], { least: leastOf(b) >= 0 ? boundOf(a, b) : Number.NEGATIVE_INFINITY })
}

const extremum =
  (name: string, pick: (a: number, b: number) => number, isFirst: (a: Size, b: Size) => boolean): Operation =>
  (q, ...sizes) =>
    sizes.reduce((a, b) => {
      if (isFixed(a) && isFixed(b)) return pick(a, b)
      if (isFirst(a, b)) return a
      if (isFirst(b, a)) return b
      const [one, other] = ordered(a, b)
      return q.apply(name, [one, other], { least: pick(leastOf(a), leastOf(b)), whole: isWhole(a) && isWhole(b) })
    })

/** The two in an order that does not depend on how they were given. */
const ordered = (a: Size, b: Size): [Size, Size] => {
  const key = (size: Size) => (isFixed(size) ? String(size) : size.key)
  return key(a) <= key(b) ? [a, b] : [b, a]
}

/** a ≤ b in every run. */
const isAtMost = (a: Size, b: Size) => leastOf(minus(b, a)) >= 0

const compared =
  (name: string, decide: (a: Size, b: Size) => boolean | undefined): Operation =>
  (q, a, b) =>
    truth(decide(a, b)) ?? q.apply(name, [a, b], { least: 0 })

const not = (answer: boolean | undefined) => (answer === undefined ? undefined : !answer)

/** Operations on whole numbers and truth values, by operator. */
const whole: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ['Add', (q, a, b) => q.bounded(plus(a, b))],
  ['Sub', (q, a, b) => q.bounded(minus(a, b))],
  ['Mul', (q, a, b) => q.bounded(times(a, b))],
  ['Sum', (q, ...sizes) => q.bounded(sizes.reduce(plus))],
  ['Div', divided],
  ['Neg', (_, a) => times(a, -1)],
  [
    'Abs',
    (q, a) => (isFixed(a) ? Math.abs(a) : leastOf(a) >= 0 ? a : q.apply('abs', [a], { least: 0, whole: isWhole(a) })),
  ],
  ['Max', extremum('max', Math.max, (a, b) => isAtMost(b, a))],
  ['Min', extremum('min', Math.min, isAtMost)],
  ['Equal', compared('=', isEqual)],
  ['Less', compared('<', isLess)],
  ['Greater', compared('>', (a, b) => isLess(b, a))],
  ['LessOrEqual', compared('≤', (a, b) => not(isLess(b, a)))],
  ['GreaterOrEqual', compared('≥', (a, b) => not(isLess(a, b)))],
  ['Not', (q, a) => (isFixed(a) ? Number(a === 0) : q.apply('not', [a], { least: 0 }))],
  [
    'And',
    (q, a, b) => (a === 0 || b === 0 ? 0 : isFixed(a) ? b : isFixed(b) ? a : q.apply('and', [a, b], { least: 0 })),
  ],
  ['Or', (q, a, b) => (isTrue(a) || isTrue(b) ? 1 : a === 0 ? b : b === 0 ? a : q.apply('or', [a, b], { least: 0 }))],
  [
    'Where',
    (q, condition, a, b) =>
      isFixed(condition)
        ? condition !== 0
          ? a
          : b
        : sameSize(a, b)
          ? a
          : q.apply('where', [condition, a, b], { least: Math.min(leastOf(a), leastOf(b)) }),
  ],
])

const isTrue = (size: Size) => isFixed(size) && size !== 0

/** The remainder has the sign of the divisor, with `fmod` that of the dividend. */
export const remainder = (q: Quantities, a: Size, b: Size, fmod: boolean): Size => {
  if (isFixed(a) && isFixed(b) && b !== 0) return fmod ? a % b : (((a % b) + b) % b) + 0
  const bounded = leastOf(b) > 0 && (!fmod || leastOf(a) >= 0)
  if (bounded && isWhole(a) && (quotient(a, b) !== undefined || (isFixed(b) && isMultiple(a, b)))) return 0
  return q.apply(fmod ? 'fmod' : 'mod', [a, b], { least: bounded ? 0 : Number.NEGATIVE_INFINITY })
}

const single = (...values: number[]) => values.map(Math.fround)

/** Operations on floats that every engine rounds alike (IEEE 754), by operator. */
const exact: ReadonlyMap<string, (...values: number[]) => number> = new Map([
  ['Add', (a: number, b: number) => a + b],
  ['Sub', (a: number, b: number) => a - b],
  ['Mul', (a: number, b: number) => a * b],
  ['Div', (a: number, b: number) => a / b],
  ['Neg', (a: number) => -a],
  ['Abs', Math.abs],
  ['Sqrt', Math.sqrt],
  ['Max', Math.max],
  ['Min', Math.min],
])

const comparisons = new Set(['Equal', 'Less', 'Greater', 'LessOrEqual', 'GreaterOrEqual'])

const float =
  (operator: string): Operation =>
  (q, ...sizes) => {
    const compute = exact.get(operator)
    if (compute && allFixed(sizes)) return Math.fround(compute(...single(...sizes)))
    const floats = operator === 'Where' || comparisons.has(operator) ? whole.get(operator) : undefined
    // A comparison of whole numbers is the same in floats.
    if (floats && (operator === 'Where' || sizes.every(isWhole))) return floats(q, ...sizes)
    const positive = ['Add', 'Mul', 'Div', 'Max', 'Min', 'Sqrt', 'Abs'].includes(operator)
    const least = positive && sizes.every((size) => leastOf(size) >= 0) ? 0 : Number.NEGATIVE_INFINITY
    return q.apply(`float ${operator}`, sizes, { least, whole: false })
  }

/** What an operator makes of one element of each input; undefined where nothing is known of it. */
export const operationOf = (operator: string, isFloat: boolean): Operation | undefined => {
  if (!whole.has(operator) && !exact.has(operator)) return undefined
  return isFloat ? float(operator) : whole.get(operator)
}

/** Rounding a float, as Floor, Ceil, Round and a Cast to whole numbers do. */
export const rounded = (q: Quantities, size: Size, how: 'floor' | 'ceil' | 'round' | 'trunc'): Size => {
  if (isWhole(size)) return size
  const least = leastOf(size) >= 0 ? Math.floor(leastOf(size)) : Number.NEGATIVE_INFINITY
  if (isFixed(size)) return how === 'round' ? roundedEven(size) : Math[how](size)
  return q.apply(how, [size], { least })
}

/** Halves go to the even neighbour. */
const roundedEven = (value: number): number => {
  const below = Math.floor(value)
  if (value - below !== 0.5) return Math.round(value)
  return below % 2 === 0 ? below : below + 1
}
