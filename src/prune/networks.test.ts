import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { float32, int64, random } from '../base/index.ts'
import { type Model, makeGraph, makeNode, subgraph } from '../onnx/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { analyzeModel } from './analyze.ts'
import { applyPlan, composePlans, costOf, planOf, pruneModel, verifyPlan } from './index.ts'
import { dims, expectEqual, widths } from './testing/equal.ts'
import { halve } from './testing/halve.ts'
import { Net, smallCnn } from './testing/networks.ts'

const runtime = nodeRuntime

describe('networks', () => {
  test('Conv → BatchNormalization → ReLU → pool → Flatten → Gemm: a channel is height · width columns', async () => {
    const net = new Net([2, 8, 8])
    const one = net.pool(net.relu(net.norm(net.conv('x', 'conv', [8, 2, 3]), 'bn', 8)))
    const model = net.model(net.dense(net.flatten(one), 'fc', [5, 128]))
    const { plan, model: pruned } = await halve(model, [1, 3])
    expect(widths(plan)).toEqual({ 'conv.weight': '4/8' })
    expect(dims(pruned, 'fc.weight')).toEqual([5, 64])
    for (const part of ['weight', 'bias', 'mean', 'var']) expect(dims(pruned, `bn.${part}`)).toEqual([4])
    expect(plan.frozen).toContainEqual({ value: 'fc.weight', axis: 0, reason: 'an output of the graph' })
    const kept = plan.slices['conv.weight']!['0']!
    expect(plan.slices['fc.weight']!['1']).toEqual(
      kept.flatMap((c) => Array.from({ length: 16 }, (_, i) => c * 16 + i)),
    )
  })

  test('a residual addition couples its branches', async () => {
    const net = new Net([3, 6, 6])
    const stem = net.relu(net.conv('x', 'stem', [6, 3, 3]))
    const inner = net.conv(net.relu(net.conv(stem, 'a', [10, 6, 3])), 'b', [6, 10, 3])
    const model = net.model(net.dense(net.flatten(net.b.op('Add', [stem, inner])), 'fc', [4, 216]))
    const { plan } = await halve(model, [1, 3])
    expect(widths(plan)).toEqual({ 'stem.weight': '3/6', 'a.weight': '5/10' })
    expect(plan.slices['stem.weight']!['0']).toEqual(plan.slices['b.weight']!['0'])
  })

  test('Concat, of the same value twice too', async () => {
    const net = new Net([2, 5, 5])
    const [a, b] = [net.relu(net.conv('x', 'a', [4, 2, 3])), net.relu(net.conv('x', 'b', [6, 2, 3]))]
    const joined = net.b.op('Concat', [a, b, a], { axis: 1 })
    const model = net.model(net.dense(net.flatten(net.conv(joined, 'c', [4, 14, 1])), 'fc', [3, 100]))
    const { plan } = await halve(model, [1, 3])
    const keptA = plan.slices['a.weight']!['0']!
    const keptB = plan.slices['b.weight']!['0']!.map((i) => i + 4)
    expect(plan.slices['c.weight']!['1']).toEqual([...keptA, ...keptB, ...keptA.map((i) => i + 10)])
  })

  test('depthwise and grouped convolutions', async () => {
    const net = new Net([4, 5, 5])
    const wide = net.relu(net.conv('x', 'wide', [8, 4, 1]))
    const deep = net.relu(net.conv(wide, 'deep', [8, 1, 3], 8))
    const model = net.model(net.flatten(net.conv(net.conv(deep, 'grouped', [12, 4, 3], 2), 'last', [3, 12, 1])))
    const { plan, model: pruned } = await halve(model, [1, 3])
    // Equal numbers in each of the two groups: a unit is one channel of both.
    expect(widths(plan)).toEqual({ 'wide.weight': '2/4', 'grouped.weight': '3/6' })
    expect(dims(pruned, 'deep.weight')).toEqual([4, 1, 3, 3])
    expect(dims(pruned, 'grouped.weight')).toEqual([6, 2, 3, 3])
    expect(pruned.graph.nodes.find(({ name }) => name === 'deep')!.attributes.get('group')!.value).toBe(4n)
  })

  test('a multilayer perceptron of MatMul and Add, weights in Constant nodes', async () => {
    const net = new Net([6])
    const layer = (x: string, name: string, shape: [number, number]) =>
      net.b.op('Add', [net.b.op('MatMul', [x, net.weight(`${name}.w`, shape)]), net.weight(`${name}.b`, [shape[1]])])
    const model = net.model(
      layer(net.relu(layer(net.relu(layer('x', 'one', [6, 10])), 'two', [10, 8])), 'three', [8, 3]),
    )
    const { graph } = model
    for (const name of ['one.w', 'two.b']) {
      graph.nodes.unshift(makeNode('Constant', [], [name], { value: graph.initializers.get(name)! }))
      graph.initializers.delete(name)
    }
    const { plan, model: pruned } = await halve(model, [1, 3])
    expect(widths(plan)).toEqual({ 'one.w': '5/10', 'two.w': '4/8' })
    expect(dims(pruned, 'one.w')).toEqual([6, 5])
    expect(pruned.graph.nodes.some(({ opType }) => opType === 'Constant')).toBe(false)
  })

  test('a weight that is transposed on its way to the layer', async () => {
    const net = new Net([6])
    const weight = net.b.op('Transpose', [net.weight('one.weight', [10, 6])], { perm: [1, 0] })
    const model = net.model(net.dense(net.relu(net.b.op('MatMul', ['x', weight])), 'two', [3, 10]))
    const { plan } = await halve(model, [1, 3])
    expect(widths(plan)).toEqual({ 'one.weight': '5/10' })
    const analysis = await analyzeModel(model, { runtime })
    expect(analysis.groups[0]!.members.map(({ initializer, axis, role }) => [initializer, axis, role])).toEqual([
      ['one.weight', 0, 'produces'],
      ['two.weight', 1, 'consumes'],
    ])
  })

  test('shape arithmetic that never varies is rewritten', async () => {
    const net = new Net([2, 4, 4])
    const wide = net.relu(net.conv('x', 'wide', [8, 2, 3]))
    const size = (i: number) =>
      net.b.op('Unsqueeze', [net.b.op('Gather', [net.b.op('Shape', [wide]), net.b.ints([i])]), net.b.ints([0])])
    const flat = (i: number) => net.b.op('Squeeze', [size(i), net.b.ints([0])])
    const target = net.b.op('Concat', [flat(0), net.b.op('Mul', [flat(1), net.b.ints([16])])], { axis: 0 })
    const model = net.model(net.dense(net.b.op('Reshape', [wide, target]), 'fc', [3, 128]))
    const { plan, model: pruned } = await halve(model, [1, 3])
    expect(widths(plan)).toEqual({ 'wide.weight': '4/8' })
    expect(pruned.graph.nodes.some(({ opType }) => opType === 'Shape')).toBe(false)
  })

  test('the small CNN is pruned twice and the plans compose', async () => {
    const model = smallCnn()
    const first = await halve(model, [1, 3])
    const again = await halve(first.model, [1, 3])
    expect(widths(again.plan)).toEqual({ 'conv1.weight': '2/4', 'conv2.weight': '3/6' })
    const whole = composePlans(first.plan, again.plan)
    expect(widths(whole)).toEqual({ 'conv1.weight': '2/8', 'conv2.weight': '3/12' })
    await expectEqual(model, again.model, whole)
    const analysis = await analyzeModel(model, { runtime })
    expect(applyPlan(model, whole, analysis).graph.initializers).toEqual(again.model.graph.initializers)
  })

  test('costs are those of the smaller model, exactly', async () => {
    const cost = await costOf(smallCnn(), { runtime })
    const weights = 8 * 2 * 9 + 8 + 12 * 8 * 9 + 12 + 5 * 48 + 5
    expect(cost.parameters).toBe(weights)
    expect(cost.macs).toBe(64 * 8 * 2 * 9 + 16 * 12 * 8 * 9 + 5 * 48)
    expect(cost.bytes).toBeGreaterThan(weights * 4)
    expect(cost.uncounted).toEqual([])
  })
})

