import { expect, test } from 'vitest'
import { float32, int32, numbersOf, random, sizeOf, type Tensor } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { sampleInputs } from './feeds.ts'
import { analyzeModel, l1, prunableMacs, pruneModel, scoreGroup, verifyPlan } from './index.ts'
import { Net } from './testing/networks.ts'

const runtime = nodeRuntime

/** Signed weights from −20 to 20, or unsigned ones around another zero point. */
const stored = (dims: readonly number[], type: 'int8' | 'uint8' = 'int8', seed = 3): Tensor => {
  const dice = random(seed)
  const draw = () => Math.floor(dice.uniform() * 41) + (type === 'int8' ? -20 : 100)
  return { type, dims, bytes: Uint8Array.from({ length: sizeOf(dims) }, draw) }
}

const byte = (type: 'int8' | 'uint8', value: number): Tensor => ({ type, dims: [], bytes: Uint8Array.of(value) })

/** Two padded convolutions, the second depthwise, and a third, all between whole numbers with zero points that are not 0. */
const integerCnn = (weights: { type: 'int8' | 'uint8'; zero: number }): Model => {
  const net = new Net([3, 6, 6])
  const { b } = net
  const point = (zero: number) => [b.scalar(0.06), b.constant(byte('uint8', zero))]
  const layer = (x: string, [from, to]: [number, number], name: string, dims: readonly number[], group = 1) =>
    b.op(
      'QLinearConv',
      [
        x,
        ...point(from),
        b.initializer(`${name}.weight`, stored(dims, weights.type)),
        b.initializer(
          `${name}.scale`,
          float32(
            [dims[0]!],
            Float32Array.from({ length: dims[0]! }, (_, i) => 0.01 + i / 500),
          ),
        ),
        b.initializer(`${name}.zero`, {
          type: weights.type,
          dims: [dims[0]!],
          bytes: new Uint8Array(dims[0]!).fill(weights.zero),
        }),
        ...point(to),
        b.initializer(
          `${name}.bias`,
          int32(
            [dims[0]!],
            Array.from({ length: dims[0]! }, (_, i) => 40 * i - 100),
          ),
        ),
      ],
      { pads: [1, 1, 1, 1], group },
      { name },
    )
  const x = b.op('QuantizeLinear', ['x', ...point(120)])
  const one = layer(x, [120, 90], 'one', [8, 3, 3, 3])
  const two = layer(one, [90, 140], 'two', [8, 1, 3, 3], 8)
  const three = layer(two, [140, 110], 'three', [4, 8, 3, 3])
  return net.model(b.op('DequantizeLinear', [three, ...point(110)]))
}

test('convolutions between whole numbers lose channels, exactly', async () => {
  const model = integerCnn({ type: 'int8', zero: 0 })
  const { model: pruned, plan, analysis } = await pruneModel(model, { runtime, target: { ratio: 0.5 } })
  expect(plan.groups.map(({ size, kept }) => `${kept}/${size}`)).toEqual(['4/8'])
  expect(prunableMacs(analysis)).toBe(1)
  expect(pruned.graph.initializers.get('two.weight')!.dims).toEqual([4, 1, 3, 3])
  expect(pruned.graph.initializers.get('three.weight')!.dims).toEqual([4, 4, 3, 3])
  const proof = await verifyPlan(model, pruned, plan, { runtime })
  expect(proof).toMatchObject({ equal: true, difference: 0 })
  const again = await pruneModel(pruned, { runtime, target: { ratio: 0.5 } })
  expect(again.model.graph.initializers.get('three.weight')!.dims).toEqual([4, 2, 3, 3])
})

