import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { float32 } from '../base/index.ts'
import { float, type Model } from '../onnx/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { analyzeModel, pruneModel, verifyPlan } from './index.ts'
import { Net } from './testing/networks.ts'

const runtime = nodeRuntime

/** A function of one value, written with a network's builder. */
type Step = (net: Net, x: string) => string

const op =
  (opType: string, attributes = {}): Step =>
  (net, x) =>
    net.b.op(opType, [x], attributes)
const withScalar =
  (opType: string, value: number): Step =>
  (net, x) =>
    net.b.op(opType, [x, net.b.constant(float32([], [value]))])

const steps: Record<string, Step> = {
  Relu: op('Relu'),
  Tanh: op('Tanh'),
  Sigmoid: op('Sigmoid'),
  Exp: (net, x) => net.b.op('Exp', [net.b.op('Tanh', [x])]),
  Softplus: op('Softplus'),
  Elu: op('Elu'),
  HardSigmoid: op('HardSigmoid'),
  Cos: op('Cos'),
  Softmax: op('Softmax', { axis: 1 }),
  'x + 1': withScalar('Add', 1),
  'x − 1': withScalar('Sub', 1),
  '2x': withScalar('Mul', 2),
  'x²': withScalar('Pow', 2),
  'max(x, ½)': withScalar('Max', 0.5),
  'min(x, ½)': withScalar('Min', 0.5),
  'x·σ(x)': (net, x) => net.b.op('Mul', [x, net.b.op('Sigmoid', [x])]),
  '1/(1 + x²)': (net, x) => {
    const one = net.b.constant(float32([], [1]))
    return net.b.op('Div', [one, net.b.op('Add', [one, net.b.op('Mul', [x, x])])])
  },
  b·x: (net, x) => net.b.op('Mul', [x, net.weight(net.b.fresh('factor'), [6])]),
  'x + b': (net, x) => net.b.op('Add', [x, net.weight(net.b.fresh('bias'), [6])]),
}

/** Rows of attention without a softmax: out = (f(q)·g(k)ᵀ)·v, the inner axis of q and k being 6 units. */
const attention = (f: readonly string[], g: readonly string[]): Model => {
  const net = new Net([4, 5])
  const project = (name: string, chain: readonly string[]) =>
    chain.reduce((y, step) => steps[step]!(net, y), net.b.op('MatMul', ['x', net.weight(name, [5, 6])]))
  const [q, k, v] = [project('q', f), project('k', g), project('v', [])]
  const scores = net.b.op('MatMul', [q, net.b.op('Transpose', [k], { perm: [0, 2, 1] })])
  return net.model(net.dense(net.flatten(net.b.op('MatMul', [scores, v])), 'out', [3, 24]))
}

const reasonsOf = async (model: Model, initializer: string) =>
  (await analyzeModel(model, { runtime })).frozen
    .filter(({ value }) => value === initializer)
    .map(({ reason }) => reason)

const prove = async (model: Model) => {
  const { model: pruned, plan } = await pruneModel(model, { runtime, target: { ratio: 0.5 }, criterion: 'random' })
  const proof = await verifyPlan(model, pruned, plan, { runtime })
  expect(proof.changed).toEqual([])
  expect(proof.difference).toBeLessThanOrEqual(1e-4)
  return plan
}

