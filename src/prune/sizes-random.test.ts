import { expect, test } from 'vitest'
import { nodeRuntime as runtime } from '../runtime/node.ts'
import { sampleInputs } from './index.ts'
import { freeNetworkOf, freeRecipe, freeStepNames } from './testing/random/free/index.ts'

test('random networks run at every size they are made for', async () => {
  const used = new Set<string>()
  for (let seed = 1; seed <= 40; seed++) {
    const recipe = freeRecipe(seed)
    for (const { name } of recipe.steps) used.add(name)
    const model = freeNetworkOf(recipe)
    // What a Loop carries may be of any rank to ONNX Runtime, which then refuses a Resize to sizes sliced from its Shape.
    const session = await runtime
      .open(model)
      .catch((error: Error) => expect(error.message).toContain("input 'sizes' (0)"))
    for (const sizes of session ? recipe.draws : []) await session?.run(sampleInputs(model, { sizes }))
    await session?.close()
  }
  expect(used.size).toBeGreaterThan(freeStepNames.length)
})
