import { describe, expect, test } from 'vitest'
import { random } from '../base/index.ts'
import { nodeRuntime as runtime } from '../runtime/node.ts'
import { type Analysis, analyzeModel, applyPlan, type Plan, planOf } from './index.ts'
import { compareAt, modelOf, opsets, sizeCases } from './testing/sizes/index.ts'

/** Removes half of every exact group, at random. */
const halfOf = (analysis: Analysis, seed: number): Plan => {
  const dice = random(seed)
  const exact = analysis.groups.filter(({ approximate }) => approximate === undefined)
  const gone = (size: number) => [...dice.shuffle([...Array(size).keys()])].slice(0, size >> 1)
  return planOf(analysis, new Map(exact.map((group) => [group, gone(group.size)])), { criterion: 'chance' })
}

/** Layers whose output channels a plan removes. */
const layersOf = ({ groups }: Plan): string[] =>
  groups.filter(({ size, kept }) => kept < size).map(({ name }) => name.replace(/\.\w+$/, ''))

/** Each pattern at one opset, so that all opsets come up. */
const cases = sizeCases.map((pattern, i) => ({ ...pattern, opset: opsets[i % opsets.length]! }))

describe.each(cases)('$name, opset $opset', (pattern) => {
  test('it is pruned where it can be, and is then the masked original at every size', async () => {
    const { opset, sizes } = pattern
    const model = modelOf(pattern, opset)
    const analysis = await analyzeModel(model, { runtime })
    const plan = halfOf(analysis, opset)
    const compared = await compareAt(model, applyPlan(model, plan, analysis), plan, sizes, { runtime })
    expect(compared).toEqual({ ran: sizes.length, mismatches: [] })
    expect(layersOf(plan)).toEqual(expect.arrayContaining([...pattern.prunable]))
    for (const layer of pattern.frozen ?? []) expect(layersOf(plan)).not.toContain(layer)
    const nothing = planOf(analysis, new Map(), { criterion: 'chance' })
    const same = await compareAt(model, applyPlan(model, nothing, analysis), nothing, sizes, { runtime })
    expect(same.mismatches).toEqual([])
  })
})
