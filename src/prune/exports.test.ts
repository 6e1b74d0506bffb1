import { describe, expect, test } from 'vitest'
import { float32, int64 } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { sampleInputs } from './feeds.ts'
import { analyzeModel, costOf, type Plan, prunableMacs, pruneModel } from './index.ts'
import { halve } from './testing/halve.ts'
import { Net } from './testing/networks.ts'

// What exporters make of common layers, in small: the shapes in which scripts/networks/export.py's networks arrive.

const runtime = nodeRuntime

const planOf = async (model: Model): Promise<Plan> => (await halve(model, [1, 3])).plan

const widths = (plan: Plan) => Object.fromEntries(plan.groups.map(({ name, size, kept }) => [name, `${kept}/${size}`]))
const mean = (net: Net, x: string) => net.b.op('ReduceMean', [x], { axes: [-1], keepdims: 1 })
const epsilon = (net: Net) => net.b.scalar(1e-5)
const linear = (net: Net, x: string, name: string, dims: [number, number]) =>
  net.b.op('Add', [net.b.op('MatMul', [x, net.weight(name, dims)]), net.weight(`${name}.bias`, [dims[1]])])

/** γ(x − μ)/√(σ² + ε) + β in nine nodes, as before opset 17. */
const layerNorm = (net: Net, x: string, name: string, size: number) => {
  const centred = net.b.op('Sub', [x, mean(net, x)])
  const variance = mean(net, net.b.op('Pow', [centred, net.b.scalar(2)]))
  const normal = net.b.op('Div', [centred, net.b.op('Sqrt', [net.b.op('Add', [variance, epsilon(net)])])])
  const scaled = net.b.op('Mul', [normal, net.weight(`${name}.scale`, [size])])
  return net.b.op('Add', [scaled, net.weight(`${name}.shift`, [size])])
}

const rmsNorm = (net: Net, x: string, name: string, size: number) => {
  const square = mean(net, net.b.op('Pow', [x, net.b.scalar(2)]))
  const root = net.b.op('Reciprocal', [net.b.op('Sqrt', [net.b.op('Add', [square, epsilon(net)])])])
  return net.b.op('Mul', [net.b.op('Mul', [x, root]), net.weight(`${name}.scale`, [size])])
}

/** One size of a value as exporters ask for it. */
const sizeOf = (net: Net, x: string, axis: number) =>
  net.b.op('Unsqueeze', [
    net.b.op('Gather', [net.b.op('Shape', [x]), net.b.constant(int64([], [axis]))]),
    net.b.ints([0]),
  ])

const shaped = (net: Net, x: string, sizes: readonly (string | number)[]) => {
  const parts = sizes.map((size) => (typeof size === 'number' ? net.b.ints([size]) : size))
  return net.b.op('Reshape', [x, net.b.op('Concat', parts, { axis: 0 })])
}

describe.each([
  ['LayerNorm', layerNorm],
  ['RMSNorm', rmsNorm],
])('%s in parts', (_, norm) => {
  const block = () => {
    const net = new Net([5, 6])
    const x = linear(net, 'x', 'in', [6, 8])
    const inner = net.relu(linear(net, norm(net, x, 'norm', 8), 'up', [8, 12]))
    const y = net.b.op('Add', [x, linear(net, inner, 'down', [12, 8])])
    return net.model(linear(net, y, 'out', [8, 3]))
  }

  test('leaves its features alone unless asked', async () => {
    const plan = await planOf(block())
    expect(widths(plan)).toEqual({ in: '8/8', up: '6/12' })
    expect(plan.groups.map(({ exact }) => exact)).toEqual([false, true])
  })

  test('loses features when asked', async () => {
    const { model, analysis } = await pruneModel(block(), { runtime, target: { ratio: 0.5 }, approximate: true })
    expect(model.graph.initializers.get('norm.scale')!.dims).toEqual([4])
    expect(analysis.groups[0]!.approximate).toMatch(/the mean of fewer indices is another/)
    expect((await costOf(model, { runtime })).macs).toBeLessThan((await costOf(block(), { runtime })).macs / 2)
  })
})

