import { describe, expect, test } from 'vitest'
import { float32, float32Of, numbersOf, sizeOf, type Tensor } from '../base/index.ts'
import { GraphBuilder, type Model, makeGraph, makeModel } from '../onnx/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import {
  add,
  attention,
  averagePool,
  batchNorm,
  buildModel,
  conv,
  dropout,
  flatten,
  gelu,
  globalAveragePool,
  lastHiddenOf,
  layerNorm,
  linear,
  maxPool,
  meanOfTokens,
  type Net,
  patches,
  positions,
  relu,
  relu6,
  tokenLinear,
  transformerBlock,
  type Value,
  weightNorm,
  weightStandardization,
} from './index.ts'

const built = (dims: number[], body: (net: Net, x: Value) => Value): Model =>
  buildModel('test', { dims }, { seed: 5 }, body)

const wave = (dims: number[]) =>
  float32(
    dims,
    Array.from({ length: sizeOf(dims) }, (_, i) => Math.sin(3 * i)),
  )

const run = async (model: Model, input: Tensor, extra: string[] = []): Promise<Record<string, Tensor>> => {
  const outputs = extra.map((name) => ({ name, type: 'float32' as const }))
  const tapped = { ...model, graph: { ...model.graph, outputs: [...model.graph.outputs, ...outputs] } }
  const session = await nodeRuntime.open(tapped)
  const values = await session.run({ input })
  await session.close()
  return { ...values }
}

/** The shape a layer promises while a network is written is the shape it has when it runs. */
test.each<[string, number[], (net: Net, x: Value) => Value]>([
  ['conv', [3, 9, 7], (net, x) => conv(net, 'c', x, { to: 4, kernel: 3 })],
  ['conv with stride and pad', [3, 9, 8], (net, x) => conv(net, 'c', x, { to: 4, kernel: 3, stride: 2, pad: 1 })],
  ['depthwise conv', [4, 9, 8], (net, x) => conv(net, 'c', x, { to: 4, kernel: 3, groups: 4, bias: false })],
  ['maxPool', [2, 7, 6], (net, x) => maxPool(net, x, { kernel: 2 })],
  ['maxPool, same', [2, 7, 6], (net, x) => maxPool(net, x, { kernel: 2, padding: 'same' })],
  ['overlapping maxPool, same', [2, 7, 6], (net, x) => maxPool(net, x, { kernel: 3, stride: 2, padding: 'same' })],
  ['averagePool', [2, 9, 6], (net, x) => averagePool(net, x, { kernel: 3, stride: 2 })],
  ['globalAveragePool', [2, 9, 6], globalAveragePool],
  ['batchNorm', [2, 9, 6], (net, x) => batchNorm(net, 'bn', x)],
  ['flatten', [2, 9, 6], flatten],
  ['dropout', [2, 9, 6], dropout],
  ['linear', [5], (net, x) => linear(net, 'l', x, { to: 3 })],
  ['relu', [5], relu],
  ['relu6', [5], relu6],
  ['patches', [3, 8, 8], (net, x) => patches(net, 'p', x, { to: 6, size: 4 })],
  ['tokenLinear', [5, 4], (net, x) => tokenLinear(net, 't', x, { to: 3 })],
  ['layerNorm', [5, 4], (net, x) => layerNorm(net, 'n', x)],
  ['gelu', [5, 4], gelu],
  ['attention', [5, 4], (net, x) => attention(net, 'a', x, { heads: 2 })],
  ['transformerBlock', [5, 4], (net, x) => transformerBlock(net, 'b', x, { heads: 2, causal: true })],
  ['positions', [5, 4], (net, x) => positions(net, 'p', x)],
  ['meanOfTokens', [5, 4], meanOfTokens],
  ['add', [5], (net, x) => add(net, 'sum', relu(net, x), x)],
])('%s', async (_, dims, body) => {
  const model = built(dims, body)
  const [output] = model.graph.outputs
  const values = await run(model, wave([2, ...dims]))
  expect([...values[output!.name]!.dims.slice(1)]).toEqual(output!.dims!.slice(1))
})

test('same pooling keeps what lies past the last whole window, and padding never counts', async () => {
  const model = built([1, 3, 3], (net, x) => maxPool(net, x, { kernel: 2, padding: 'same' }))
  const input = float32([1, 1, 3, 3], [-1, -2, -3, -4, -5, -6, -7, -8, -9])
  const [output] = Object.values(await run(model, input))
  expect(numbersOf(output!)).toEqual([-1, -3, -7, -9])
  const mean = built([1, 3, 3], (net, x) => averagePool(net, x, { kernel: 2, padding: 'same' }))
  const [means] = Object.values(await run(mean, input))
  expect(numbersOf(means!)).toEqual([-3, -4.5, -7.5, -9])
})

