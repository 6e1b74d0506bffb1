import { describe, expect, test } from 'vitest'
import { nodeRuntime } from '../runtime/node.ts'
import { analyzeModel } from './analyze.ts'
import { applyPlan, planOf } from './index.ts'
import { dims, expectEqual, widths } from './testing/equal.ts'
import { halve } from './testing/halve.ts'
import { Net } from './testing/networks.ts'

const runtime = nodeRuntime

describe('vectors that layers share', () => {
  test('vectors an exporter merged are copied only where slices differ', async () => {
    const net = new Net([2, 5, 5])
    const ones = net.weight('ones', [6], true)
    const norm = (x: string) => net.b.op('BatchNormalization', [x, ones, 'shift', 'shift', ones])
    net.weight('shift', [6])
    const a = net.relu(norm(net.conv('x', 'a', [6, 2, 3])))
    const b = net.relu(norm(net.conv(a, 'b', [6, 6, 3])))
    const model = net.model(net.flatten(net.conv(b, 'c', [2, 6, 1])))
    const { plan, model: pruned } = await halve(model, [1, 3])
    expect(plan.slices['a.weight']!['0']).not.toEqual(plan.slices['b.weight']!['0'])
    expect(plan.copies).toEqual({ ones_copy1: 'ones', shift_copy1: 'shift' })
    expect(dims(pruned, 'ones_copy1')).toEqual([3])

    const analysis = await analyzeModel(model, { runtime })
    const same = planOf(analysis, new Map(analysis.groups.map((group) => [group, [1, 4]])), { criterion: 'hand' })
    expect(same.copies).toEqual({})
    const smaller = applyPlan(model, same, analysis)
    expect(smaller.graph.initializers.has('ones_copy1')).toBe(false)
    await expectEqual(model, smaller, same)
  })

  test('a copy of which nothing else tells what it lost stays, though it lost the same', async () => {
    const net = new Net([1])
    const row = net.weight('row', [1, 6])
    const sums = ['Relu', 'Tanh'].map((op) => {
      const units = net.b.op(op, [net.b.op('MatMul', ['x', row])])
      return net.b.op('ReduceSum', [units, net.b.ints([1])])
    })
    const model = net.model(net.b.op('Concat', sums, { axis: 1 }))
    const analysis = await analyzeModel(model, { runtime })
    const same = planOf(analysis, new Map(analysis.groups.map((group) => [group, [1, 4]])), { criterion: 'hand' })
    expect(widths(same)).toEqual({ row: '4/6', row_copy1: '4/6' })
    expect(same.copies).toEqual({ row_copy1: 'row' })
    await expectEqual(model, applyPlan(model, same, analysis), same)
  })

  // A torchvision ResNet-50 with fresh weights arrives so: 47 of its biases are Identities of six.
  test('vectors an exporter merged and passes on through Identities are told apart as well', async () => {
    const net = new Net([2, 5, 5])
    const [bias, unread] = [net.weight('bias', [6]), net.weight('unread', [6])]
    const again = () => net.b.op('Identity', [bias])
    const conv = (x: string, name: string, inner: number, biased: string) =>
      net.relu(net.b.op('Conv', [x, net.weight(name, [6, inner, 1, 1]), biased]))
    const a = conv('x', 'a', 2, net.b.op('Identity', [again()]))
    const c = conv(conv(a, 'b', 6, again()), 'c', 6, bias)
    const d = conv(c, 'd', 6, net.b.op('Identity', [unread]))
    const model = net.model(net.flatten(net.conv(d, 'out', [2, 6, 1])))
    const before = [...model.graph.initializers]
    const { plan, model: pruned } = await halve(model, [1, 3])
    expect(widths(plan)).toEqual({ a: '3/6', b: '3/6', c: '3/6', d: '3/6' })
    expect(plan.copies).toEqual({ bias_copy1: 'bias', bias_copy2: 'bias' })
    for (const name of ['bias', 'bias_copy1', 'bias_copy2', 'unread']) expect(dims(pruned, name)).toEqual([3])
    expect(pruned.graph.nodes.map(({ opType }) => opType)).not.toContain('Identity')
    expect([...model.graph.initializers]).toEqual(before)

    // Where a and b lose the same units they share a bias again, and c, which loses others, has one of its own.
    const analysis = await analyzeModel(model, { runtime })
    const gone = (name: string) => (['a', 'b'].includes(name) ? [1, 4] : name === 'c' ? [0] : [])
    const some = planOf(analysis, new Map(analysis.groups.map((group) => [group, gone(group.name)])), {
      criterion: 'hand',
    })
    expect(some.copies).toEqual({ bias_copy2: 'bias' })
    const smaller = applyPlan(model, some, analysis)
    expect([dims(smaller, 'bias'), dims(smaller, 'bias_copy2')]).toEqual([[4], [5]])
    expect(smaller.graph.initializers.get('unread')).toBe(model.graph.initializers.get('unread'))
    await expectEqual(model, smaller, some)
  })

  test('an Identity of a weight that is an output stays', async () => {
    const net = new Net([4])
    const [bias, again] = [net.weight('bias', [4]), net.b.op('Identity', ['bias'])]
    const one = net.relu(net.b.op('Gemm', ['x', net.weight('one', [4, 4]), bias]))
    const two = net.relu(net.b.op('Gemm', [one, net.weight('two', [4, 4]), again]))
    const model = net.model(net.dense(two, 'out', [2, 4]))
    model.graph.outputs.push({ name: again, type: 'float32', dims: [4] })
    const { plan, model: pruned } = await halve(model, [1, 3])
    expect(widths(plan)).toEqual({ two: '2/4' })
    expect(plan.copies).toEqual({ bias_copy1: 'bias' })
    expect(pruned.graph.nodes.map(({ opType }) => opType)).toContain('Identity')
  })

  test('an embedding tied to the output layer stays tied, through an Identity too', async () => {
    for (const through of [false, true]) {
      const net = new Net([5, 6])
      const table = net.weight('table', [9, 6])
      const ids = net.b.op('ArgMax', [net.b.op('MatMul', ['x', net.weight('scores', [6, 9])])], {
        axis: 2,
        keepdims: 0,
      })
      const hidden = net.relu(net.b.op('Gather', [table, ids]))
      const turned = net.b.op('Transpose', [through ? net.b.op('Identity', [table]) : table], { perm: [1, 0] })
      const model = net.model(net.b.op('MatMul', [hidden, turned]))
      const { plan, model: pruned } = await halve(model, [1, 3])
      expect(plan.copies).toEqual({})
      expect(plan.groups.map(({ name, members }) => [name, members])).toEqual([
        ['table', [{ initializer: 'table', axis: 1 }]],
      ])
      expect(dims(pruned, 'table')).toEqual([9, 3])
    }
  })

  test('a tied weight stays tied', async () => {
    const net = new Net([6])
    const weight = net.weight('w', [6, 6])
    const first = net.relu(net.dense('x', 'in', [6, 6]))
    const turn = (x: string) => net.relu(net.b.op('MatMul', [x, weight]))
    const model = net.model(net.dense(turn(turn(first)), 'out', [2, 6]))
    const { plan } = await halve(model, [1, 3])
    expect(plan.copies).toEqual({})
    expect(plan.slices.w!['0']).toEqual(plan.slices.w!['1'])
  })
})
