import { expect, test } from 'vitest'
import { nodeRuntime } from '../runtime/node.ts'
import { analyzeModel } from './analyze.ts'
import { planOf, verifyPlan } from './index.ts'
import { applyPlan } from './surgery.ts'
import { Net } from './testing/networks.ts'

/** Attention's shape of trouble: three values reshaped to [·, heads, dimensions] by one shared target. */
const heads = () => {
  const net = new Net([6])
  const target = net.b.ints([-1, 2, 4], 'target')
  const split = (name: string) => net.b.op('Reshape', [net.relu(net.dense('x', name, [8, 6])), target])
  const [a, b, c] = [split('a'), split('b'), split('c')]
  const score = net.b.op('ReduceSum', [net.b.op('Mul', [a, b]), net.b.ints([-1])], { keepdims: 1 })
  return net.model(net.dense(net.flatten(net.b.op('Mul', [score, c])), 'out', [3, 8]))
}

test('a reshaping target that several nodes share is changed only for those whose value is cut', async () => {
  const model = heads()
  const analysis = await analyzeModel(model, { runtime: nodeRuntime })
  for (const group of analysis.groups) {
    const plan = planOf(analysis, new Map([[group, [1]]]), { criterion: 'hand' })
    const pruned = applyPlan(model, plan, analysis)
    const proof = await verifyPlan(model, pruned, plan, { runtime: nodeRuntime })
    expect(proof.equal, group.name).toBe(true)
  }
  expect(analysis.groups.map(({ name }) => name)).toEqual(['a.weight', 'c.weight'])
})
