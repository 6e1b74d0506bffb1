import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { operationOf, remainder } from './arithmetic.ts'
import {
  fraction,
  isEqual,
  isFixed,
  isLess,
  isMultiple,
  minus,
  plus,
  product,
  Quantities,
  quotient,
  type Size,
  sameSize,
  sizeText,
  times,
} from './size.ts'

const q = new Quantities()
const [n, h, w] = [q.named('N', 1), q.named('H', 1), q.named('W', 1)]

test('sums and products are equal however they are made', () => {
  expect(sameSize(times(plus(n, 1), plus(n, -1)), minus(times(n, n), 1))).toBe(true)
  expect(minus(plus(h, w), plus(w, h))).toBe(0)
  expect(sizeText(plus(times(2, times(n, h)), 1))).toBe('1 + 2·N·H')
})

test('what is computed alike is equal, what is computed otherwise is not', () => {
  expect(sameSize(q.apply('mod', [h, 8]), q.apply('mod', [h, 8]))).toBe(true)
  expect(sameSize(q.apply('mod', [h, 8]), q.apply('mod', [w, 8]))).toBe(false)
  expect(sameSize(h, w)).toBe(false)
})

test('division leaves nothing over, or is no polynomial', () => {
  const whole = product([n, 8, plus(h, 1), w])
  expect(sizeText(quotient(whole, product([n, plus(h, 1)]))!)).toBe('8·W')
  expect(quotient(plus(h, 1), h)).toBeUndefined()
  expect(quotient(times(6, n), 4)).toBeUndefined()
  expect(quotient(h, 0)).toBeUndefined()
})

test('an axis padded to a multiple divides', () => {
  const padded = plus(h, remainder(q, minus(7, remainder(q, h, 7, false)), 7, false))
  expect(isMultiple(padded, 7)).toBe(true)
  expect(remainder(q, padded, 7, false)).toBe(0)
  expect(sameSize(times(fraction(padded, 7), 7), padded)).toBe(true)
  expect(isMultiple(plus(padded, 1), 7)).toBe(false)
  expect(isMultiple(h, 7)).toBe(false)
})

describe('comparisons', () => {
  test('are decided where every run agrees', () => {
    expect(isEqual(n, -1)).toBe(false)
    expect(isEqual(n, 0)).toBe(false)
    expect(isLess(0, n)).toBe(true)
    expect(isLess(h, plus(h, w))).toBe(true)
    expect(isLess(plus(h, w), h)).toBe(false)
  })

  test('are left open where runs may differ', () => {
    expect(isEqual(h, w)).toBeUndefined()
    expect(isEqual(n, 1)).toBeUndefined()
    expect(isLess(8, n)).toBeUndefined()
    expect(isLess(h, w)).toBeUndefined()
  })
})

/** Random arithmetic, as a size over N, H and W and as the number it comes to when they are given. */
type Expression = { readonly size: Size; at(numbers: readonly number[]): number }

const atoms: readonly Size[] = [n, h, w]
const leaf: fc.Arbitrary<Expression> = fc.oneof(
  fc.integer({ min: 0, max: 9 }).map((value) => ({ size: value, at: () => value })),
  fc.nat({ max: 2 }).map((i) => ({ size: atoms[i]!, at: (numbers: readonly number[]) => numbers[i]! })),
)

const binary = {
  Add: (a: number, b: number) => a + b,
  Sub: (a: number, b: number) => a - b,
  Mul: (a: number, b: number) => a * b,
  Div: (a: number, b: number) => Math.trunc(a / b),
  Max: Math.max,
  Min: Math.min,
  Equal: (a: number, b: number) => Number(a === b),
  Less: (a: number, b: number) => Number(a < b),
} as const

const expressions = fc.letrec<{ tree: Expression }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc
      .tuple(fc.constantFrom(...(Object.keys(binary) as (keyof typeof binary)[])), tie('tree'), tie('tree'))
      .map(([op, a, b]) => ({
        size: operationOf(op, false)!(q, a.size, b.size),
        at: (numbers: readonly number[]) => binary[op](a.at(numbers), b.at(numbers)),
      })),
  ),
})).tree

test('a size that is a number is that number in every run, and equal sizes are equal in every run', () => {
  const numbers = fc.tuple(
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 40 }),
  )
  fc.assert(
    fc.property(expressions, expressions, fc.array(numbers, { minLength: 3, maxLength: 8 }), (a, b, runs) => {
      for (const run of runs) {
        const [x, y] = [a.at(run), b.at(run)]
        // Division by zero has no result in any run.
        if (!Number.isFinite(x) || !Number.isFinite(y)) return
        if (isFixed(a.size)) expect(a.size + 0).toBe(x + 0)
        if (sameSize(a.size, b.size)) expect(x).toBe(y)
        const [equal, less] = [isEqual(a.size, b.size), isLess(a.size, b.size)]
        if (equal !== undefined) expect(equal).toBe(x === y)
        if (less !== undefined) expect(less).toBe(x < y)
      }
    }),
    { numRuns: 2000 },
  )
})