test('query heads that share a key and value head, repeated by a computed Expand', async () => {
  const net = new Net([5, 8])
  const batch = () => sizeOf(net, 'x', 0)
  const heads = (name: string, count: number) => {
    const y = net.b.op('MatMul', ['x', net.weight(name, [8, count * 4])])
    return net.b.op('Transpose', [shaped(net, y, [batch(), 5, count, 4])], { perm: [0, 2, 1, 3] })
  }
  const again = (y: string) => {
    const apart = net.b.op('Unsqueeze', [y, net.b.ints([2])])
    const target = net.b.op('Concat', [batch(), ...[2, 2, 5, 4].map((n) => net.b.ints([n]))], { axis: 0 })
    return shaped(net, net.b.op('Expand', [apart, target]), [batch(), 4, 5, 4])
  }
  const [q, k, v] = [heads('q', 4), again(heads('k', 2)), again(heads('v', 2))]
  const scores = net.b.op('Softmax', [net.b.op('MatMul', [q, net.b.op('Transpose', [k], { perm: [0, 1, 3, 2] })])])
  const merged = net.b.op('Transpose', [net.b.op('MatMul', [scores, v])], { perm: [0, 2, 1, 3] })
  const model = net.model(net.b.op('MatMul', [shaped(net, merged, [batch(), 5, 16]), net.weight('o', [16, 3])]))
  const plan = await planOf(model)
  expect(plan.slices.k!['1']).toHaveLength(4)
  expect(plan.slices.q!['1']).toHaveLength(8)
  // The same dimensions of every head, in queries and in keys.
  expect(plan.slices.q!['1']!.slice(0, 2)).toEqual(plan.slices.k!['1']!.slice(0, 2))
  expect(prunableMacs(await analyzeModel(model, { runtime }))).toBe(1)
})

test('attention by cosine: the norms it divides by are sums over the dimensions that go', async () => {
  const net = new Net([5, 6])
  const unit = (x: string) => {
    const norm = net.b.op('Clip', [net.b.op('ReduceL2', [x], { axes: [-1], keepdims: 1 }), net.b.scalar(1e-12)])
    return net.b.op('Div', [x, net.b.op('Expand', [norm, net.b.op('Shape', [x])])])
  }
  const [q, k, v] = ['q', 'k', 'v'].map((name) => net.b.op('MatMul', ['x', net.weight(name, [6, 8])]))
  const similar = net.b.op('MatMul', [unit(q!), net.b.op('Transpose', [unit(k!)], { perm: [0, 2, 1] })])
  const mixed = net.b.op('MatMul', [net.b.op('Softmax', [similar]), v!])
  const plan = await planOf(net.model(net.b.op('MatMul', [mixed, net.weight('o', [8, 3])])))
  expect(widths(plan)).toEqual({ q: '4/8', v: '4/8' })
})

test('norms within the heads: heads go whole, since fewer dimensions have another mean', async () => {
  const net = new Net([5, 6])
  const headsOf = (name: string) => {
    const x = net.b.op('Reshape', [linear(net, 'x', name, [6, 16]), net.b.ints([0, 0, 4, 4])])
    return net.b.op('Transpose', [x], { perm: [0, 2, 1, 3] })
  }
  const [q, k, v] = [layerNorm(net, headsOf('q'), 'q.norm', 4), layerNorm(net, headsOf('k'), 'k.norm', 4), headsOf('v')]
  const scores = net.b.op('Softmax', [net.b.op('MatMul', [q, net.b.op('Transpose', [k], { perm: [0, 1, 3, 2] })])])
  const mixed = net.b.op('Transpose', [net.b.op('MatMul', [scores, v])], { perm: [0, 2, 1, 3] })
  const merged = net.b.op('Reshape', [mixed, net.b.ints([0, 0, 16])])
  const model = net.model(linear(net, merged, 'o', [16, 3]))
  expect(widths(await planOf(model))).toEqual({ q: '2/4' })
  expect(prunableMacs(await analyzeModel(model, { runtime }))).toBe(1)
})

