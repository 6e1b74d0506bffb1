import fc from 'fast-check'
import { expect, test } from 'vitest'
import { random } from '../base/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { analyzeModel, applyPlan, planOf, verifyPlan } from './index.ts'
import { networkOf, type Recipe, stepNames } from './testing/random/index.ts'

const runtime = nodeRuntime

/** A layer to have units at all, then whatever comes. */
const recipes: fc.Arbitrary<Recipe> = fc.record({
  input: fc.constantFrom([4, 4, 4], [3, 6], [6]),
  opset: fc.constantFrom(17, 21),
  steps: fc
    .tuple(
      fc.record({ name: fc.constantFrom('dense', 'convolution'), seed: fc.nat(9999) }),
      fc.array(fc.record({ name: fc.constantFrom(...stepNames), seed: fc.nat(9999) }), { minLength: 2, maxLength: 12 }),
    )
    .map(([first, rest]) => [first, ...rest]),
})

test('whatever a network is made of: without random units it is what it was with them masked', async () => {
  let pruned = 0
  const hold = async (recipe: Recipe, seed: number) => {
    const model = networkOf(recipe)
    const analysis = await analyzeModel(model, { runtime })
    const dice = random(seed)
    const gone = (size: number) => [...Array(size).keys()].filter(() => dice.below(2) === 0).slice(0, size - 1)
    const exact = analysis.groups.filter(({ approximate }) => approximate === undefined)
    const plan = planOf(analysis, new Map(exact.map((group) => [group, gone(group.size)])), { criterion: 'chance' })
    if (Object.keys(plan.slices).length === 0) return
    pruned++
    // Such networks magnify rounding; a wrong prune is off by a hundredth at least.
    const proof = await verifyPlan(model, applyPlan(model, plan, analysis), plan, { runtime, tolerance: 1e-3 })
    expect(proof).toMatchObject({ equal: true, changed: [] })
  }
  await fc.assert(fc.asyncProperty(recipes, fc.nat(9999), hold), { numRuns: 60 })
  expect(pruned).toBeGreaterThan(20)
})
