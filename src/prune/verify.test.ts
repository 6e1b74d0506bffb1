import { describe, expect, test } from 'vitest'
import { float32, float32Of } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { pruneModel, verifyPlan } from './index.ts'
import { Net } from './testing/networks.ts'

const runtime = nodeRuntime

describe('a network that chooses', () => {
  /** The row of a table that the best of three scores names; the scores hardly vary from `bias`. */
  const chooser = (bias: number[]): Model => {
    const net = new Net([5])
    const hidden = net.relu(net.dense('x', 'one', [8, 5]))
    const varied = net.b.op('Mul', [net.dense(hidden, 'two', [3, 8]), net.b.scalar(1e-7)])
    const scores = net.b.op('Add', [varied, net.b.initializer('bias', float32([3], bias))])
    const [, best] = net.b.ops('TopK', [scores, net.b.ints([1])], 2, { axis: 1 })
    return net.model(net.b.op('Gather', [net.weight('table', [3, 4]), best!]))
  }

  const perturbed = async (by: number) => {
    const model = chooser([1, 1 - 1e-5, 0.5])
    const { model: pruned, plan } = await pruneModel(model, { runtime, target: { ratio: 0.5 } })
    pruned.graph.initializers.set('bias', float32([3], [1, 1 + by, 0.5]))
    return verifyPlan(model, pruned, plan, { runtime })
  }

  test('is held to the numbers it chose by where a near tie fell the other way', async () => {
    const proof = await perturbed(1e-5)
    expect(proof.choices).toHaveLength(1)
    expect(proof.difference).toBeGreaterThan(1e-6)
    expect(proof.difference).toBeLessThan(1e-4)
    expect(proof.outputs.map(({ output }) => output)).toEqual(expect.arrayContaining(['Add_out']))
  })

  test('is found out when it was no tie', async () => {
    const proof = await perturbed(0.3)
    expect(proof.difference).toBeGreaterThan(1e-2)
    expect(proof.equal).toBe(false)
  })

  test('needs none of that where both choose alike', async () => {
    const model = chooser([1, 0.9, 0.5])
    const { model: pruned, plan } = await pruneModel(model, { runtime, target: { ratio: 0.5 } })
    const proof = await verifyPlan(model, pruned, plan, { runtime })
    expect(proof).toMatchObject({ equal: true, choices: [] })
    expect(plan.groups.map(({ name, kept }) => [name, kept])).toEqual([['one.weight', 4]])
  })
})

test('regions of an image carry its channels on', async () => {
  const net = new Net([2, 6, 6])
  const map = net.relu(net.conv('x', 'conv', [8, 2, 3]))
  const rois = net.b.constant(float32([2, 4], [0, 0, 3, 3, 1, 1, 5, 4]))
  const images = net.b.ints([0, 0])
  const regions = net.b.op('RoiAlign', [map, rois, images], { output_height: 2, output_width: 2, sampling_ratio: 2 })
  const model = net.model(net.dense(net.flatten(regions), 'fc', [3, 32]))
  const { model: pruned, plan } = await pruneModel(model, { runtime, target: { ratio: 0.5 } })
  expect(plan.slices['conv.weight']?.['0']).toHaveLength(4)
  expect(plan.slices['fc.weight']?.['1']).toHaveLength(16)
  expect(await verifyPlan(model, pruned, plan, { runtime })).toMatchObject({ equal: true })
})

test('a sigmoid far from its middle is held to its argument', async () => {
  const net = new Net([5])
  const hidden = net.relu(net.dense('x', 'one', [8, 5]))
  const far = net.b.op('Sub', [net.dense(hidden, 'two', [3, 8]), net.b.scalar(14)])
  const model = net.model(net.b.op('Sigmoid', [far]))
  const { model: pruned, plan } = await pruneModel(model, { runtime, target: { ratio: 0.5 } })
  const bias = pruned.graph.initializers.get('two.bias')!
  pruned.graph.initializers.set(
    'two.bias',
    float32(
      [3],
      [6e-4, 0, 0].map((n, i) => n + float32Of(bias)[i]!),
    ),
  )
  const proof = await verifyPlan(model, pruned, plan, { runtime })
  expect(proof.outputs.map(({ output }) => output)).toContain('Sub_out')
  expect(proof.difference).toBeGreaterThan(1e-6)
  expect(proof.difference).toBeLessThan(1e-4)
})