test('gelu and relu6 are their formulas', async () => {
  const x = float32([1, 5], [-2, -0.5, 0, 1, 7])
  const [bent] = Object.values(await run(built([5], gelu), x))
  const expected = [-0.04550026, -0.15426877, 0, 0.84134475, 7]
  numbersOf(bent!).forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i]!, 5)
  })
  const [cut] = Object.values(await run(built([5], relu6), x))
  expect(numbersOf(cut!)).toEqual([0, 0, 0, 1, 6])
})

describe('weight normalization', () => {
  const model = built([6], (net, x) => linear(net, 'l', x, { to: 3, weight: weightNorm }))
  const plainModel = built([6], (net, x) => linear(net, 'l', x, { to: 3 }))

  test('starts as the weight itself, in direction and length', async () => {
    const x = wave([2, 6])
    const [normed, plain] = [(await run(model, x)).l, (await run(plainModel, x)).l]
    float32Of(normed!).forEach((value, i) => {
      expect(value).toBeCloseTo(float32Of(plain!)[i]!, 6)
    })
  })

  test('the length of each unit is its g, whatever v', async () => {
    const { initializers } = model.graph
    expect(initializers.get('l.weight_g')!.dims).toEqual([3, 1])
    const changed = { ...model, graph: { ...model.graph, initializers: new Map(initializers) } }
    changed.graph.initializers.set('l.weight_g', float32([3, 1], [1, 2, 3]))
    changed.graph.initializers.set('l.weight_v', wave([3, 6]))
    const weight = numbersOf((await run(changed, wave([1, 6]), ['l.weight']))['l.weight']!)
    for (const unit of [0, 1, 2]) expect(Math.hypot(...weight.slice(6 * unit, 6 * unit + 6))).toBeCloseTo(unit + 1, 5)
  })
})

test('weight standardization: every filter has mean 0 and variance 1', async () => {
  const model = built([3, 6, 6], (net, x) => conv(net, 'c', x, { to: 4, kernel: 3, weight: weightStandardization }))
  const values = await run(model, wave([1, 3, 6, 6]), ['c.weight.standardized'])
  const weight = numbersOf(values['c.weight.standardized']!)
  for (const filter of [0, 1, 2, 3]) {
    const w = weight.slice(27 * filter, 27 * filter + 27)
    const mean = w.reduce((sum, x) => sum + x, 0) / 27
    expect(mean).toBeCloseTo(0, 5)
    expect(w.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 27).toBeCloseTo(1, 2)
  }
})

describe('lastHiddenOf', () => {
  test('looks behind softmax, bias and a computed weight, and past products of two activations', () => {
    const graph = makeGraph('test')
    graph.inputs = [{ name: 'x', type: 'float32', dims: ['N', 4] }]
    const b = new GraphBuilder(graph)
    const hidden = b.op('Relu', [b.op('MatMul', ['x', b.initializer('w1', wave([4, 4]))])])
    const weight = b.op('Transpose', [b.initializer('w2', wave([3, 4]))])
    const scores = b.op('Add', [b.op('MatMul', [hidden, weight]), b.initializer('bias', wave([3]))])
    const mixed = b.op('MatMul', [b.op('Softmax', [scores]), b.op('Transpose', [scores])])
    graph.outputs = [{ name: mixed, type: 'float32' }]
    expect(lastHiddenOf(makeModel(graph))).toBe(hidden)
  })

  test('says when there is none', () => {
    const graph = makeGraph('test')
    graph.inputs = [{ name: 'x', type: 'float32' }]
    graph.outputs = [{ name: new GraphBuilder(graph).op('Relu', ['x']), type: 'float32' }]
    expect(() => lastHiddenOf(makeModel(graph))).toThrow(/no Gemm or MatMul/)
  })
})

test.each<[string, (net: Net, x: Value) => Value, RegExp]>([
  ['a dense layer on an image', (net, x) => linear(net, 'l', x, { to: 3 }), /'l' takes \[N, features\].*flatten first/],
  ['a convolution on a vector', (net, x) => conv(net, 'c', flatten(net, x), { to: 1, kernel: 1 }), /'c' takes/],
  ['a sum of two shapes', (net, x) => add(net, 's', x, flatten(net, x)), /'s' adds \[2, 3, 3\] and \[18\]/],
])('%s is refused by the layer it is in', (_, body, message) => {
  expect(() => built([2, 3, 3], body)).toThrow(message)
})
