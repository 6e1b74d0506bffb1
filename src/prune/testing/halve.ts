import { expect } from 'vitest'
import type { Model } from '../../onnx/index.ts'
import { nodeRuntime as runtime } from '../../runtime/node.ts'
import { pruneModel } from '../prune.ts'
import { verifyPlan } from '../verify.ts'

/** Prunes half of every exact group, twice, each time proven, at these sizes of a batch where they are said; the first result. */
export const halve = async (model: Model, batches: readonly number[] = []) => {
  const first = await pruneModel(model, { runtime, target: { ratio: 0.5 }, criterion: 'random' })
  const second = await pruneModel(first.model, { runtime, target: { ratio: 0.5 }, criterion: 'random' })
  for (const [before, after, plan] of [
    [model, first.model, first.plan],
    [first.model, second.model, second.plan],
  ] as const) {
    const proof = await verifyPlan(before, after, plan, { runtime })
    expect(proof.changed).toEqual([])
    expect(proof.difference).toBeLessThanOrEqual(1e-4)
    for (const batch of batches) expect(proof.outputs.map((output) => output.batch)).toContain(batch)
  }
  return first
}
