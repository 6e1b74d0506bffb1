import { expect, test } from 'vitest'
import { nodeRuntime } from '../runtime/node.ts'
import { analyzeModel, pruneModel, verifyPlan } from './index.ts'
import { treatments } from './testing/treatments/index.ts'

const runtime = nodeRuntime

// What goes is proven, and once more with what is left.
test.each(treatments)('%s', async (_, build, expected) => {
  const model = build()
  const analysis = await analyzeModel(model, { runtime })
  const ones = analysis.groups.filter(({ members }) => members.some(({ initializer }) => initializer.startsWith('one')))
  const reasons = analysis.frozen.filter(({ value }) => value.startsWith('one')).map(({ reason }) => reason)
  if (expected instanceof RegExp) {
    expect(ones).toEqual([])
    expect(reasons.join('\n')).toMatch(expected)
    return
  }
  expect(ones.length, reasons.join('\n')).toBeGreaterThan(0)
  expect(ones.map(({ approximate }) => approximate !== undefined)).toEqual(ones.map(() => expected === 'on request'))
  let before = model
  for (let round = 0; round < 2; round++) {
    const { model: after, plan } = await pruneModel(before, { runtime, target: { ratio: 0.5 }, criterion: 'random' })
    const proof = await verifyPlan(before, after, plan, { runtime })
    expect(proof).toMatchObject({ equal: true, changed: [] })
    if (round === 0 && expected === 'goes')
      expect(Object.keys(plan.slices).some((name) => name.startsWith('one'))).toBe(true)
    before = after
  }
})