test('a class token stretched over the batch', async () => {
  const net = new Net([4, 6])
  const x = linear(net, 'x', 'embed', [6, 8])
  const target = net.b.op('Concat', [sizeOf(net, x, 0), net.b.ints([1]), net.b.ints([8])], { axis: 0 })
  const token = net.b.op('Expand', [net.weight('token', [1, 1, 8]), target])
  const all = net.b.op('Concat', [token, x], { axis: 1 })
  const plan = await planOf(net.model(linear(net, net.relu(all), 'out', [8, 3])))
  expect(plan.slices.token!['2']).toEqual(plan.slices.embed!['1'])
})

describe('initial states made for the occasion', () => {
  const tagger = () => {
    const net = new Net([5, 6])
    const x = net.b.op('Transpose', ['x'], { perm: [1, 0, 2] })
    const target = net.b.op('Concat', [net.b.ints([2]), sizeOf(net, 'x', 0), net.b.ints([8])], { axis: 0 })
    const zeros = net.b.op('ConstantOfShape', [target])
    const state = (i: number) => net.b.op('Slice', [zeros, net.b.ints([i]), net.b.ints([i + 1]), net.b.ints([0])])
    const layer = (y: string, name: string, inner: number, i: number) => {
      const weights = [
        net.weight(`${name}.w`, [1, 32, inner]),
        net.weight(`${name}.r`, [1, 32, 8]),
        net.weight(`${name}.b`, [1, 64]),
      ]
      const [out] = net.b.ops('LSTM', [y, ...weights, '', state(i), state(i)], 3, { hidden_size: 8 })
      return net.b.op('Squeeze', [out!, net.b.ints([1])])
    }
    const hidden = layer(layer(x, 'one', 6, 0), 'two', 8, 1)
    const back = net.b.op('Transpose', [hidden], { perm: [1, 0, 2] })
    return net.model(net.b.op('MatMul', [back, net.weight('out', [8, 3])]))
  }

  test('are left out, so that the layers do not hang together', async () => {
    const plan = await planOf(tagger())
    expect(widths(plan)).toEqual({ 'one.w': '4/8', 'two.w': '4/8' })
    expect(plan.slices['one.r']!['2']).not.toEqual(plan.slices['two.r']!['2'])
    const { model } = await pruneModel(tagger(), { runtime, target: { ratio: 0.5 } })
    expect(model.graph.nodes.map(({ opType }) => opType)).not.toContain('ConstantOfShape')
  })
})

test('rows of a bias set to zero by index', async () => {
  const net = new Net([6])
  const bias = net.b.op('ScatterND', [
    net.weight('bias', [9]),
    net.b.constant(int64([3, 1], [3, 4, 5])),
    net.b.constant(float32([3], [0, 0, 0])),
  ])
  const hidden = net.relu(net.b.op('Add', [net.b.op('MatMul', ['x', net.weight('one', [6, 9])]), bias]))
  const plan = await planOf(net.model(net.b.op('MatMul', [hidden, net.weight('two', [9, 2])])))
  expect(widths(plan)).toEqual(expect.objectContaining({ one: expect.stringMatching(/\/6$/) }))
  expect(plan.slices.bias!['0']).toEqual(plan.slices.one!['1'])
})

test('part of a tensor assigned to, every element named by its indices', async () => {
  const net = new Net([5, 6])
  const [y, all] = [net.relu(linear(net, 'x', 'one', [6, 8])), linear(net, 'x', 'two', [6, 8])]
  const u = net.b.op('Slice', [all, net.b.ints([1]), net.b.ints([4]), net.b.ints([1])])
  const sizes = net.b.op('Concat', [sizeOf(net, y, 0), net.b.ints([3]), sizeOf(net, y, 2)], { axis: 0 })
  const whole = (n: number) => net.b.constant(int64([], [n]))
  const size = (axis: number) => net.b.op('Gather', [net.b.op('Shape', [y]), whole(axis)])
  const places = [
    net.b.op('Range', [whole(0), size(0), whole(1)]),
    net.b.op('Range', [whole(1), whole(4), whole(1)]),
    net.b.op('Range', [whole(0), size(2), whole(1)]),
  ].map((range, axis) => {
    const along = net.b.op('Reshape', [range, net.b.ints([0, 1, 2].map((other) => (other === axis ? -1 : 1)))])
    return net.b.op('Unsqueeze', [net.b.op('Expand', [along, sizes]), net.b.ints([-1])])
  })
  const joined = net.b.op('ScatterND', [y, net.b.op('Concat', places, { axis: -1 }), u])
  const model = net.model(linear(net, joined, 'out', [8, 3]))
  const plan = await planOf(model)
  expect(plan.slices.one!['1']).toHaveLength(4)
  expect(plan.slices.two!['1']).toEqual(plan.slices.one!['1'])
  const { model: pruned } = await pruneModel(model, { runtime, target: { ratio: 0.5 } })
  expect(pruned.graph.nodes.map(({ opType }) => opType)).not.toContain('ScatterND')
})