// An engine without VNNI adds pairs of products of 8 bits in 16, where 255·127·2 does not fit: which pairs overflow depends on
// which channels are neighbours. Weights of 7 bits never do, and unsigned ones are added in 32 bits everywhere.
test.each([
  ['int8', 44, 63],
  ['uint8', 108, 255],
] as const)('large values and %s weights from %i to %i: the same whole numbers', async (type, least, most) => {
  const net = new Net([4, 6, 6])
  const { b } = net
  const dice = random(3)
  const point = (scale: number) => [b.scalar(scale), b.constant(byte('uint8', 0))]
  const layer = (x: string, name: string, dims: readonly number[], from: number, to: number) => {
    const draw = () => least + dice.below(most - least + 1)
    const weights = b.initializer(name, { type, dims, bytes: Uint8Array.from({ length: sizeOf(dims) }, draw) })
    const inputs = [x, ...point(from), weights, b.scalar(0.01), b.constant(byte(type, 0)), ...point(to)]
    return b.op('QLinearConv', inputs, { pads: [1, 1, 1, 1] })
  }
  // So that what follows lies between 0 and 255: weights are this many times those of 7 bits.
  const large = (least + most) / 107
  const start = b.op('QuantizeLinear', [b.op('Abs', ['x']), ...point(0.005)])
  const hidden = layer(start, 'one', [8, 4, 3, 3], 0.005, 0.09 * large)
  const sums = layer(hidden, 'two', [3, 8, 3, 3], 0.09 * large, 5 * large * large)
  const model = net.model(b.op('DequantizeLinear', [sums, ...point(1)]))
  const session = await runtime.open(model)
  const found = await session.run(sampleInputs(model, { batch: 1 }))
  await session.close()
  expect(new Set(numbersOf(Object.values(found)[0]!)).size).toBeGreaterThan(30)
  const { model: pruned, plan } = await pruneModel(model, { runtime, target: { ratio: 0.5 } })
  expect(pruned.graph.initializers.get('two')!.dims).toEqual([3, 4, 3, 3])
  expect(await verifyPlan(model, pruned, plan, { runtime })).toMatchObject({ equal: true, difference: 0 })
})

test('weights are weighed by what they stand for', async () => {
  const model = integerCnn({ type: 'int8', zero: 0 })
  const analysis = await analyzeModel(model, { runtime })
  const scores = scoreGroup(model, analysis, analysis.groups[0]!, l1)
  const bytes = new Int8Array(model.graph.initializers.get('one.weight')!.bytes)
  scores.forEach((score, unit) => {
    const sum = bytes.subarray(unit * 27, (unit + 1) * 27).reduce((total, q) => total + Math.abs(q), 0)
    expect(score).toBeCloseTo(sum * (0.01 + unit / 500), 3)
  })
})

test('a stored 0 that stands for another number freezes the channels that read it', async () => {
  const { groups, frozen } = await analyzeModel(integerCnn({ type: 'uint8', zero: 120 }), { runtime })
  expect(groups).toEqual([])
  expect(frozen.find(({ value }) => value === 'one.weight')!.reason).toMatch(/a stored 0 does not stand for 0/)
})

/** x → hidden → y, both products of dynamically quantized values; what is in between decides. */
const dynamic = (between: (net: Net, x: string) => string): Model => {
  const net = new Net([5, 6])
  const layer = (x: string, name: string, dims: [number, number], seed: number) => {
    const [q, scale, zero] = net.b.ops('DynamicQuantizeLinear', [x], 3) as [string, string, string]
    const sums = net.b.op('MatMulInteger', [q, net.b.initializer(`${name}.weight`, stored(dims, 'int8', seed)), zero])
    const real = net.b.op('Mul', [net.b.op('Cast', [sums], { to: 1 }), net.b.op('Mul', [scale, net.b.scalar(0.02)])])
    return net.b.op('Add', [real, net.weight(`${name}.bias`, [dims[1]])])
  }
  return net.model(layer(between(net, layer('x', 'up', [6, 8], 1)), 'down', [8, 3], 2))
}

test('dynamic quantization takes in 0: units that are 0 when masked may go', async () => {
  const model = dynamic((net, x) => net.relu(x))
  const { model: pruned, plan } = await pruneModel(model, { runtime, target: { ratio: 0.5 } })
  expect(pruned.graph.initializers.get('down.weight')!.dims).toEqual([4, 3])
  expect((await verifyPlan(model, pruned, plan, { runtime })).difference).toBeLessThanOrEqual(1e-4)
})

test('units that are not 0 when masked have a say in its range', async () => {
  const { groups, frozen } = await analyzeModel(
    dynamic((net, x) => net.b.op('Sigmoid', [x])),
    { runtime },
  )
  expect(groups).toEqual([])
  expect(frozen[0]!.reason).toMatch(/scales by the largest of all values/)
})
