import { expect, test } from 'vitest'
import { float32, float32Of } from '../base/index.ts'
import { type Graph, makeGraph, makeModel, makeNode } from '../onnx/index.ts'
import { nodeRuntime as runtime } from '../runtime/node.ts'
import { separateMerged, trainableInitializers, trainingGraph } from './index.ts'

/** A fresh normalization as exporters write it: one tensor of ones and one of zeros. */
const merged = (through: 'identity' | 'name'): Graph => {
  const graph = makeGraph('merged')
  graph.inputs.push({ name: 'x', type: 'float32', dims: ['N', 2] })
  graph.initializers.set('bn.weight', float32([2], [1, 1]))
  graph.initializers.set('bn.bias', float32([2], [0, 0]))
  const [mean, variance] = through === 'name' ? ['bn.bias', 'bn.weight'] : ['bn.running_mean', 'bn.running_var']
  if (through === 'identity')
    graph.nodes.push(makeNode('Identity', ['bn.bias'], [mean]), makeNode('Identity', ['bn.weight'], [variance]))
  graph.nodes.push(
    makeNode('BatchNormalization', ['x', 'bn.weight', 'bn.bias', mean, variance], ['y'], {}, { name: 'bn' }),
  )
  graph.outputs.push({ name: 'y', type: 'float32' })
  return graph
}

test.each(['identity', 'name'] as const)(
  'statistics merged with weights are their own again: by %s',
  async (through) => {
    const model = separateMerged(makeModel(merged(through)))
    expect([...model.graph.initializers.keys()].sort()).toEqual([
      ...['bn.bias', 'bn.running_mean', 'bn.running_var', 'bn.weight'],
    ])
    expect(trainableInitializers(model.graph)).toEqual(['bn.weight', 'bn.bias'])
    const training = await trainingGraph(model, { runtime, inputs: { x: [4, 2] } })
    expect(training.updates.map(({ initializer }) => initializer)).toEqual(['bn.running_mean', 'bn.running_var'])
    expect([...training.gradients.keys()].sort()).toEqual(['bn.bias', 'bn.weight'])
  },
)

test('what is computed stays the same, and larger weights stay tied', async () => {
  const graph = merged('identity')
  graph.initializers.set('w', float32([2, 2], [1, 2, 3, 4]))
  graph.nodes.push(
    makeNode('Identity', ['w'], ['w2']),
    makeNode('MatMul', ['y', 'w'], ['a']),
    makeNode('MatMul', ['a', 'w2'], ['z']),
  )
  graph.outputs = [{ name: 'z', type: 'float32' }]
  const before = makeModel(graph)
  const after = separateMerged(before)
  expect(after.graph.nodes.map(({ opType }) => opType)).toEqual(['BatchNormalization', 'Identity', 'MatMul', 'MatMul'])
  const answers = await Promise.all(
    [before, after].map(async (model) => {
      const session = await runtime.open(model)
      const values = await session.run({ x: float32([1, 2], [0.5, -1]) })
      await session.close()
      return float32Of(values.z!)
    }),
  )
  expect(answers[1]).toEqual(answers[0])
})
