import { describe, expect, test } from 'vitest'
import { nodeRuntime } from '../runtime/node.ts'
import { analyzeModel } from './analyze.ts'
import { applyPlan, parsePlan, planPruning, pruneModel, serializePlan, sliceByPlan, sourceOf } from './index.ts'
import { smallCnn } from './testing/networks.ts'

const model = smallCnn()
const analysis = await analyzeModel(model, { runtime: nodeRuntime })
const plan = planPruning(model, analysis, {
  target: { ratio: 0.5 },
  source: await sourceOf('small.onnx', Uint8Array.of(1)),
})

describe('plan files', () => {
  test('hold what the contract says', () => {
    expect(Object.keys(plan)).toEqual(['format', 'source', 'criterion', 'groups', 'slices', 'frozen', 'copies'])
    expect(plan.groups[0]).toEqual({
      name: 'conv1.weight',
      size: 8,
      kept: 4,
      exact: true,
      members: [
        { initializer: 'conv1.weight', axis: 0 },
        { initializer: 'conv1.bias', axis: 0 },
        { initializer: 'conv2.weight', axis: 1 },
      ],
    })
    expect(plan.source.sha256).toBe('4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a')
  })

  test('are read back as they were', () => {
    expect(parsePlan(serializePlan(plan))).toEqual(plan)
    expect(serializePlan(plan)).toMatch(/"0": \[\d(,\d)*\]/)
  })

  test.each([
    ['{', 'not JSON'],
    ['[]', 'the plan must be an object'],
    ['{"format":"x"}', 'format is "x", not "espalier-plan/1"'],
    [serializePlan({ ...plan, slices: { w: { 0: [2, 1] } } }), "slices['w']['0'] must be ascending"],
    [serializePlan({ ...plan, slices: { w: { 0: [0.5] } } }), "slices['w']['0'] must be a whole number"],
    [serializePlan({ ...plan, slices: { w: { 0: [] } } }), "slices['w']['0'] keeps nothing"],
    [serializePlan({ ...plan, slices: { w: { x: [0] } } }), "'x' is not an axis"],
    [JSON.stringify({ ...plan, copies: 3 }), 'copies must be an object'],
    [JSON.stringify({ ...plan, groups: [{ name: 'g' }] }), 'groups[0].size must be a whole number'],
  ])('%#: %s is refused', (text, message) => {
    expect(() => parsePlan(text, 'plan.json')).toThrow(message)
    expect(() => parsePlan(text, 'plan.json')).toThrow("file 'plan.json'")
  })
})

describe('a plan that does not fit is refused', () => {
  test.each([
    [{ nothing: { 0: [0] } }, "it slices 'nothing', which the model does not have"],
    [{ 'conv1.weight': { 0: [0, 9] } }, "it keeps index 9 of axis 0 of 'conv1.weight', which has 8"],
    [
      { 'fc.weight': { 0: [0, 1] } },
      "it removes index 2 of axis 0 of 'fc.weight', which is frozen (an output of the graph)",
    ],
    [{ 'conv1.weight': { 2: [0, 1] } }, 'which is frozen (Conv'],
    [{ 'conv1.weight': { 0: [0, 1] } }, "its slices of 'conv1.bias' are not those that go with its other slices"],
  ])('%j', (slices, message) => {
    expect(() => applyPlan(model, { ...plan, slices }, analysis)).toThrow(message)
  })
})

test('an optimizer’s state is cut like its weight', async () => {
  const pruned = applyPlan(model, plan, analysis)
  const weight = model.graph.initializers.get('conv2.weight')!
  expect(sliceByPlan(plan, 'conv2.weight', weight)).toEqual(pruned.graph.initializers.get('conv2.weight'))
  const whole = model.graph.initializers.get('fc.bias')!
  expect(sliceByPlan(plan, 'fc.bias', whole)).toBe(whole)
})

test('recorded shapes follow, named sizes stay', async () => {
  const recorded = smallCnn()
  const conv = recorded.graph.nodes[0]!.outputs[0]!
  recorded.graph.valueInfo.set(conv, { name: conv, type: 'float32', dims: ['N', 8, 8, 8] })
  const { model: pruned } = await pruneModel(recorded, { runtime: nodeRuntime, target: { ratio: 0.5 } })
  expect(pruned.graph.valueInfo.get(conv)!.dims).toEqual(['N', 4, 8, 8])
  expect(recorded.graph.initializers.get('conv1.weight')!.dims[0]).toBe(8)
})