describe('a product of two computed values', () => {
  const unproven = /sums over units of computed values none of which is surely 0/

  test.each([
    [['Sigmoid'], ['Sigmoid']],
    [
      ['Elu', 'x + 1'],
      ['Elu', 'x + 1'],
    ],
    [['Exp'], ['Softplus']],
    [['x + 1'], ['Cos']],
    [['Softmax'], ['HardSigmoid']],
    [['max(x, ½)'], ['1/(1 + x²)']],
  ])('of %j and %j keeps its inner axis', async (f, g) => {
    const model = attention(f, g)
    expect(await reasonsOf(model, 'q')).toEqual([expect.stringMatching(unproven)])
    // The values it is applied to can still be pruned.
    expect(Object.keys((await prove(model)).slices)).toContain('v')
  })

  test.each([
    [[], []],
    [['Sigmoid'], ['Relu']],
    [['x + b', 'Tanh'], ['Exp']],
    [['x·σ(x)'], ['x + 1']],
    [['min(x, ½)'], ['Sigmoid']],
    [
      ['Elu', 'x²', '2x'],
      ['Cos', 'b·x'],
    ],
  ])('of %j and %j can lose units of it, one of the two being 0 there', async (f, g) => {
    const plan = await prove(attention(f, g))
    expect(plan.slices.q?.['1']).toHaveLength(3)
    expect(plan.slices.k).toEqual(plan.slices.q)
  })

  test('whatever was done to the two, what is pruned is proven', async () => {
    const chain = fc.array(fc.constantFrom(...Object.keys(steps)), { maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(chain, chain, async (f, g) => {
        await prove(attention(f, g))
      }),
      { numRuns: 40 },
    )
  })

  test('written as Einsum', async () => {
    const net = new Net([4, 5])
    const project = (name: string) => net.b.op('MatMul', ['x', net.weight(name, [5, 6])])
    const [q, k] = [net.b.op('Sigmoid', [project('q')]), net.b.op('Sigmoid', [project('k')])]
    const scores = net.b.op('Einsum', [q, k], { equation: 'nid,njd->nij' })
    const model = net.model(net.dense(net.flatten(scores), 'out', [3, 16]))
    expect(await reasonsOf(model, 'k')).toEqual([expect.stringMatching(unproven)])
  })
})

describe('a masked unit that would be no number', () => {
  const between = (step: Step) => {
    const net = new Net([5])
    const y = step(net, net.dense('x', 'one', [6, 5]))
    return net.model(net.dense(y, 'two', [3, 6]))
  }
  const relu = (net: Net, x: string) => net.relu(x)

  test.each<[string, Step]>([
    ['log', (net, x) => net.b.op('Log', [net.b.op('Relu', [x])])],
    ['reciprocal', (net, x) => net.b.op('Reciprocal', [x])],
    ['root of what may be negative', (net, x) => net.b.op('Sqrt', [withScalar('Sub', 1)(net, relu(net, x))])],
    ['negative power', (net, x) => withScalar('Pow', -1)(net, x)],
    ['0 ÷ 0', (net, x) => net.b.op('Div', [x, relu(net, x)])],
  ])('%s freezes it', async (_, step) => {
    const model = between(step)
    expect(await reasonsOf(model, 'one.weight')).toEqual([expect.stringMatching(/it may give no number/)])
  })

  test.each<[string, Step]>([
    ['log(1 + eˣ)', (net, x) => net.b.op('Log', [withScalar('Add', 1)(net, steps.Exp!(net, x))])],
    ['root of a square', (net, x) => net.b.op('Sqrt', [withScalar('Pow', 2)(net, x)])],
    [
      'x ÷ √(x² + ε)',
      (net, x) => net.b.op('Div', [x, net.b.op('Sqrt', [withScalar('Add', 0.1)(net, net.b.op('Mul', [x, x]))])]),
    ],
    [
      'x ÷ max(‖x‖, ε), stretched to its shape',
      (net, x) => {
        const norm = net.b.op('ReduceL2', [x], { axes: [1] })
        const length = net.b.op('Expand', [withScalar('Max', 0.1)(net, norm), net.b.ints([1, 6])])
        return net.b.op('Div', [x, length])
      },
    ],
    ['x ÷ max(|x|, ε)', (net, x) => net.b.op('Div', [x, withScalar('Max', 0.1)(net, net.b.op('Abs', [x]))])],
  ])('%s does not', async (_, step) => {
    const plan = await prove(between(step))
    expect(plan.slices['one.weight']?.['0']).toHaveLength(3)
  })
})

test('a quantized weight whose zero is not 0 is not pruned where its slices would have to be 0', async () => {
  const build = (zeroPoint: number) => {
    const net = new Net([5])
    const quantized = (name: string, dims: number[]) => {
      const bytes = Uint8Array.from({ length: dims[0]! * dims[1]! }, (_, i) => (i * 37) % 251)
      const stored = net.b.initializer(name, { type: 'uint8', dims, bytes })
      const scale = net.b.initializer(`${name}.scale`, float32([], [0.02]))
      const zero = net.b.initializer(`${name}.zero`, { type: 'uint8', dims: [], bytes: Uint8Array.of(zeroPoint) })
      return net.b.op('DequantizeLinear', [stored, scale, zero])
    }
    const hidden = net.relu(net.b.op('MatMul', ['x', quantized('one', [5, 6])]))
    return net.model(net.b.op('MatMul', [hidden, quantized('two', [6, 3])]))
  }
  expect(Object.keys((await prove(build(0))).slices)).toEqual(['one', 'two'])
  expect((await prove(build(128))).slices).toEqual({})
})

describe('quantized values in a product of two', () => {
  const point = (net: Net, zero: number) =>
    net.b.initializer(net.b.fresh('zero'), { type: 'uint8', dims: [], bytes: Uint8Array.of(zero) })
  /** Rows of scores whose inner axis is 6 units, both factors quantized and back. */
  const scores = (through: (net: Net, x: string) => string): Model => {
    const net = new Net([4, 5])
    const project = (name: string) => net.b.op('MatMul', ['x', net.weight(name, [5, 6])])
    const [q, k] = [through(net, project('q')), through(net, project('k'))]
    const products = net.b.op('MatMul', [q, net.b.op('Transpose', [k], { perm: [0, 2, 1] })])
    return net.model(net.dense(net.flatten(products), 'out', [3, 16]))
  }
  const between =
    (zeros: readonly [number, number], scales = [0.1, 0.1], middle: Step = (_, x) => x): Step =>
    (net, x) => {
      const q = net.b.op('QuantizeLinear', [x, net.b.scalar(scales[0]!), point(net, zeros[0])])
      return net.b.op('DequantizeLinear', [middle(net, q), net.b.scalar(scales[1]!), point(net, zeros[1])])
    }
  const asNumbers: Step = (net, q) => net.b.op('Cast', [q], { to: 1 })

  test.each<[string, Step]>([
    ['another zero point on the way back', between([128, 0])],
    ['a zero point that only the way back has', between([0, 7])],
    [
      'another zero point behind a change of shape',
      between([128, 120], [0.1, 0.1], (net, q) => net.b.op('Transpose', [q], { perm: [0, 1, 2] })),
    ],
    [
      'whole numbers taken for real ones',
      (net, x) => asNumbers(net, net.b.op('QuantizeLinear', [x, net.b.scalar(0.1), point(net, 128)])),
    ],
  ])('%s is no 0', async (_, step) => {
    const model = scores(step)
    expect(await reasonsOf(model, 'q')).toEqual([expect.stringMatching(/none of which is surely 0/)])
    await prove(model)
  })

  test.each<[string, Step]>([
    ['the same zero point', between([128, 128])],
    ['the same zero point, another scale', between([128, 128], [0.1, 0.3])],
    [
      'the same zero point behind a change of order',
      between([100, 100], [0.1, 0.1], (net, q) => net.b.op('Transpose', [q], { perm: [0, 1, 2] })),
    ],
    ['no zero point', (net, x) => asNumbers(net, net.b.op('QuantizeLinear', [x, net.b.scalar(0.1), point(net, 0)]))],
  ])('%s keeps 0', async (_, step) => {
    const plan = await prove(scores(step))
    expect(plan.slices.q?.['1']).toHaveLength(3)
  })
})

describe('one value on both sides of a product', () => {
  /** f(G)·f(G) of a Gram matrix G, whose rows and columns are the same 6 units, between weights on both sides. */
  const squared = (f: Step, multiply: (net: Net, h: string) => string): Model => {
    const net = new Net([4, 5])
    const { b } = net
    const features = b.op('MatMul', ['x', net.weight('w', [5, 6])])
    const gram = b.op('MatMul', [b.op('Transpose', [features], { perm: [0, 2, 1] }), features])
    const right = b.op('MatMul', [multiply(net, f(net, gram)), net.weight('right', [6, 2])])
    const left = b.op('MatMul', [b.op('Transpose', [right], { perm: [0, 2, 1] }), net.weight('left', [6, 2])])
    return net.model(net.dense(net.flatten(left), 'out', [3, 4]))
  }
  const products: [string, (net: Net, h: string) => string][] = [
    ['MatMul', (net, h) => net.b.op('MatMul', [h, h])],
    ['Gemm-like Einsum', (net, h) => net.b.op('Einsum', [h, h], { equation: 'nij,njk->nik' })],
  ]

  test.each(products)('%s: what is not 0 where masked stays', async (_, multiply) => {
    const model = squared(steps.Sigmoid!, multiply)
    expect(await reasonsOf(model, 'w')).toEqual([expect.stringMatching(/none of which is surely 0/)])
    await prove(model)
  })

  test.each(products)('%s: what is 0 there may go', async (_, multiply) => {
    const plan = await prove(squared(steps.Tanh!, multiply))
    expect(plan.slices.w?.['1']).toHaveLength(3)
  })
})

test('of a part of the channels something stays, since engines refuse most operators none at all', async () => {
  const net = new Net([3, 4, 4])
  const [a, b] = net.b.ops('Split', [net.conv('x', 'one', [6, 3, 3]), net.b.ints([2, 4])], 2, { axis: 1 }) as [
    string,
    string,
  ]
  const both = net.b.op('Concat', [net.pool(a), net.pool(b)], { axis: 1 })
  const model = net.model(net.dense(net.flatten(both), 'two', [3, 24]))
  const analysis = await analyzeModel(model, { runtime })
  expect(analysis.groups.map(({ size }) => size)).toEqual([2, 4])
  const { model: pruned, plan } = await pruneModel(model, { runtime, target: { macs: 0.4 }, scope: 'global' })
  expect((await verifyPlan(model, pruned, plan, { runtime })).equal).toBe(true)
})

test('random numbers drawn element after element keep their places', async () => {
  const net = new Net([5])
  const hidden = net.dense('x', 'one', [6, 5])
  const noise = net.b.op('RandomNormalLike', [hidden], { seed: float(3) })
  const model = net.model(net.dense(net.b.op('Mul', [hidden, noise]), 'two', [3, 6]))
  expect(await reasonsOf(model, 'one.weight')).toEqual([expect.stringMatching(/random numbers are drawn/)])
})

test('two layers that share a bias and give their last states only are told apart when masked', async () => {
  const net = new Net([5, 6])
  const x = net.b.op('Transpose', ['x'], { perm: [1, 0, 2] })
  const bias = net.weight('bias', [1, 32])
  const last = ['p', 'q'].map((name) => {
    const weights = [net.weight(`${name}.w`, [1, 16, 6]), net.weight(`${name}.r`, [1, 16, 4]), bias]
    return net.b.ops('LSTM', [x, ...weights], 2, { hidden_size: 4 })[1]!
  })
  const states = net.b.op('Transpose', [net.b.op('Concat', last, { axis: 2 })], { perm: [1, 0, 2] })
  const model = net.model(net.dense(net.flatten(states), 'out', [3, 8]))
  for (const node of model.graph.nodes) if (node.opType === 'LSTM') node.outputs[0] = ''
  const plan = await prove(model)
  expect(Object.values(plan.copies)).toEqual(['bias'])
})

test('a state that is not 0 where masked is read by other units unless its weights are', async () => {
  const net = new Net([5, 6])
  const x = net.b.op('Transpose', ['x'], { perm: [1, 0, 2] })
  const weights = [net.weight('w', [1, 16, 6]), net.b.op('Sigmoid', [net.weight('r', [1, 16, 4])])]
  const [all] = net.b.ops('LSTM', [x, ...weights], 2, { hidden_size: 4 })
  const states = net.b.op('Transpose', [all!], { perm: [2, 0, 1, 3] })
  const model = net.model(net.dense(net.flatten(states), 'out', [3, 20]))
  expect(await reasonsOf(model, 'w')).toEqual([expect.stringMatching(/other units read its state/)])
})
