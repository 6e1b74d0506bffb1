import { describe, expect, test } from 'vitest'
import { float32, int64 } from '../base/index.ts'
import { makeGraph, makeNode, type Node } from '../onnx/index.ts'
import { parametersOf, rolesOf } from './roles.ts'

const graphOf = (dims: Record<string, number[]>, nodes: Node[]) => {
  const graph = makeGraph('g')
  for (const [name, shape] of Object.entries(dims))
    graph.initializers.set(name, float32(shape, new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(1)))
  graph.nodes.push(...nodes)
  return graph
}

describe('the role of an initializer comes from the nodes that use it', () => {
  test.each([
    ['Conv weight', [2, 3, 3, 3], makeNode('Conv', ['x', 'w'], ['y']), { role: 'conv' }],
    ['Conv1d weight', [2, 3, 5], makeNode('Conv', ['x', 'w'], ['y']), { role: 'conv' }],
    [
      'ConvTranspose weight',
      [4, 3, 2, 2],
      makeNode('ConvTranspose', ['x', 'w'], ['y'], { group: 2 }),
      { role: 'conv-transpose', groups: 2 },
    ],
    ['Gemm with transB', [5, 7], makeNode('Gemm', ['x', 'w', 'c'], ['y'], { transB: 1 }), { role: 'dense' }],
    ['Gemm', [7, 5], makeNode('Gemm', ['x', 'w'], ['y']), { role: 'dense-in-out' }],
    ['Gemm, on the left', [5, 7], makeNode('Gemm', ['w', 'x'], ['y']), { role: 'dense' }],
    ['MatMul', [7, 5], makeNode('MatMul', ['x', 'w'], ['y']), { role: 'dense-in-out' }],
    ['MatMul, on the left', [5, 7], makeNode('MatMul', ['w', 'x'], ['y']), { role: 'dense' }],
    ['Gather', [10, 4], makeNode('Gather', ['w', 'i'], ['y']), { role: 'embedding' }],
    ['LSTM input weights', [1, 16, 3], makeNode('LSTM', ['x', 'w', 'r'], ['y']), { role: 'dense' }],
    ['a bias of four axes', [1, 3, 1, 1], makeNode('Add', ['x', 'w'], ['y']), { role: 'vector' }],
    ['a bias', [3], makeNode('Conv', ['x', 'v', 'w'], ['y']), { role: 'vector' }],
    [
      'an operator of no rule',
      [3, 3],
      makeNode('Einsum', ['x', 'w'], ['y'], { equation: 'ij,jk->ik' }),
      { role: 'other' },
    ],
  ] as const)('%s', (_, dims, node, expected) => {
    expect(rolesOf(graphOf({ w: [...dims] }, [node])).get('w')).toEqual(expected)
  })

  test('seen through a Transpose the layout is the other one', () => {
    const nodes = [makeNode('Transpose', ['w'], ['t'], { perm: [1, 0] }), makeNode('MatMul', ['x', 't'], ['y'])]
    expect(rolesOf(graphOf({ w: [5, 7] }, nodes)).get('w')).toEqual({ role: 'dense' })
  })

  test('a tied embedding is an embedding first', () => {
    const nodes = [makeNode('MatMul', ['x', 'w'], ['y']), makeNode('Gather', ['w', 'i'], ['z'])]
    expect(rolesOf(graphOf({ w: [10, 4] }, nodes)).get('w')).toEqual({ role: 'embedding' })
  })
})

test('parameters hold copies of the values', () => {
  const graph = graphOf({ w: [2, 2] }, [makeNode('MatMul', ['x', 'w'], ['y'])])
  const [w] = parametersOf(graph, ['w'])
  expect(w).toMatchObject({ name: 'w', dims: [2, 2], role: 'dense-in-out' })
  w!.values[0] = 9
  expect(parametersOf(graph, ['w'])[0]!.values[0]).toBe(1)
})

test('what cannot be trained is named', () => {
  const graph = graphOf({}, [])
  graph.initializers.set('shape', int64([2], [1, 2]))
  expect(() => parametersOf(graph, ['shape'])).toThrow(/'shape'.*int64 tensor cannot be trained/)
  expect(() => parametersOf(graph, ['nothing'])).toThrow(/'nothing'.*no such initializer/)
})