describe('what must not be touched', () => {
  test('an operator without a rule freezes its axes by name', async () => {
    const net = new Net([4])
    const hidden = net.dense('x', 'one', [6, 4])
    const points = net.weight('points', [5, 6])
    const odd = net.b.op('CDist', [hidden, points], {}, { name: 'odd', domain: 'com.microsoft' })
    const model = net.model(net.dense(odd, 'two', [3, 5]))
    model.opsets.set('com.microsoft', 1)
    const { groups, frozen } = await analyzeModel(model, { runtime })
    expect(groups).toEqual([])
    const reason = "no rule for operator com.microsoft.CDist (node 'odd')"
    expect(frozen).toContainEqual({ value: 'one.weight', axis: 0, reason })
  })

  /** Two layers and between them an If that passes the first one's result on. */
  const withChoice = (condition: (net: Net, hidden: string) => string) => {
    const net = new Net([4])
    const hidden = net.relu(net.dense('x', 'one', [6, 4]))
    const branch = makeGraph('branch')
    branch.nodes.push(makeNode('Identity', [hidden], ['inside']))
    branch.outputs.push({ name: 'inside', type: 'float32' })
    const branches = { then_branch: subgraph(branch), else_branch: subgraph(branch) }
    const chosen = net.b.op('If', [condition(net, hidden)], branches, { name: 'if' })
    return net.model(net.dense(chosen, 'two', [2, 6]))
  }

  test('what a subgraph reads is frozen where only the data tells whether it runs', async () => {
    const onData = (net: Net) => net.b.op('Greater', [net.b.op('ReduceMax', ['x'], { keepdims: 0 }), net.b.scalar(0)])
    const { groups, frozen } = await analyzeModel(withChoice(onData), { runtime })
    expect(groups).toEqual([])
    expect(frozen.find(({ value }) => value === 'one.weight')!.reason).toBe("read inside a subgraph of If 'if'")
  })

  test.each<[string, (net: Net, hidden: string) => string]>([
    ['a constant', (net) => net.b.constant({ type: 'bool', dims: [], bytes: Uint8Array.of(1) })],
    [
      'the size of an axis',
      (net, hidden) =>
        net.b.op('Equal', [
          net.b.op('Gather', [net.b.op('Shape', [hidden]), net.b.ints([1])]),
          net.b.constant(int64([], [1])),
        ]),
    ],
  ])('an If that asks for %s is no obstacle', async (_, condition) => {
    const { plan } = await halve(withChoice(condition), [1, 3])
    expect(widths(plan)).toEqual({ 'one.weight': '3/6' })
  })

  test('a layer whose result is an output keeps its width, what feeds it does not', async () => {
    const net = new Net([4])
    const hidden = net.relu(net.dense('x', 'one', [6, 4]))
    const model = net.model(net.dense(hidden, 'two', [3, 6]))
    model.graph.outputs.push({ name: hidden, type: 'float32' })
    const { groups } = await analyzeModel(model, { runtime })
    expect(groups).toEqual([])
  })
})

