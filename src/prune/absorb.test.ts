import { describe, expect, test } from 'vitest'
import { float32, float32Of } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { absorbConstants } from './absorb.ts'
import { analyzeModel } from './analyze.ts'
import { applyPlan, parsePlan, planPruning, serializePlan, verifyPlan } from './index.ts'
import { Net } from './testing/networks.ts'

const runtime = nodeRuntime

/** Two convolutions without padding, a pool, and two dense layers: what a folded BatchNormalization leaves behind. */
const folded = (padding: number): Model => {
  const net = new Net([2, 9, 9])
  const a = net.relu(net.conv('x', 'a', [8, 2, 3], 1, 0))
  const b = net.relu(net.conv(a, 'b', [6, 8, 3], 1, padding))
  const c = net.relu(net.dense(net.flatten(net.pool(b)), 'c', [10, 6 * (padding === 0 ? 4 : 9)]))
  const model = net.model(net.dense(c, 'd', [3, 10]))
  // Every unit has something to say while its weights are zero.
  for (const [name, size] of [
    ['a', 8],
    ['b', 6],
    ['c', 10],
  ] as const)
    model.graph.initializers.set(`${name}.bias`, float32([size], new Float32Array(size).fill(0.5)))
  return model
}

const absorbed = async (model: Model, padded = false) => {
  const analysis = await analyzeModel(model, { runtime })
  const plan = planPruning(model, analysis, { target: { ratio: 0.5 } })
  return {
    analysis,
    ...(await absorbConstants(applyPlan(model, plan, analysis), model, plan, analysis, { runtime, padded })),
  }
}

describe('biases take over what removed units say', () => {
  test('exactly where no padding shows: the original with its units held at f(b)', async () => {
    const model = folded(0)
    const { model: pruned, plan, left } = await absorbed(model)
    expect(left).toEqual([])
    expect(plan.absorbed!.exact).toBe(true)
    expect(Object.keys(plan.absorbed!.biases)).toEqual(['b.bias', 'c.bias', 'd.bias'])
    // b's bias by hand: Σ over a's removed kernels of relu(bias) times the sum of the weights that read it.
    const [weight, bias] = ['b.weight', 'a.bias'].map((name) => float32Of(model.graph.initializers.get(name)!))
    const gone = [0, 1, 2, 3, 4, 5, 6, 7].filter((k) => !plan.slices['a.weight']!['0']!.includes(k))
    const kept = plan.slices['b.weight']!['0']!
    kept.forEach((o, i) => {
      const shift = gone.reduce((sum, c) => {
        const from = (o * 8 + c) * 9
        return sum + Math.max(0, bias![c]!) * weight!.subarray(from, from + 9).reduce((s, w) => s + w, 0)
      }, 0)
      expect(plan.absorbed!.biases['b.bias']![i]).toBeCloseTo(shift, 4)
    })
    const proof = await verifyPlan(model, pruned, parsePlan(serializePlan(plan)), { runtime })
    expect(proof.changed).toEqual([])
    expect(proof.difference).toBeLessThan(1e-5)
    // Every run is compared with the masked original and with the one whose units are held at their constants.
    expect(proof.outputs.length).toBe(2 * new Set(proof.outputs.map(({ run }) => run)).size)

    // Without the shifts the constants are missed.
    const silent = { ...plan, absorbed: { ...plan.absorbed!, biases: {} } }
    const cut = applyPlan(model, plan, await analyzeModel(model, { runtime }))
    expect((await verifyPlan(model, cut, silent, { runtime })).equal).toBe(false)

    // Another number in a bias is found out.
    const bad = float32Of(pruned.graph.initializers.get('c.bias')!).slice()
    bad[0]! += 1e-3
    pruned.graph.initializers.set('c.bias', float32([bad.length], bad))
    const rejected = await verifyPlan(model, pruned, plan, { runtime })
    expect(rejected.changed.map(({ initializer }) => initializer)).toEqual(['c.bias'])
  })

  test('not through padding unless asked, and then near the truth only', async () => {
    const model = folded(1)
    const strict = await absorbed(model)
    expect(strict.left).toEqual([{ group: 'a.weight', reason: expect.stringContaining('padding') }])
    expect(strict.plan.absorbed!.groups).toEqual(['b.weight', 'c.weight'])
    expect((await verifyPlan(model, strict.model, strict.plan, { runtime })).equal).toBe(true)
    const asked = await absorbed(model, true)
    expect(asked.left).toEqual([])
    expect(asked.plan.absorbed!.exact).toBe(false)
    expect((await verifyPlan(model, asked.model, asked.plan, { runtime })).equal).toBe(true)
    // Claimed to be exact it would be refused.
    const claimed = { ...asked.plan, absorbed: { ...asked.plan.absorbed!, exact: true } }
    expect((await verifyPlan(model, asked.model, claimed, { runtime })).equal).toBe(false)
  })

  test('units that vary, or are read without a weight, are left alone', async () => {
    const net = new Net([4])
    const one = net.dense('x', 'one', [6, 4])
    const two = net.dense('x', 'two', [6, 4])
    const score = net.b.op('ReduceSum', [net.b.op('Mul', [one, two]), net.b.ints([1])], { keepdims: 1 })
    const { plan, left } = await absorbed(net.model(net.dense(score, 'out', [2, 1])))
    expect(plan.absorbed).toBeUndefined()
    expect(left).toEqual([{ group: 'one.weight', reason: expect.stringContaining('without a weight') }])
  })
})
