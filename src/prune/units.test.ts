import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AxisUnits } from './units.ts'

const shapes: Record<string, readonly number[]> = { a: [4, 3], b: [4], c: [8], d: [3] }
const make = () => {
  const units = new AxisUnits((value) => shapes[value] ?? [])
  const slot = (value: string, axis = 0) => units.slot({ value, axis })
  return { units, slot }
}

describe('a union–find over axes', () => {
  test('joined indices share a class, others do not', () => {
    const { units, slot } = make()
    units.join(slot('a'), slot('b'))
    units.joinAt(slot('b'), 1, slot('c'), 6)
    expect(units.classOf(slot('a'), 1)).toBe(units.classOf(slot('c'), 6))
    expect(units.classOf(slot('a'), 0)).not.toBe(units.classOf(slot('a'), 1))
    expect(units.slot({ value: 'a', axis: -1 })).toBe(slot('a', 1))
  })

  test('an axis frozen as a whole passes it on without taking memory', () => {
    const { units, slot } = make()
    units.freeze(slot('a'), 'batch')
    units.join(slot('a'), slot('b'))
    expect(units.length).toBe(0)
    expect(units.slotReason(slot('b'))).toBe('batch')
    units.joinAt(slot('b'), 2, slot('c'), 0)
    expect(units.frozenReason(units.classOf(slot('c'), 0))).toBe('batch')
    expect(units.frozenReason(units.classOf(slot('c'), 1))).toBe('')
  })

  test('freezing reaches what was joined before and after', () => {
    const { units, slot } = make()
    units.join(slot('a', 1), slot('d'))
    units.freeze(slot('d'), 'mixed')
    units.freeze(slot('d'), 'a later reason')
    expect(units.frozenReason(units.classOf(slot('a', 1), 2))).toBe('mixed')
  })

  test('a snapshot brings everything back', () => {
    const { units, slot } = make()
    units.joinAt(slot('a'), 0, slot('a'), 1)
    const restore = units.snapshot()
    units.join(slot('a'), slot('b'))
    units.freeze(slot('b'), 'tried')
    units.freeze(slot('d'), 'tried')
    restore()
    expect(units.liveClasses(slot('a'))).toBe(3)
    expect(units.tied(slot('b'))).toBe(false)
    expect(units.slotReason(slot('d'))).toBe('')
    expect(units.frozenReason(units.classOf(slot('a'), 2))).toBe('')
  })

  test('axes of different size, and indices that are not there, are refused', () => {
    const { units, slot } = make()
    expect(() => units.join(slot('a'), slot('c'))).toThrow("axis 0 of 'a' has 4 indices and axis 0 of 'c' 8")
    expect(() => units.joinAt(slot('a'), 4, slot('c'), 0)).toThrow('there is no index 4')
    expect(() => units.slot({ value: 'a', axis: 2 })).toThrow('there is no axis 2')
  })

  test('the order of statements does not matter', () => {
    const statement = fc.oneof(
      fc.record({ kind: fc.constant('join' as const), at: fc.constantFrom(['a', 'b'], ['b', 'a']) }),
      fc.record({ kind: fc.constant('at' as const), i: fc.nat({ max: 3 }), j: fc.nat({ max: 7 }) }),
      fc.record({ kind: fc.constant('freeze' as const), value: fc.constantFrom('a', 'b', 'c') }),
    )
    const run = (statements: readonly (typeof statement extends fc.Arbitrary<infer S> ? S : never)[]) => {
      const { units, slot } = make()
      for (const s of statements) {
        if (s.kind === 'join') units.join(slot(s.at[0]!), slot(s.at[1]!))
        else if (s.kind === 'at') units.joinAt(slot('b'), s.i, slot('c'), s.j)
        else units.freeze(slot(s.value), 'frozen')
      }
      for (const value of ['a', 'b', 'c']) units.joinAt(slot(value), 0, slot(value), 0)
      const indices = ['a', 'b', 'c'].flatMap((value) =>
        Array.from({ length: shapes[value]![0]! }, (_, i) => units.classOf(slot(value), i)),
      )
      // Of frozen indices it does not matter whose class they are in.
      return indices.map((root) => units.frozenReason(root) || indices.indexOf(root))
    }
    fc.assert(
      fc.property(fc.array(statement, { maxLength: 8 }), (statements) => {
        expect(run(statements.toReversed())).toEqual(run(statements))
      }),
    )
  })
})
