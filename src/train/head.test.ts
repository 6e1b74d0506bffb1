import { describe, expect, test } from 'vitest'
import { float32, float32Of, int64 } from '../base/index.ts'
import { networks } from '../nn/index.ts'
import { encodeModel, GraphBuilder, type Model, makeGraph, makeModel } from '../onnx/index.ts'
import { nodeRuntime as runtime } from '../runtime/node.ts'
import { headOf, newHead, scoresOf } from './head.ts'

/** A network of an input [N, ...dims] and what `body` makes of it. */
const network = (
  dims: readonly number[],
  body: (b: GraphBuilder, x: string) => string,
  out: (number | string)[],
): Model => {
  const graph = makeGraph('net')
  graph.inputs.push({ name: 'x', type: 'float32', dims: ['N', ...dims] })
  graph.outputs.push({ name: body(new GraphBuilder(graph), 'x'), type: 'float32', dims: out })
  return makeModel(graph)
}

const weight = (b: GraphBuilder, name: string, dims: readonly number[]) =>
  b.initializer(name, float32(dims, new Float32Array(dims.reduce((a, c) => a * c, 1)).fill(0.5)))

const answers = async (model: Model, dims: readonly number[]) => {
  const session = await runtime.open(model)
  const values = await session.run({ x: float32(dims, new Float32Array(dims.reduce((a, c) => a * c, 1)).fill(0.1)) })
  await session.close()
  return values[session.outputs[0]!]!
}

const tails: [string, Model, readonly number[], string[]][] = [
  [
    'Gemm and Softmax',
    network(
      [6],
      (b, x) => b.op('Softmax', [b.op('Gemm', [x, weight(b, 'w', [4, 6]), weight(b, 'c', [4])], { transB: 1 })]),
      ['N', 4],
    ),
    [2, 6],
    ['w', 'c'],
  ],
  [
    'MatMul, Add and a Reshape that names the classes',
    network(
      [6],
      (b, x) =>
        b.op('Reshape', [
          b.op('Add', [weight(b, 'c', [4]), b.op('MatMul', [x, weight(b, 'w', [6, 4])])]),
          b.constant(int64([2], [-1, 4])),
        ]),
      ['N', 4],
    ),
    [2, 6],
    ['w', 'c'],
  ],
  [
    'a transposed weight without bias',
    network([6], (b, x) => b.op('MatMul', [x, b.op('Transpose', [weight(b, 'w', [4, 6])], { perm: [1, 0] })]), [
      'N',
      4,
    ]),
    [2, 6],
    ['w'],
  ],
  [
    'a convolution, ReLU and pooling',
    network(
      [3, 5, 5],
      (b, x) =>
        b.op('Flatten', [
          b.op('GlobalAveragePool', [
            b.op('Relu', [b.op('Conv', [x, weight(b, 'w', [4, 3, 1, 1]), weight(b, 'c', [4])])]),
          ]),
        ]),
      ['N', 4],
    ),
    [2, 3, 5, 5],
    ['w', 'c'],
  ],
  [
    'scores of every pixel, enlarged',
    network(
      [3, 5, 5],
      (b, x) =>
        b.op(
          'Resize',
          [
            b.op('Conv', [x, weight(b, 'w', [4, 3, 1, 1]), weight(b, 'c', [4])]),
            '',
            '',
            b.constant(int64([4], [2, 4, 10, 10])),
          ],
          { mode: 'linear' },
        ),
      ['N', 4, 10, 10],
    ),
    [2, 3, 5, 5],
    ['w', 'c'],
  ],
]

describe('a new head', () => {
  test.each(tails)('%s', async (_, model, dims, drawn) => {
    const before = encodeModel(model)
    expect(headOf(model)?.classes).toBe(4)
    const { model: changed, head } = newHead(model, 7, { seed: 1 })
    expect(head).toMatchObject({ from: 4, to: 7, drawn })
    expect(encodeModel(model)).toEqual(before)
    const output = await answers(changed, dims)
    expect(output.dims[1]).toBe(7)
    expect(changed.graph.outputs[0]!.dims![1]).toBe(7)
    // The same seed draws the same weights, within 1/√(inputs).
    const values = float32Of(changed.graph.initializers.get('w')!)
    expect(float32Of(newHead(model, 7, { seed: 1 }).model.graph.initializers.get('w')!)).toEqual(values)
    const bound = 1 / Math.sqrt(dims[1]!)
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound)
    expect(Math.max(...values.map(Math.abs))).toBeGreaterThan(bound / 2)
  })

  test('tied weights stay with their other readers', () => {
    const model = network(
      [4],
      (b, x) => {
        const tied = weight(b, 'w', [4, 4])
        return b.op('Gemm', [b.op('Gemm', [x, tied], {}), tied], { transB: 1 })
      },
      ['N', 4],
    )
    const { model: changed, head } = newHead(model, 2)
    expect(head.drawn).toEqual(['w_head'])
    expect(changed.graph.initializers.get('w')).toBe(model.graph.initializers.get('w'))
    expect(changed.graph.initializers.get('w_head')!.dims).toEqual([2, 4])
  })

  test('of a network of this project', () => {
    const { model, head } = newHead(networks['seed-cnn']!.build({ seed: 0 }), 3)
    expect(head.from).toBe(10)
    expect(model.graph.outputs[0]!.dims).toEqual(['N', 3])
  })

  test('where no layer gives the scores by itself', () => {
    const model = network([6], (b, x) => b.op('Concat', [b.op('Gemm', [x, weight(b, 'w', [6, 4])]), x], { axis: 1 }), [
      'N',
      10,
    ])
    expect(headOf(model)).toBeUndefined()
    expect(() => newHead(model, 3)).toThrow('was not found')
    expect(() => newHead(networks['seed-cnn']!.build({ seed: 0 }), 1.5)).toThrow('1.5 classes')
  })
})

test('scores are what stands before the last Softmax', () => {
  const [softmax, , , pooled] = tails.map(([, model]) => model)
  expect(scoresOf(softmax!)).toBe(softmax!.graph.nodes[0]!.outputs[0])
  expect(scoresOf(pooled!)).toBe(pooled!.graph.outputs[0]!.name)
})