test('a convolution with quantized weights, scales by channel', async () => {
  const net = new Net([3, 6, 6])
  const quantized = (name: string, dims: number[], axis: number) => {
    const bytes = Uint8Array.from({ length: dims.reduce((n, dim) => n * dim, 1) }, (_, i) => (i * 89) % 256)
    const scales = net.b.op('Abs', [net.weight(`${name}.scale`, [dims[axis]!], true)])
    const zeros = net.b.initializer(`${name}.zero`, {
      type: 'int8',
      dims: [dims[axis]!],
      bytes: new Uint8Array(dims[axis]!),
    })
    return net.b.op('DequantizeLinear', [net.b.initializer(name, { type: 'int8', dims, bytes }), scales, zeros], {
      axis,
    })
  }
  const rounded = (y: string) => {
    const parts = [
      net.b.scalar(0.5),
      net.b.initializer(net.b.fresh('zero'), { type: 'uint8', dims: [], bytes: Uint8Array.of(128) }),
    ]
    return net.b.op('DequantizeLinear', [net.b.op('QuantizeLinear', [y, ...parts]), ...parts])
  }
  const hidden = net.relu(net.b.op('Conv', [rounded('x'), quantized('one', [8, 3, 3, 3], 0)]))
  const pooled = net.flatten(net.b.op('GlobalAveragePool', [rounded(hidden)]))
  const model = net.model(net.b.op('Gemm', [pooled, quantized('two', [4, 8], 0)], { transB: 1 }))
  const plan = await planOf(model)
  expect(widths(plan)).toEqual({ one: '4/8' })
  expect(plan.slices['one.scale']!['0']).toEqual(plan.slices.two!['1'])
})

test('an output that is a size, the same in every run, stays computed', async () => {
  const net = new Net([4, 6])
  const hidden = net.relu(linear(net, 'x', 'one', [6, 8]))
  const half = net.b.op('Div', [sizeOf(net, hidden, 2), net.b.ints([2])])
  const model = net.model(linear(net, hidden, 'two', [8, 3]))
  model.graph.outputs.push({ name: half, type: 'int64', dims: [1] })
  expect(widths(await planOf(model))).toEqual({ one: '4/8' })
  model.graph.outputs.shift()
  const { model: pruned } = await pruneModel(model, { runtime, target: { ratio: 0.5 } })
  const session = await runtime.open(pruned)
  expect(await session.run(sampleInputs(model))).toEqual({ [half]: int64([1], [4]) })
  await session.close()
})

test('a size that depends on the data is not taken for settled, even if two runs agree on it', async () => {
  const net = new Net([6])
  const hidden = net.relu(linear(net, 'x', 'one', [6, 8]))
  // All numbers are positive, so that every run finds as many.
  const found = net.b.op('NonZero', [
    net.b.op('Greater', [
      net.b.op('Slice', [net.b.op('Abs', ['x']), net.b.ints([0]), net.b.ints([1])]),
      net.b.scalar(-1),
    ]),
  ])
  const count = sizeOf(net, found, 1)
  const repeated = net.b.op('Expand', [net.weight('column', [1]), count])
  const model = net.model(linear(net, hidden, 'two', [8, 3]))
  model.graph.outputs.push({ name: repeated, type: 'float32', dims: [null] })
  const { model: pruned } = await pruneModel(model, { runtime, target: { ratio: 0.5 } })
  expect(pruned.graph.nodes.map(({ opType }) => opType)).toContain('NonZero')
  expect(pruned.graph.nodes.find(({ opType }) => opType === 'Expand')!.inputs[1]).toBe(count)
})
