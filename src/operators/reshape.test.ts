import { describe, expect, test } from 'vitest'
import { int64, type Tensor } from '../base/index.ts'
import { makeNode } from '../onnx/index.ts'
import { reshape } from './reshape.ts'
import { factsOf } from './testing/axes.ts'
import type { NodeContext } from './types.ts'

const contextOf = (
  op: string,
  from: readonly number[],
  to: readonly number[],
  constant: Tensor | undefined,
): NodeContext => ({
  node: makeNode(op, ['x', 'shape'], ['y']),
  opset: 17,
  dims: (name) => (name === 'x' ? from : name === 'y' ? to : [to.length]),
  type: () => 'float32',
  constant: () => constant,
})

/** The units of a Reshape: each a list of places 'value axis index', under one reading of its choice. */
const unitsOf = (
  from: readonly number[],
  to: readonly number[],
  reading = 0,
  target: 'constant' | 'computed' = 'constant',
) => {
  const constant = target === 'constant' ? int64([to.length], to) : undefined
  return [...factsOf(contextOf('Reshape', from, to, constant), reading).units.values()]
}

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

  test('a computed target is frozen where a constant could not stand for it', () => {
    expect(unitsOf([5, 7, 12], [5, 7, 3, 4], 0, 'computed').length).toBeGreaterThan(0)
    expect(unitsOf([5, 12, 7, 7], [5, 2, 6, 49], 0, 'computed')).toEqual([])
  })

  test('a computed target is replaced by copies and one inferred size', () => {
    const context = contextOf('Reshape', [5, 7, 12], [5, 7, 3, 4], undefined)
    const kept = ({ value, axis }: { value: string; axis: number }) =>
      value === 'y' && axis === 2 ? [0, 2] : value === 'x' && axis === 2 ? [0, 1, 2, 3, 8, 9, 10, 11] : undefined
    const found: Tensor[] = []
    reshape.Reshape.resize({ ...context, kept, setConstant: (_, tensor) => void found.push(tensor) })
    expect(found).toEqual([int64([4], [0, 0, 2, -1])])
  })
})

test('a shape computed at run time freezes an Expand that stretches', () => {
  const free = (constant: Tensor | undefined, from: number[], to: number[]) =>
    [...factsOf(contextOf('Expand', from, to, constant), 0).units.values()].flat()
  expect(free(undefined, [1, 3], [4, 3])).toEqual([])
  expect(free(undefined, [2, 3], [2, 3])).toHaveLength(10)
})
