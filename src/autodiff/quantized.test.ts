import { expect, test } from 'vitest'
import { float32, float32Of } from '../base/index.ts'
import { GraphBuilder, makeGraph, makeModel } from '../onnx/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { lossNamed, trainingGraph } from './index.ts'

test('a weight behind QuantizeLinear and DequantizeLinear gets the gradient of its rounded value, where nothing is clipped', async () => {
  const graph = makeGraph('quantized')
  graph.inputs.push({ name: 'x', type: 'float32', dims: ['N', 2] })
  const b = new GraphBuilder(graph)
  const scale = b.initializer('scale', float32([], [0.1]))
  const zero = b.initializer('zero', { type: 'int8', dims: [], bytes: Uint8Array.of(0) })
  // 0.1 · 127 is the largest there is: 20 is clipped.
  b.initializer('w', float32([2, 1], [0.52, 20]))
  const rounded = b.op('DequantizeLinear', [b.op('QuantizeLinear', ['w', scale, zero]), scale, zero])
  graph.outputs.push({ name: b.op('MatMul', ['x', rounded]), type: 'float32', dims: ['N', 1] })
  const model = makeModel(graph, { opset: 17 })

  const training = await trainingGraph(model, {
    runtime: nodeRuntime,
    inputs: { x: [1, 2] },
    loss: lossNamed('mse'),
    trainable: ['w'],
  })
  const session = await nodeRuntime.open(training.model)
  const values = await session.run({
    x: float32([1, 2], [2, 3]),
    w: graph.initializers.get('w')!,
    target: float32([1, 1], [0]),
  })
  await session.close()
  // y = 2 · 0.5 + 3 · 12.7, ∂L/∂w = 2y · x where w was not clipped.
  const y = 2 * 0.5 + 3 * 12.7
  const [first, second] = float32Of(values[training.gradients.get('w')!]!)
  expect(first).toBeCloseTo(2 * y * 2, 3)
  expect(second).toBe(0)
})
