import fc from 'fast-check'
import { expect, test } from 'vitest'
import { random } from '../base/index.ts'
import { nodeRuntime as runtime } from '../runtime/node.ts'
import { type Analysis, analyzeModel, applyPlan, type Plan, planOf, verifyPlan } from './index.ts'
import { type FreeRecipe, freeNetworkOf, freeRecipe } from './testing/random/free/index.ts'
import { compareAt } from './testing/sizes/index.ts'

/** Recipes whose steps can be left out one by one where a failure is to be made smaller. */
const recipes: fc.Arbitrary<FreeRecipe> = fc
  .record({ seed: fc.nat(99_999), out: fc.uniqueArray(fc.nat(7), { maxLength: 7 }) })
  .map(({ seed, out }) => {
    const recipe = freeRecipe(seed)
    return { ...recipe, steps: recipe.steps.filter((_, i) => i === 0 || !out.includes(i - 1)) }
  })

// Such networks magnify rounding; a wrong prune is off by a hundredth at least.
const options = { runtime, tolerance: 1e-3 }

const planFor = (analysis: Analysis, gone: (size: number) => number[]): Plan => {
  const exact = analysis.groups.filter(({ approximate }) => approximate === undefined)
  return planOf(analysis, new Map(exact.map((group) => [group, gone(group.size)])), { criterion: 'chance' })
}

test('random networks of size arithmetic and control flow are the masked original at sizes drawn anew', async () => {
  let [groups, refused] = [0, 0]
  const hold = async (recipe: FreeRecipe, seed: number) => {
    const model = freeNetworkOf(recipe)
    // ONNX Runtime refuses a Resize to sizes sliced from the Shape of a value whose rank it cannot infer.
    const session = await runtime.open(model).catch((error: Error) => {
      expect(error.message).toContain("input 'sizes' (0)")
      refused++
    })
    if (!session) return
    await session.close()
    const analysis = await analyzeModel(model, { runtime })
    const dice = random(seed)
    const half = (size: number) => [...dice.shuffle([...Array(size).keys()])].slice(0, size >> 1)
    for (const plan of [planFor(analysis, () => []), planFor(analysis, half)]) {
      const pruned = applyPlan(model, plan, analysis)
      const compared = await compareAt(model, pruned, plan, recipe.draws, options)
      expect(compared).toEqual({ ran: recipe.draws.length, mismatches: [] })
      if (Object.keys(plan.slices).length === 0) continue
      groups += plan.groups.filter(({ size, kept }) => kept < size).length
      expect(await verifyPlan(model, pruned, plan, options)).toMatchObject({ equal: true, changed: [] })
    }
  }
  await fc.assert(fc.asyncProperty(recipes, fc.nat(9999), hold), { numRuns: 40 })
  expect(groups).toBeGreaterThan(25)
  expect(refused).toBeLessThan(5)
})
