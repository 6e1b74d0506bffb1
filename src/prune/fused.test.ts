import { expect, test } from 'vitest'
import { int32, int64 } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { prunableMacs, pruneModel } from './index.ts'
import { halve } from './testing/halve.ts'
import { Net } from './testing/networks.ts'

const runtime = nodeRuntime
const microsoft = { domain: 'com.microsoft' }

const finished = (net: Net, y: string): Model => {
  const model = net.model(y)
  model.opsets.set('com.microsoft', 1)
  return model
}

const attributeOf = (model: Model, opType: string, name: string) =>
  model.graph.nodes.find((node) => node.opType === opType)!.attributes.get(name)!.value

const linear = (net: Net, x: string, name: string, dims: [number, number]) =>
  net.b.op('Add', [net.b.op('MatMul', [x, net.weight(name, dims)]), net.weight(`${name}.bias`, [dims[1]])])

test('a block as an engine fuses it: whole heads go, and the hidden units between its products', async () => {
  const net = new Net([5, 6])
  const x = linear(net, 'x', 'in', [6, 8])
  const mixed = net.b.op(
    'Attention',
    [x, net.weight('qkv', [8, 48]), net.weight('qkv.bias', [48])],
    { num_heads: 4 },
    microsoft,
  )
  const sum = net.b.op(
    'SkipLayerNormalization',
    [x, net.b.op('MatMul', [mixed, net.weight('o', [16, 8])]), net.weight('gamma', [8]), net.weight('beta', [8])],
    {},
    microsoft,
  )
  const hidden = net.b.op(
    'FastGelu',
    [net.b.op('MatMul', [sum, net.weight('up', [8, 12])]), net.weight('up.bias', [12])],
    {},
    microsoft,
  )
  const model = finished(net, net.b.op('FusedMatMul', [hidden, net.weight('down', [3, 12])], { transB: 1 }, microsoft))
  const { model: pruned, plan, analysis } = await halve(model)
  expect(Object.fromEntries(plan.groups.map(({ name, kept, size }) => [name, `${kept}/${size}`]))).toEqual({
    in: '8/8',
    qkv: '2/4',
    up: '6/12',
  })
  expect(pruned.graph.initializers.get('qkv')!.dims).toEqual([8, 24])
  expect(attributeOf(pruned, 'Attention', 'num_heads')).toBe(2n)
  expect(prunableMacs(analysis)).toBeGreaterThan(0.5)
})

test('attention of given queries, keys and values loses whole heads', async () => {
  const net = new Net([5, 6])
  const parts = ['q', 'k', 'v'].map((name) => linear(net, 'x', name, [6, 16]))
  const mixed = net.b.op('MultiHeadAttention', parts, { num_heads: 4 }, microsoft)
  const { model } = await halve(finished(net, net.b.op('MatMul', [mixed, net.weight('o', [16, 3])])))
  expect(model.graph.initializers.get('o')!.dims).toEqual([8, 3])
})

test('query heads go with the key and value head they share', async () => {
  const net = new Net([5, 6])
  const [q, k, v] = [linear(net, 'x', 'q', [6, 64]), linear(net, 'x', 'k', [6, 32]), linear(net, 'x', 'v', [6, 32])]
  const first = net.b.op('Slice', [net.b.op('Shape', ['x']), net.b.ints([0]), net.b.ints([1])])
  const lengths = net.b.op('Expand', [net.b.constant(int32([1], [4])), first])
  const mixed = net.b.op(
    'GroupQueryAttention',
    [q!, k!, v!, '', '', lengths, net.b.constant(int32([], [5]))],
    { num_heads: 8, kv_num_heads: 4 },
    microsoft,
  )
  const { model, plan } = await halve(finished(net, net.b.op('MatMul', [mixed, net.weight('o', [64, 3])])))
  expect(attributeOf(model, 'GroupQueryAttention', 'num_heads')).toBe(4n)
  expect(attributeOf(model, 'GroupQueryAttention', 'kv_num_heads')).toBe(2n)
  expect(plan.slices.k!['1']).toHaveLength(16)
})

test('heads turned by their positions: whole ones go', async () => {
  const net = new Net([5, 6])
  const angles = ['cos', 'sin'].map((name) => net.weight(name, [5, 2]))
  const places = net.b.op('Expand', [
    net.b.constant(int64([1, 5], [0, 1, 2, 3, 4])),
    net.b.op(
      'Concat',
      [net.b.op('Slice', [net.b.op('Shape', ['x']), net.b.ints([0]), net.b.ints([1])]), net.b.ints([5])],
      {
        axis: 0,
      },
    ),
  ])
  const turned = (name: string) =>
    net.b.op('RotaryEmbedding', [linear(net, 'x', name, [6, 16]), places, ...angles], { num_heads: 4 }, microsoft)
  const parts = [turned('q'), turned('k'), linear(net, 'x', 'v', [6, 16])]
  const mixed = net.b.op('MultiHeadAttention', parts, { num_heads: 4 }, microsoft)
  const { model } = await halve(finished(net, net.b.op('MatMul', [mixed, net.weight('o', [16, 3])])))
  expect(attributeOf(model, 'RotaryEmbedding', 'num_heads')).toBe(2n)
  expect(model.graph.initializers.get('o')!.dims).toEqual([8, 3])
})

test('a convolution with moved windows loses channels', async () => {
  const net = new Net([3, 6, 6])
  const moved = (x: string, name: string, [out, inner]: [number, number]) => {
    const offset = net.conv('x', `${name}.offset`, [18, 3, 3])
    const weights = [net.weight(`${name}.weight`, [out, inner, 3, 3]), offset, net.weight(`${name}.bias`, [out])]
    return net.b.op('DeformConv', [x, ...weights], { pads: [1, 1, 1, 1], kernel_shape: [3, 3] })
  }
  const hidden = net.relu(moved('x', 'one', [8, 3]))
  const flat = net.flatten(net.b.op('GlobalAveragePool', [moved(hidden, 'two', [6, 8])]))
  const { model, plan } = await halve(net.model(net.dense(flat, 'out', [3, 6]), 19))
  expect(model.graph.initializers.get('two.weight')!.dims).toEqual([3, 4, 3, 3])
  expect(plan.frozen.filter(({ value }) => value.endsWith('offset.weight')).map(({ reason }) => reason)).toEqual(
    Array(2).fill(expect.stringMatching(/offsets serve all channels/)),
  )
})

test('the features of a first layer of words are approximate', async () => {
  const net = new Net([4])
  const ids = net.b.op('Cast', [net.b.op('Clip', ['x', net.b.scalar(0), net.b.scalar(4)])], { to: 6 })
  const tables = ['words', 'places'].map((name) => net.weight(name, [6, 8]))
  const rest = [net.weight('gamma', [8]), net.weight('beta', [8])]
  const [y] = net.b.ops('EmbedLayerNormalization', [ids, '', ...tables, '', ...rest], 2, {}, microsoft)
  const model = finished(net, net.b.op('MatMul', [y!, net.weight('out', [8, 3])]))
  const { plan, model: whole } = await halve(model)
  expect(plan.groups.map(({ exact, size }) => [exact, size])).toEqual([[false, 8]])
  expect(whole.graph.initializers.get('words')!.dims).toEqual([6, 8])
  const { model: pruned } = await pruneModel(model, { runtime, target: { ratio: 0.5 }, approximate: true })
  expect(pruned.graph.initializers.get('words')!.dims).toEqual([6, 4])
  expect(pruned.graph.initializers.get('gamma')!.dims).toEqual([4])
})
