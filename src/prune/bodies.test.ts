import { describe, expect, test } from 'vitest'
import { bool, float32, int64 } from '../base/index.ts'
import { type Graph, type Model, makeGraph, makeNode, type Node, subgraph, type ValueInfo } from '../onnx/index.ts'
import { nodeRuntime as runtime } from '../runtime/node.ts'
import { costOf, pruneModel, verifyPlan } from './index.ts'
import { Net } from './testing/networks.ts'

const value = (name: string, type: ValueInfo['type'] = 'float32'): ValueInfo => ({ name, type })

const body = (inputs: ValueInfo[], nodes: Node[], outputs: ValueInfo[]): Graph => ({
  ...makeGraph('b'),
  inputs,
  nodes,
  outputs,
})

/** A hidden layer of 8, what `inside` makes of it, and a layer behind it. */
const around = (inside: (net: Net, h: string) => Node[]): Model => {
  const net = new Net([5])
  const h = net.relu(net.dense('x', 'one', [8, 5]))
  net.weight('w', [8, 8])
  net.weight('b', [8])
  net.b.initializer('rounds', int64([], [3]))
  net.b.initializer('go', bool([], [true]))
  net.b.graph.nodes.push(...inside(net, h))
  return net.model(net.dense('y', 'two', [3, 8]))
}

const layer = (from: string, to: string): Node[] => [
  makeNode('Gemm', [from, 'w', 'b'], [`${to}_sum`], { transB: 1 }),
  makeNode('Relu', [`${to}_sum`], [to]),
]

const loop = (h: string) =>
  makeNode('Loop', ['rounds', 'go', h], ['y'], {
    body: subgraph(
      body(
        [{ ...value('i', 'int64'), dims: [] }, { ...value('on', 'bool'), dims: [] }, value('s')],
        [...layer('s', 't'), makeNode('Identity', ['on'], ['still'])],
        [value('still', 'bool'), value('t')],
      ),
    ),
  })

const branches = (h: string) =>
  makeNode('If', ['go'], ['y'], {
    then_branch: subgraph(body([], layer(h, 'taken'), [value('taken')])),
    else_branch: subgraph(body([], [makeNode('Identity', [h], ['same'])], [value('same')])),
  })

const nested = (h: string) =>
  makeNode('If', ['go'], ['y'], {
    then_branch: subgraph(body([], [{ ...loop(h), outputs: ['looped'] }], [value('looped')])),
    else_branch: subgraph(body([], [makeNode('Identity', [h], ['same'])], [value('same')])),
  })

describe('weights that the bodies of control flow read', () => {
  const cases: { [name: string]: { inside: (net: Net, h: string) => Node[]; rounds: number } } = {
    'a Loop': { inside: (_, h) => [loop(h)], rounds: 3 },
    'an If': { inside: (_, h) => [branches(h)], rounds: 1 },
    'a Loop within an If': { inside: (_, h) => [nested(h)], rounds: 3 },
    'a Loop beside a layer with the same bias': {
      inside: (net, h) => {
        net.weight('other', [8, 8])
        return [makeNode('Gemm', [h, 'other', 'b'], ['before'], { transB: 1 }), loop('before')]
      },
      rounds: 4,
    },
    'a body whose bias another layer reads, pruned otherwise': {
      inside: (net, h) => {
        net.weight('up', [8, 8])
        return [makeNode('Gemm', [h, 'up', 'b'], ['apart'], { transB: 1 }), branches('apart')]
      },
      rounds: 2,
    },
  }

  test.each(Object.entries(cases))('%s', async (_, { inside, rounds }) => {
    const model = around(inside)
    const { model: pruned, plan } = await pruneModel(model, { runtime, target: { ratio: 0.5 }, criterion: 'random' })
    expect(plan.slices.w).toBeDefined()
    expect(await verifyPlan(model, pruned, plan, { runtime })).toMatchObject({ equal: true, changed: [] })
    const [before, after] = [await costOf(model, { runtime }), await costOf(pruned, { runtime })]
    expect([before.macs, before.uncounted]).toEqual([5 * 8 + rounds * 64 + 24, []])
    expect(after.macs).toBe(5 * 4 + rounds * 16 + 12)
  })
})

test('a Range that goes along with the units it is added to', async () => {
  const net = new Net([5])
  const h = net.dense('x', 'one', [8, 5])
  const scalar = (n: number) => net.b.constant(float32([], [n]))
  const range = net.b.op('Range', [scalar(0), scalar(8), scalar(1)])
  const model = net.model(net.dense(net.relu(net.b.op('Add', [h, range])), 'two', [3, 8]))
  const { model: pruned, plan } = await pruneModel(model, { runtime, target: { ratio: 0.5 } })
  expect(await verifyPlan(model, pruned, plan, { runtime })).toMatchObject({ equal: true, changed: [] })
  const made = { ...plan, slices: { ...plan.slices, made: { 0: [0, 2] } } }
  expect((await verifyPlan(model, pruned, made, { runtime })).changed).toHaveLength(1)
  pruned.graph.initializers.set('made', float32([2], [0, 2]))
  expect((await verifyPlan(model, pruned, made, { runtime })).changed).toEqual([])
})
