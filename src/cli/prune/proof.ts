import { EspalierError, messageOf } from '../../base/index.ts'
import type { Model } from '../../onnx/index.ts'
import { type Analysis, applyPlan, type Plan, shortfallOf, type Verification, verifyPlan } from '../../prune/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import type { Console } from '../console.ts'
import { onStage } from '../limits/report.ts'

/** Proves a plan before anything is trained or written. @throws EspalierError where it does not hold */
export type Prove = (plan: Plan, analysis: Analysis) => Promise<Verification>

/**
 * Proofs about the removal alone, made on the original's own weights: what retraining changes is not compared. A plan is
 * proved once.
 */
export const proverOf = (model: Model, macs: number): Prove => {
  const proved = new Map<Plan, Verification>()
  return async (plan, analysis) => {
    const found = proved.get(plan) ?? (await proofOf(model, plan, analysis, macs))
    proved.set(plan, found)
    return found
  }
}

const remedy = 'nothing was written: please report the model, or write it unproved with --no-verify'

const proofOf = async (model: Model, plan: Plan, analysis: Analysis, macs: number): Promise<Verification> => {
  const options = { runtime: nodeRuntime, macs, onEvent: onStage }
  const found = await verifyPlan(model, applyPlan(model, plan, analysis), plan, options).catch((error: unknown) => {
    throw new EspalierError(`the prune could not be proved: ${messageOf(error)}`, { remedy, cause: error })
  })
  const wrong = shortfallOf(found)
  if (wrong === undefined || isNear(found)) return found
  throw new EspalierError(`masked original and pruned model are not equal: ${wrong}`, { remedy })
}

/** Where units went approximately the outputs may differ, but not in shape, and no weight may be another. */
const isNear = ({ approximate, changed, outputs, difference }: Verification): boolean =>
  approximate.length > 0 && changed.length === 0 && outputs.length > 0 && Number.isFinite(difference)

/** What was proved, and at how many sizes. */
export const sayProof = (found: Verification, console: Console): void => {
  const sizes = [...new Set(found.outputs.map(({ size }) => size))]
  const where = sizes.length === 1 ? `at ${sizes[0]}` : `at ${sizes.length} sizes from ${sizes[0]} to ${sizes.at(-1)}`
  console.say()
  if (found.equal)
    console.say(
      `verified: masked original and pruned model differ by ${found.difference.toExponential(1)} at most (${where})`,
    )
  else
    console.say(
      `not equal, as --approximate allows: masked original and pruned model differ by up to ${found.difference.toExponential(1)} (${where}), ` +
        `because normalizations of ${list(found.approximate)} take their mean and variance over the kept units only`,
    )
  for (const reason of new Set(found.skipped.filter(({ reason }) => reason.startsWith('output')).map((s) => s.reason)))
    console.say(`not compared: ${reason}`)
}

const list = (names: readonly string[]): string =>
  `${names.slice(0, 4).join(', ')}${names.length > 4 ? ` and ${names.length - 4} more` : ''}`
