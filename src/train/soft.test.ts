import { expect, test } from 'vitest'
import { float32, float32Of } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import { ranger, sgd } from '../optim/index.ts'
import { analyzeModel, type Plan, planPruning } from '../prune/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { softTrain } from './soft.ts'
import { smallCnn, smallDigits } from './testing/samples.ts'

const runtime = nodeRuntime

const softly = async (recipe: ReturnType<typeof sgd>, epochs: number) => {
  const model = smallCnn()
  // Above 0 a bias keeps its ReLU open where the weights are zero.
  model.graph.initializers.set('conv2.bias', float32([8], new Float32Array(8).fill(0.5)))
  const analysis = await analyzeModel(model, { runtime })
  const choose = (now: Model): Plan => planPruning(now, analysis, { target: { ratio: 0.5 } })
  const plans: Plan[] = []
  const seen: Model[] = []
  const result = await softTrain(model, {
    runtime,
    threads: 1,
    data: await smallDigits(60),
    batch: 20,
    epochs,
    recipe,
    analysis,
    choose: (now) => {
      seen.push(now)
      return choose(now)
    },
    onEpoch: (_, plan) => plans.push(plan),
  })
  return { ...result, plans, seen, dims: model.graph.initializers.get('conv2.weight')!.dims }
}

/** The l1 norm of each of conv2's kernels. */
const norms = (model: Model) => {
  const values = float32Of(model.graph.initializers.get('conv2.weight')!)
  return Array.from({ length: 8 }, (_, k) => values.subarray(k * 36, k * 36 + 36).reduce((s, w) => s + Math.abs(w), 0))
}

test.each([
  ['sgd', () => sgd({ lr: 1e-3 })],
  ['ranger, whose slow weights are zeroed too', () => ranger({ lr: 1e-4 })],
] as const)(
  'kernels that would go are set to zero after an epoch, and grow again in the next: %s',
  async (_, recipe) => {
    const { seen, plans, model, dims } = await softly(recipe(), 3)
    expect(dims).toEqual([8, 4, 3, 3])
    expect(plans).toHaveLength(3)
    const kept = plans[0]!.slices['conv2.weight']!['0']!
    const [before, after] = [norms(seen[0]!), norms(seen[1]!)]
    for (let k = 0; k < 8; k++) {
      if (kept.includes(k)) continue
      // From zero, three small steps lead not far; but they lead away.
      expect(after[k]).toBeLessThan(before[k]! / 4)
      expect(after[k]).toBeGreaterThan(0)
    }
    // Nothing is removed.
    expect(model.graph.initializers.get('conv2.weight')!.dims).toEqual([8, 4, 3, 3])
  },
)

test('epochs that make no sense are refused', async () => {
  for (const epochs of [0, 1.5]) await expect(softly(sgd({ lr: 1e-3 }), epochs)).rejects.toThrow('soft pruning')
})
