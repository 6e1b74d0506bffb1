import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compile } from './compile.ts'
import { add, div, type Expression, max, mean, mul, sqrt, sub } from './expression.ts'
import { interpret } from './interpret.ts'
import { loop, ruleOf } from './loop.ts'
import { mostArrays, pieceLength } from './memory.ts'

/** Any rule over so many arrays and scalars, writing one or more of the arrays. */
const anyRule = fc
  .record({
    arrays: fc.integer({ min: 1, max: mostArrays }),
    scalars: fc.integer({ min: 0, max: 5 }),
    steps: fc.array(fc.tuple(fc.nat(6), fc.nat(), fc.nat()), { minLength: 1, maxLength: 14 }),
    written: fc.array(fc.nat(), { minLength: 1, maxLength: mostArrays }),
  })
  .map(({ arrays, scalars, steps, written }) => {
    const names = Array.from({ length: arrays }, (_, i) => `a${i}`)
    const numbers = Array.from({ length: scalars }, (_, i) => `s${i}`)
    return ruleOf(names, numbers, (array, scalar) => {
      const values: Expression[] = [...Object.values(array), ...Object.values(scalar)]
      const pick = (n: number) => values[n % values.length]!
      for (const [kind, a, b] of steps)
        if (kind === 6) values.push(mean(array[names[a % arrays]!]!))
        else values.push([add, sub, mul, div, max][kind]?.(pick(a), pick(b)) ?? sqrt(pick(a)))
      return Object.fromEntries(names.slice(0, written.length).map((name, i) => [name, pick(written[i]!)]))
    })
  })

/** Lengths of runs, and how many there are. */
const runs = fc.oneof(
  fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 })),
  fc.constantFrom(
    [pieceLength + 3, 2],
    [2 * pieceLength + 5, 1],
    [3, pieceLength],
    [1, pieceLength],
    [1, pieceLength - 1],
  ),
)

/** Where two arrays first differ in a bit, every NaN alike; −1 where they do not. */
const difference = (a: Float32Array, b: Float32Array) => a.findIndex((x, i) => !Object.is(x, b[i]))

describe('a rule', () => {
  test('in WASM and in plain JavaScript gives the same bits, whatever the numbers', () => {
    const numbers = [0, -0, 1, -1.5, 1e-3, 3e-39, 1e30, -1e30, Number.POSITIVE_INFINITY, Number.NaN]
    fc.assert(
      fc.property(anyRule, runs, fc.infiniteStream(fc.float()), (rule, [length = 1, count = 1], floats) => {
        const source = Array.from({ length: 97 }, (_, i) => numbers[i] ?? Number(floats.next().value))
        const make = () =>
          Array.from({ length: rule.arrays }, (_, k) =>
            Float32Array.from({ length: length * count }, (_, i) => source[(i * (k + 1) + 13 * k) % source.length]!),
          )
        const scalars = Array.from({ length: rule.scalars }, (_, k) => source[11 + k]! / 3)
        const [fast, plain] = [make(), make()]
        compile(rule)!(fast, scalars, length)
        interpret(rule)(plain, scalars, length)
        for (const [k, array] of fast.entries()) expect(difference(array, plain[k]!)).toBe(-1)
      }),
      { numRuns: 150 },
    )
  })

  test('is what it says, rounded to float32 after every operation', () => {
    const f = Math.fround
    const rule = loop(['u', 'm'], ['beta', 'size'], ({ u, m }, { beta, size }) => {
      const mean = add(mul(beta, m), u)
      return { m: mean, u: div(mul(size, mean), max(sqrt(u), size)) }
    })
    const u = Float32Array.of(0.1, 4, 9, 1e-3, 0.3)
    const m = Float32Array.of(1, 2, 3, 4, 5)
    const [u0, m0] = [u.slice(), m.slice()]
    rule({ u, m }, { beta: 0.9, size: 0.7 })
    for (let i = 0; i < 5; i++) {
      const mean = f(f(f(0.9) * m0[i]!) + u0[i]!)
      expect(m[i]).toBe(mean)
      expect(u[i]).toBe(f(f(f(0.7) * mean) / Math.max(f(Math.sqrt(u0[i]!)), f(0.7))))
    }
  })

  test('takes means over runs', () => {
    const centre = loop(['x'], [], ({ x }) => ({ x: sub(x, mean(x)) }))
    const x = Float32Array.from({ length: 21 }, (_, i) => i * i)
    centre({ x }, {}, 7)
    for (let run = 0; run < 3; run++) {
      const squares = [0, 1, 2, 3, 4, 5, 6].map((i) => (7 * run + i) ** 2)
      const average = squares.reduce((sum, s) => sum + s, 0) / 7
      for (const [i, s] of squares.entries()) expect(x[7 * run + i]).toBeCloseTo(s - average, 4)
    }
  })
})
