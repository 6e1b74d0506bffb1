import { expect, test } from 'vitest'
import { float32, float32Of, int64, random, type Tensor } from '../../base/index.ts'
import { networks } from '../../nn/index.ts'
import type { Model } from '../../onnx/index.ts'
import { nodeRuntime as runtime } from '../../runtime/node.ts'
import { smallResnet } from '../../train/testing/samples.ts'
import { type TrainingGraph, trainingGraph } from '../index.ts'

/** Everything a step gives, by name. */
const stepOf = async (model: Model, dims: readonly number[], recompute: boolean) => {
  const [input] = model.graph.inputs
  const training = await trainingGraph(model, { runtime, inputs: { [input!.name]: dims }, recompute })
  const dice = random(4)
  const feeds: { [name: string]: Tensor } = {
    [input!.name]: float32(
      dims,
      Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => dice.normal()),
    ),
    labels: int64(
      [dims[0]!],
      Array.from({ length: dims[0]! }, (_, i) => i % 10),
    ),
  }
  for (const { name } of training.model.graph.inputs) {
    const weight = model.graph.initializers.get(name)
    // Copies, since the running statistics are written over.
    if (weight) feeds[name] = { ...weight, bytes: weight.bytes.slice() }
  }
  const session = await runtime.open(training.model, { threads: 1 })
  const values = await session.run(feeds)
  await session.close()
  const again = training.model.graph.nodes.filter(({ name }) => name.includes('_again'))
  return {
    again: again.map(({ opType }) => opType),
    loss: float32Of(values[training.loss]!)[0]!,
    gradients: new Map([...training.gradients].map(([name, output]) => [name, float32Of(values[output]!)])),
    updates: new Map(training.updates.map(({ initializer, value }) => [initializer, float32Of(values[value]!)])),
    held: heldFor(training),
  }
}

/** How many values of the forward pass are still read when the loss is known. */
const heldFor = ({ model: { graph }, loss }: TrainingGraph): number => {
  const end = graph.nodes.findIndex(({ outputs }) => outputs.includes(loss))
  const forward = new Set(graph.nodes.slice(0, end + 1).flatMap(({ outputs }) => outputs))
  return new Set(graph.nodes.slice(end + 1).flatMap(({ inputs }) => inputs.filter((name) => forward.has(name)))).size
}

test.each([
  ['a residual network with batch statistics', () => smallResnet(3), [4, 1, 14, 14]],
  ['resnet-20', () => networks['resnet-20']!.build({ seed: 1 }), [2, 3, 32, 32]],
  ['vgg-small', () => networks['vgg-small']!.build({ seed: 1 }), [2, 3, 32, 32]],
])('computing activations anew gives the same loss, gradients and statistics: %s', async (_, build, dims) => {
  const plain = await stepOf(build(), dims, false)
  const anew = await stepOf(build(), dims, true)
  expect(plain.again).toEqual([])
  expect(anew.again.length).toBeGreaterThan(2)
  expect(anew.held).toBeLessThan(plain.held)
  expect(anew.loss).toBe(plain.loss)
  expect([...anew.gradients.keys()]).toEqual([...plain.gradients.keys()])
  const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))
  const largest = Math.max(...[...plain.gradients.values()].map(norm))
  for (const [name, gradient] of plain.gradients) {
    const off = norm(gradient.map((g, i) => g - anew.gradients.get(name)![i]!))
    // A gradient that is zero but for rounding has no scale of its own.
    expect(off, name).toBeLessThan(1e-6 * norm(gradient) + 1e-8 * largest)
  }
  for (const [name, values] of plain.updates) expect(anew.updates.get(name), name).toEqual(values)
})
