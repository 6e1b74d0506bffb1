import { expect } from 'vitest'
import type { Model } from '../../onnx/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { verifyPlan } from '../index.ts'
import type { Plan } from '../types.ts'

/** The pruned model equals the masked original, for one sample and several. */
export const expectEqual = async (model: Model, pruned: Model, plan: Plan) => {
  const proof = await verifyPlan(model, pruned, plan, { runtime: nodeRuntime })
  expect(proof.changed).toEqual([])
  expect(proof.difference).toBeLessThanOrEqual(1e-4)
  const batches = proof.outputs.map(({ batch }) => batch)
  for (const batch of [1, 2, 3]) expect(batches).toContain(batch)
}

/** Kept and all units, by group. */
export const widths = (plan: Plan) =>
  Object.fromEntries(plan.groups.map(({ name, size, kept }) => [name, `${kept}/${size}`]))
/** Shape of an initializer. */
export const dims = (model: Model, name: string) => model.graph.initializers.get(name)?.dims
