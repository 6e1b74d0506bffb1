import { describe, expect, test } from 'vitest'
import { float32, type Tensor } from '../../base/index.ts'
import { makeGraph, makeModel, makeNode } from '../../onnx/index.ts'
import type { Group, Member } from '../types.ts'
import { type CriterionName, criteria, criterionOf, kernelStatistics } from './index.ts'
import type { ScoreContext } from './types.ts'
import { memberWeights } from './weights.ts'

/** A group whose units are the rows of a matrix. */
const rows = (values: readonly (readonly number[])[], place: Partial<Member> = {}): ScoreContext => {
  const tensor: Tensor = float32([values.length, values[0]!.length], values.flat())
  const indices = Int32Array.from(values.keys())
  const member: Member = {
    initializer: 'w',
    axis: 0,
    role: 'produces',
    node: 'n',
    operator: 'Conv',
    input: 1,
    perUnit: 1,
    indices,
    ...place,
  }
  const group: Group = { name: 'w', size: values.length, members: [member], roots: indices }
  const weights = memberWeights(group, member, tensor)
  return { group, member: weights, members: [weights] }
}

const score = (name: CriterionName, context: ScoreContext, seed?: number) => [...criterionOf(name, seed).score(context)]

describe('criteria', () => {
  const context = rows([
    [1, -2],
    [3, 4],
    [-3, -4],
    [0, 0],
  ])

  test('of a kernel on its own', () => {
    expect(score('sum', context)).toEqual([-1, 7, -7, 0])
    expect(score('l1', context)).toEqual([3, 7, 7, 0])
    expect(score('l2', context)).toEqual([Math.sqrt(5), 5, 5, 0])
    expect(score('mean', context)).toEqual([-0.5, 3.5, -3.5, 0])
    expect(score('std', context)).toEqual([1.5, 0.5, 0.5, 0])
  })

  test('fpgm keeps signs and leaves a filter out of its own sum', () => {
    const [a, b, c] = score(
      'fpgm',
      rows([
        [3, 4],
        [-3, -4],
        [0, 0],
      ]),
    )
    expect([a, b, c]).toEqual([15, 15, 10])
  })

  test('lamp: the best of a layer scores 1, equals score alike', () => {
    expect(score('lamp', rows([[1], [2], [-2], [3]]))).toEqual([1 / 18, 4 / 17, 4 / 17, 1])
    expect(score('lamp', rows([[0], [0]]))).toEqual([0, 0])
  })

  test('bn-gamma adds up |scale| of the normalizations, and says when there is none', () => {
    const scales = rows([[-2], [1]], { operator: 'BatchNormalization', input: 1 })
    const shifts = rows([[9], [9]], { operator: 'BatchNormalization', input: 2 })
    const both = { ...scales, members: [...scales.members, ...scales.members, ...shifts.members] }
    expect(score('bn-gamma', both)).toEqual([4, 2])
    expect(() => score('bn-gamma', context)).toThrow("group 'w' has no BatchNormalization")
  })

  test('random repeats with its seed and differs without', () => {
    expect(score('random', context, 3)).toEqual(score('random', context, 3))
    expect(score('random', context, 3)).not.toEqual(score('random', context, 4))
  })

  test('a unit of several indices is scored over all of them', () => {
    const tensor = float32([1, 4, 2], [1, 2, 3, 4, 5, 6, 7, 8])
    const member: Member = {
      initializer: 'w',
      axis: 1,
      role: 'produces',
      node: 'n',
      operator: 'Conv',
      input: 1,
      perUnit: 2,
      indices: Int32Array.of(0, 2, 1, 3),
    }
    const group: Group = { name: 'w', size: 2, members: [member], roots: Int32Array.of(0, 1) }
    const weights = memberWeights(group, member, tensor)
    expect([...weights.moments().sum]).toEqual([1 + 2 + 5 + 6, 3 + 4 + 7 + 8])
    expect([...weights.rows()]).toEqual([1, 2, 5, 6, 3, 4, 7, 8])
  })

  test('an unknown name lists the known ones', () => {
    expect(() => criterionOf('taylor17')).toThrow(`use one of ${Object.keys(criteria).join(', ')}`)
  })
})

test('the table of kernels knows each layer its own axis', () => {
  const graph = makeGraph('g')
  graph.initializers.set('conv', float32([2, 1, 1, 2], [1, 2, 3, 5]))
  graph.initializers.set('mat', float32([2, 3], [1, 2, 3, 4, 5, 6]))
  graph.initializers.set('lin', float32([2, 3], [1, 2, 3, 4, 5, 6]))
  graph.nodes.push(
    makeNode('Conv', ['x', 'conv'], ['a'], {}, { name: 'c' }),
    makeNode('MatMul', ['a', 'mat'], ['b']),
    makeNode('Gemm', ['b', 'lin'], ['y'], { transB: 1 }),
  )
  const table = kernelStatistics(makeModel(graph))
  expect(table.map(({ layer, axis }) => [layer, axis])).toEqual([
    ['conv', 0],
    ['mat', 1],
    ['lin', 0],
  ])
  expect([...table[0]!.sum]).toEqual([3, 8])
  expect([...table[1]!.l1]).toEqual([5, 7, 9])
  expect([...table[2]!.mean]).toEqual([2, 5])
  expect([...table[0]!.std]).toEqual([0.5, 1])
})
