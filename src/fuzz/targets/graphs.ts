import { EspalierError, type Random } from '../../base/index.ts'
import { encodeModel, type Model } from '../../onnx/index.ts'
import { absorbConstants, differenceOf, type Plan, pruneModel, sampleInputs, verifyPlan } from '../../prune/index.ts'
import { absorbingModel, heldByHand } from '../../prune/testing/absorbing.ts'
import { freeNetworkOf, freeRecipe } from '../../prune/testing/random/free/index.ts'
import { compareAt, type Sizes } from '../../prune/testing/sizes/index.ts'
import { nodeRuntime as runtime } from '../../runtime/node.ts'
import { checkMessage } from '../reading.ts'
import { ensure, type Target, Violation } from '../target.ts'

const limits = { seconds: 120, megabytes: 2048 }

/** Rounding differs where a sum has fewer terms, and such networks magnify it; a wrong prune is off by a hundredth at least. */
const tolerance = 1e-3

const runs = async (model: Model): Promise<boolean> => {
  const session = await runtime.open(model).catch(() => undefined)
  await session?.close()
  return session !== undefined
}

const textOf = (sizes: Sizes) => JSON.stringify(sizes)

/** A pruned network must be the masked original at all sizes, and be refused with a reason where it cannot. */
const holds = async (model: Model, sizes: readonly Sizes[], seed: number): Promise<string> => {
  if (!(await runs(model))) return 'the engine does not run it'
  let found: { model: Model; plan: Plan }
  try {
    found = await pruneModel(model, { runtime, criterion: 'random', seed, target: { ratio: 0.4 } })
  } catch (error) {
    if (!(error instanceof EspalierError)) throw error
    checkMessage(error.message)
    return 'refused'
  }
  const { ran, mismatches } = await compareAt(model, found.model, found.plan, sizes, { runtime, tolerance })
  ensure(
    mismatches.length === 0,
    `not the masked original at ${mismatches.map((one) => `${textOf(one.sizes)}: ${one.error ?? one.difference}`).join('; ')}`,
  )
  if (ran === 0) return 'no size runs'
  return Object.keys(found.plan.slices).length > 0 ? 'pruned' : 'frozen'
}

export const graphs: Target = {
  name: 'graphs',
  what: 'random networks of size arithmetic, control flow and layers, pruned at random units: the masked original at sizes drawn anew',
  short: 8,
  limits,
  open: async () => ({
    attempt: (dice) => {
      const recipe = recipeFrom(dice)
      const model = freeNetworkOf(recipe)
      return {
        files: { 'x.onnx': encodeModel(model), 'recipe.json': JSON.stringify(recipe, null, 2) },
        run: () => holds(model, recipe.draws, dice.below(10_000)),
      }
    },
  }),
}

/** Quantized numbers that are 0 and then inverted make NaN of masked units, which the pruned network need not have. */
const recipeFrom = (dice: Random) => {
  for (;;) {
    const recipe = freeRecipe(dice.below(2 ** 31), 1 + dice.below(8))
    if (!recipe.steps.some(({ name }) => /quant/.test(name))) return recipe
  }
}

export const absorbing: Target = {
  name: 'absorb',
  what: 'random networks whose removed units are constant: biases take over exactly what they were, or it is refused',
  short: 4,
  limits,
  open: async () => ({
    attempt: (dice) => {
      const seed = dice.below(2 ** 31)
      const model = absorbingModel(seed)
      return { files: { 'x.onnx': encodeModel(model) }, run: () => absorbs(model, dice) }
    },
  }),
}

const absorbs = async (model: Model, dice: Random): Promise<string> => {
  const found = await pruneModel(model, {
    runtime,
    criterion: 'random',
    seed: dice.below(10_000),
    target: { ratio: 0.5 },
  })
  const { model: absorbed, plan } = await absorbConstants(found.model, model, found.plan, found.analysis, { runtime })
  const [held, smaller] = [await runtime.open(heldByHand(found.analysis, plan)), await runtime.open(absorbed)]
  try {
    for (const batch of [1, 2, 5]) {
      const feeds = sampleInputs(model, { batch, seed: dice.below(10_000) })
      const [expected, actual] = [await held.run(feeds), await smaller.run(feeds)]
      for (const [name, tensor] of Object.entries(expected)) {
        const difference = differenceOf(tensor, actual[name])
        if (!(difference <= tolerance)) throw new Violation(`off by ${difference} at batch ${batch}`)
      }
    }
  } finally {
    await held.close()
    await smaller.close()
  }
  const proof = await verifyPlan(model, absorbed, plan, { runtime })
  ensure(proof.equal, `the proof finds a difference of ${proof.difference}`)
  return (plan.absorbed?.groups.length ?? 0) > 0 ? 'absorbed' : 'nothing to absorb'
}
