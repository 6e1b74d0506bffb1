import { describe, expect, test } from 'vitest'
import { int64, type Tensor } from '../base/index.ts'
import { makeNode } from '../onnx/index.ts'
import { reshape } from './reshape.ts'
import { Quantities, type Size, times } from './sizes/index.ts'
import { factsOf } from './testing/axes.ts'
import type { NodeContext } from './types.ts'

const contextOf = (
  op: string,
  from: readonly number[],
  to: readonly number[],
  constant: Tensor | undefined,
  sizes?: { readonly from: readonly Size[]; readonly to: readonly Size[]; readonly target?: readonly Size[] },
): NodeContext => ({
  node: makeNode(op, ['x', 'shape'], ['y']),
  opset: 17,
  dims: (name) => (name === 'x' ? from : name === 'y' ? to : [to.length]),
  type: () => 'float32',
  constant: () => constant,
  ...(sizes && {
    sizes: (name: string) => (name === 'x' ? sizes.from : name === 'y' ? sizes.to : [to.length]),
    elements: (name: string) => (name === 'shape' ? sizes.target : undefined),
  }),
})

/** The units of a Reshape: each a list of places 'value axis index', under one reading of its choice. */
const unitsOf = (from: readonly number[], to: readonly number[], reading = 0) => [
  ...factsOf(contextOf('Reshape', from, to, int64([to.length], to)), reading).units.values(),
]

const along = (places: readonly string[], slot: string) =>
  places.filter((place) => place.startsWith(`${slot} `)).map((place) => Number(place.split(' ')[2]))

describe('Reshape', () => {
  test('a channel is its stretch of the flattened axis', () => {
    const units = unitsOf([5, 3, 2, 2], [5, 12]).filter((places) => along(places, 'x 1').length > 0)
    expect(units.map((places) => along(places, 'y 1'))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9, 10, 11],
    ])
  })

  test('heads go whole, or every head loses the same dimension', () => {
    const whole = unitsOf([7, 6], [7, 2, 3]).filter((places) => along(places, 'y 1').length > 0)
    expect(whole.map((places) => along(places, 'x 1'))).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ])
    const each = unitsOf([7, 6], [7, 2, 3], 1).filter((places) => along(places, 'y 2').length > 0)
    expect(each.map((places) => along(places, 'x 1'))).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ])
  })

  test('axes of size 1 come and go', () => {
    expect(unitsOf([1, 4, 1, 1], [1, 4])).toEqual(Array.from({ length: 4 }, (_, i) => [`x 1 ${i}`, `y 1 ${i}`]))
  })

  test('groups of channels with their positions', () => {
    // GroupNorm's [N, C, H·W] → [N, G, C/G·H·W]: a group is whole channels.
    const units = unitsOf([5, 6, 4], [5, 2, 12]).filter((places) => along(places, 'y 1').length > 0)
    expect(units.map((places) => along(places, 'x 1'))).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ])
  })

  test('what shares no whole blocks is frozen', () => {
    expect(unitsOf([2, 6], [3, 4])).toEqual([])
  })

  describe('at sizes that vary', () => {
    const q = new Quantities()
    const [n, h, w] = [q.named('N', 1), q.named('H', 1), q.named('W', 1)]
    const places = (from: number[], to: number[], sizes: { from: Size[]; to: Size[]; target?: Size[] }) =>
      [...factsOf(contextOf('Reshape', from, to, undefined, sizes), 0).units.values()].flat()

    test('equal sizes of one run are not taken for equal', () => {
      // [N, C, H, W] → [N, C, W, H] at H = W: channels pass, positions do not.
      const square = places([2, 3, 5, 5], [2, 3, 5, 5], { from: [n, 3, h, w], to: [n, 3, w, h], target: [n, 3, w, h] })
      expect(square.filter((place) => /^[xy] [23]/.test(place))).toEqual([])
      expect(square.filter((place) => place.startsWith('x 1'))).toHaveLength(3)
      // [N, C, T] → [C, N·T] is no change at N = 1.
      const mixed = { from: [n, 3, h], to: [3, times(n, h)], target: [3, -1] }
      expect(places([1, 3, 5], [3, 5], mixed)).toEqual([])
    })

    test('a size that cannot be followed leaves the axes on either side alone', () => {
      const [rows, columns] = [q.apply('floor÷', [h, 4]), q.apply('floor÷', [w, 4])]
      const windows = { from: [n, h, w, 3], to: [n, rows, 4, columns, 4, 3], target: [n, rows, 4, columns, 4, 3] }
      const found = places([2, 8, 8, 3], [2, 2, 4, 2, 4, 3], windows)
      expect(found.filter((place) => place.startsWith('x 3'))).toHaveLength(3)
      expect(found.filter((place) => /^x [12]/.test(place))).toEqual([])
    })

    test('two merged axes of varying sizes cannot both be inferred', () => {
      const sizes = { from: [n, 3, h, 5, w], to: [n, times(h, 3), times(w, 5)], target: [n, times(h, 3), times(w, 5)] }
      expect(places([2, 3, 7, 5, 9], [2, 21, 45], sizes).filter((place) => /^y [12]/.test(place))).toEqual([])
    })

    test('copies and one inferred size take the place of a computed target', () => {
      const sizes = { from: [n, 7, 12], to: [n, 7, 3, 4], target: [n, 7, 3, 4] }
      const context = contextOf('Reshape', [5, 7, 12], [5, 7, 3, 4], undefined, sizes)
      const kept = ({ value, axis }: { value: string; axis: number }) =>
        value === 'y' && axis === 2 ? [0, 2] : value === 'x' && axis === 2 ? [0, 1, 2, 3, 8, 9, 10, 11] : undefined
      const found: Tensor[] = []
      const refuse = () => expect.unreachable()
      reshape.Reshape.resize({ ...context, kept, setConstant: (_, t) => void found.push(t), setElements: refuse })
      expect(found).toEqual([int64([4], [0, 7, 2, 4])])
    })

    test('where a constant cannot stand for a computed target, its fixed entries are set', () => {
      const sizes = { from: [n, 6, h, w], to: [n, 6, w, h], target: [n, 6, w, h] }
      const context = contextOf('Reshape', [5, 6, 2, 3], [5, 6, 3, 2], undefined, sizes)
      const kept = ({ axis }: { axis: number }) => (axis === 1 ? [0, 2] : undefined)
      const found: (readonly [number, number])[] = []
      const refuse = () => expect.unreachable()
      const setElements = (_: number, entries: ReadonlyMap<number, number>) => void found.push(...entries)
      reshape.Reshape.resize({ ...context, kept, setConstant: refuse, setElements })
      expect(found).toEqual([[1, 2]])
    })
  })
})

test('an Expand to a size that varies keeps all indices of the axis', () => {
  const n = new Quantities().named('N', 1)
  const free = (from: Size[], to: Size[]) =>
    [...factsOf(contextOf('Expand', [1, 3], [4, 3], undefined, { from, to }), 0).units.values()].flat()
  expect(free([1, 3], [n, 3]).filter((place) => place.startsWith('y 0'))).toEqual([])
  expect(free([1, 3], [4, 3]).filter((place) => place.startsWith('y 0'))).toHaveLength(4)
})
