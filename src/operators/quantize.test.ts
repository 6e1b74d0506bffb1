import { expect, test } from 'vitest'
import { float32, numbersOf, type Tensor } from '../base/index.ts'
import { GraphBuilder, makeGraph, makeModel, makeNode } from '../onnx/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { quantize } from './quantize.ts'

test('rounding passes the gradient straight through, clipping stops it', async () => {
  const values: Record<string, Tensor> = {
    x: float32([4], [0.26, -0.9, 100, -100]),
    scale: float32([], [0.5]),
    zero: { type: 'int8', dims: [], bytes: Uint8Array.of(3) },
  }
  const graph = makeGraph('quantize')
  for (const [name, tensor] of Object.entries(values)) graph.initializers.set(name, tensor)
  graph.initializers.set('dq', float32([4], [1, 2, 3, 4]))
  const node = makeNode('QuantizeLinear', ['x', 'scale', 'zero'], ['q'])
  graph.nodes.push(node)
  const type = (name: string) => (name === 'q' ? 'int8' : values[name]!.type)
  const names = quantize.QuantizeLinear.gradient({
    node,
    opset: 17,
    dims: (name) => (name === 'q' ? [4] : values[name]!.dims),
    type,
    constant: () => undefined,
    grads: ['dq'],
    wants: (input) => input < 2,
    b: new GraphBuilder(graph, 'gradient'),
  })
  graph.outputs = names.map((name) => ({ name: name!, type: 'float32' }))
  const session = await nodeRuntime.open(makeModel(graph))
  const out = await session.run({})
  await session.close()
  // dq/s where round(x/s) + z lies in [−128, 127].
  expect(numbersOf(out[names[0]!]!)).toEqual([2, 4, 0, 0])
  // −Σ dq·x/s²
  expect(numbersOf(out[names[1]!]!)[0]).toBeCloseTo(-(0.26 * 4 - 2 * 0.9 * 4), 5)
})
