import fc from 'fast-check'
import { expect, test } from 'vitest'
import { random } from '../base/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { analyzeModel, applyPlan, planOf, type Verification, verifyPlan } from './index.ts'
import { definedInputs } from './testing/random/defined.ts'
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

/** How removing random units of every exact group compares with masking them; undefined when there is nothing to remove. */
const proofOf = async (recipe: Recipe, seed: number): Promise<Verification | undefined> => {
  const model = networkOf(recipe)
  const analysis = await analyzeModel(model, { runtime })
  const dice = random(seed)
  const gone = (size: number) => [...Array(size).keys()].filter(() => dice.below(2) === 0).slice(0, size - 1)
  const exact = analysis.groups.filter(({ approximate }) => approximate === undefined)
  const plan = planOf(analysis, new Map(exact.map((group) => [group, gone(group.size)])), { criterion: 'chance' })
  if (Object.keys(plan.slices).length === 0) return undefined
  const pruned = applyPlan(model, plan, analysis)
  // Such networks magnify rounding; a wrong prune is off by a hundredth at least.
  const options = { runtime, tolerance: 1e-3 }
  const proof = await verifyPlan(model, pruned, plan, options)
  return proof.equal
    ? proof
    : verifyPlan(model, pruned, plan, { ...options, inputs: await definedInputs(model, runtime) })
}

test('whatever a network is made of: without random units it is what it was with them masked', async () => {
  let pruned = 0
  const hold = async (recipe: Recipe, seed: number) => {
    const proof = await proofOf(recipe, seed)
    if (!proof) return
    pruned++
    expect(proof).toMatchObject({ equal: true, changed: [] })
  }
  await fc.assert(fc.asyncProperty(recipes, fc.nat(9999), hold), { numRuns: 60 })
  expect(pruned).toBeGreaterThan(20)
})

// The quantized layer says 0, whose reciprocal is ∞, which a masked column makes 0·∞ = NaN.
test('a network that divides by 0 at some inputs is compared at the others', async () => {
  const step = (name: string, seed: number) => ({ name, seed })
  const steps = [step('dense', 0), step('quantized', 0), step('partial', 4103), step('dense', 0), step('dense', 0)]
  const recipe: Recipe = { input: [4, 4, 4], opset: 17, steps }
  const inputs = await definedInputs(networkOf(recipe), runtime)
  expect(inputs.length).toBeGreaterThan(0)
  expect(inputs.length).toBeLessThan(12)
  const proof = await proofOf(recipe, 5)
  expect(proof?.outputs.length).toBe(inputs.length)
  expect(proof).toMatchObject({ equal: true, changed: [] })
})