describe('random networks', () => {
  /** A network as numbers: residual blocks of given widths, some with a normalization, ending in a dense layer. */
  const blocks = fc.array(
    fc.record({
      width: fc.integer({ min: 2, max: 6 }),
      kind: fc.constantFrom('plain', 'residual', 'concat'),
      norm: fc.boolean(),
    }),
    { minLength: 1, maxLength: 4 },
  )

  const build = (layers: readonly { width: number; kind: string; norm: boolean }[]): Model => {
    const net = new Net([2, 4, 4])
    let [x, channels] = ['x', 2]
    for (const [i, { width, kind, norm }] of layers.entries()) {
      const inner = net.conv(x, `l${i}`, [width, channels, 3])
      const active = net.b.op(i % 2 ? 'Sigmoid' : 'Relu', [norm ? net.norm(inner, `n${i}`, width) : inner])
      if (kind === 'residual') x = net.b.op('Add', [x, net.conv(active, `r${i}`, [channels, width, 1])])
      else if (kind === 'concat') {
        x = net.b.op('Concat', [x, active], { axis: 1 })
        channels += width
      } else {
        x = active
        channels = width
      }
    }
    return net.model(net.dense(net.flatten(x), 'fc', [3, channels * 16]))
  }

  test('pruned at random units they equal the masked original', async () => {
    await fc.assert(
      fc.asyncProperty(blocks, fc.integer(), async (layers, seed) => {
        const model = build(layers)
        const analysis = await analyzeModel(model, { runtime })
        const dice = random(seed)
        const gone = (size: number) =>
          Array.from({ length: size }, (_, i) => i)
            .filter(() => dice.below(2) === 0)
            .slice(0, size - 1)
        const plan = planOf(analysis, new Map(analysis.groups.map((group) => [group, gone(group.size)])), {
          criterion: 'chance',
        })
        await expectEqual(model, applyPlan(model, plan, analysis), plan)
      }),
      { numRuns: 25 },
    )
  })
})

test('a wrong prune is found out', async () => {
  const model = smallCnn()
  const { model: pruned, plan } = await pruneModel(model, { runtime, target: { ratio: 0.5 } })
  const bias = pruned.graph.initializers.get('conv2.bias')!
  pruned.graph.initializers.set(
    'conv2.bias',
    float32(
      bias.dims,
      Float32Array.from({ length: bias.dims[0]! }, () => 9),
    ),
  )
  const proof = await verifyPlan(model, pruned, plan, { runtime })
  expect(proof.equal).toBe(false)
  expect(proof.difference).toBeGreaterThan(1e-2)
  expect(proof.changed).toEqual([{ initializer: 'conv2.bias', reason: 'it is not the slice the plan says' }])
})
