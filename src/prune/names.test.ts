import { expect, test } from 'vitest'
import { float32Of } from '../base/index.ts'
import { decodeSafetensors, encodeSafetensors } from '../formats/index.ts'
import { decodeModel, encodeModel } from '../onnx/index.ts'
import { nodeRuntime as runtime } from '../runtime/node.ts'
import { absorbConstants } from './absorb.ts'
import {
  analyzeModel,
  applyPlan,
  composePlans,
  costOf,
  parsePlan,
  planPruning,
  serializePlan,
  verifyPlan,
} from './index.ts'
import { inherited, inheritedNames, rotated } from './testing/inherited.ts'

test.each([0, 1, 2, 5, 8])('a network of names that every object has, the names turned by %i', async (by) => {
  const model = decodeModel(encodeModel(inherited(rotated(by))))
  const analysis = await analyzeModel(model, { runtime })
  const first = rotated(by)[1]!
  expect(analysis.groups.map(({ name, size }) => [name, size])).toEqual([[first, 8]])
  const plan = parsePlan(serializePlan(planPruning(model, analysis, { target: { ratio: 0.5 } })))
  expect(Object.keys(plan.slices)).toHaveLength(3)
  const pruned = applyPlan(model, plan, analysis)
  expect(await verifyPlan(model, pruned, plan, { runtime })).toMatchObject({ equal: true, changed: [] })
  expect((await costOf(pruned, { runtime })).macs).toBe(4 * 5 + 3 * 4)

  const again = await analyzeModel(pruned, { runtime })
  const second = planPruning(pruned, again, { target: { ratio: 0.5 } })
  const both = parsePlan(serializePlan(composePlans(plan, second)))
  const smallest = applyPlan(model, both, analysis)
  expect(smallest.graph.initializers.get(first)!.dims).toEqual([2, 5])
  expect(await verifyPlan(model, smallest, both, { runtime })).toMatchObject({ equal: true, changed: [] })

  const absorbed = await absorbConstants(pruned, model, plan, analysis, { runtime })
  const kept = parsePlan(serializePlan(absorbed.plan))
  expect(kept.absorbed?.groups).toEqual([first])
  expect(await verifyPlan(model, absorbed.model, kept, { runtime })).toMatchObject({ equal: true, changed: [] })

  const tensors = decodeSafetensors(encodeSafetensors(pruned.graph.initializers)).tensors
  expect([...tensors.keys()].sort()).toEqual([...pruned.graph.initializers.keys()].sort())
  for (const [name, tensor] of tensors)
    expect(float32Of(tensor)).toEqual(float32Of(pruned.graph.initializers.get(name)!))
})

test.each(inheritedNames)('an operator called %s is unknown, and what it touches stays', async (opType) => {
  const model = inherited(rotated(0))
  model.graph.nodes[1]!.opType = opType
  await expect(analyzeModel(model, { runtime })).rejects.toThrow(opType)
})
