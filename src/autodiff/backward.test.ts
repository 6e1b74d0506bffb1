import { describe, expect, test } from 'vitest'
import { float32, float32Of } from '../base/index.ts'
import { GraphBuilder, type Model, makeGraph, makeModel } from '../onnx/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { lossNamed, trainingGraph } from './index.ts'

/** y = f(x·w), f being one node. */
const modelWith = (f: (b: GraphBuilder, product: string) => string): Model => {
  const graph = makeGraph('path')
  graph.inputs.push({ name: 'x', type: 'float32', dims: [2, 3] })
  const b = new GraphBuilder(graph)
  b.initializer('w', float32([3, 3], [1, 0, 2, 0, 1, 0, 1, 1, 1]))
  b.initializer('v', float32([3], [1, 2, 3]))
  graph.outputs.push({ name: f(b, b.op('MatMul', ['x', 'w'])), type: 'float32' })
  const model = makeModel(graph)
  model.opsets.set('com.microsoft', 1)
  return model
}

const inverse = (b: GraphBuilder, of: string) =>
  b.op(
    'Inverse',
    [b.op('Slice', [of, b.ints([0]), b.ints([2]), b.ints([1])])],
    {},
    { domain: 'com.microsoft', name: 'turned' },
  )

const options = { runtime: nodeRuntime, inputs: { x: [2, 3] }, loss: lossNamed('mse') }

describe('an operator without a gradient', () => {
  test('on the way from a trainable weight to the loss is an error that names node and operator', async () => {
    const model = modelWith(inverse)
    await expect(trainingGraph(model, { ...options, trainable: ['w'] })).rejects.toThrow(
      /node 'turned', operator 'com.microsoft.Inverse'.*no gradient is known for operator Inverse/,
    )
  })

  test('off that way is no obstacle', async () => {
    const model = modelWith((b, product) => {
      const other = inverse(b, 'x')
      return b.op('MatMul', [other, b.op('Add', [product, 'v'])])
    })
    const training = await trainingGraph(model, { ...options, trainable: ['v'] })
    const session = await nodeRuntime.open(training.model)
    const values = await session.run({
      x: float32([2, 3], [2, 1, 0, 1, 1, 0]),
      v: model.graph.initializers.get('v')!,
      target: float32([2, 3], [0, 0, 0, 0, 0, 0]),
    })
    await session.close()
    expect(float32Of(values[training.gradients.get('v')!]!).some((value) => value !== 0)).toBe(true)
  })

  test('behind a part of the loss no weight takes part in is no obstacle either', async () => {
    const model = modelWith((b, product) =>
      b.op('Add', [b.op('ReduceSum', [inverse(b, 'x')], { keepdims: 0 }), product]),
    )
    const training = await trainingGraph(model, { ...options, trainable: ['w'] })
    expect([...training.gradients.keys()]).toEqual(['w'])
  })
})
