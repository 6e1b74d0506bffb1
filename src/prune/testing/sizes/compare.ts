import { numbersOf } from '../../../base/index.ts'
import type { Model } from '../../../onnx/index.ts'
import type { Runtime, Session, Values } from '../../../runtime/index.ts'
import { sampleInputs } from '../../feeds.ts'
import { maskModel } from '../../mask.ts'
import type { Plan } from '../../types.ts'
import { differenceOf } from '../../verify.ts'
import type { Sizes } from './types.ts'

/** How a pruned model differs from the masked original at some sizes: by how much, or that it does not run. */
export type Mismatch = { readonly sizes: Sizes; readonly difference: number; readonly error?: string }

export type Compared = {
  /** Sizes at which the original runs. */
  readonly ran: number
  readonly mismatches: readonly Mismatch[]
}

/**
 * Compares a pruned model with the masked original at every size at which the original itself runs. Unlike `verifyPlan` it
 * takes any sizes, and asks nothing of the analysis.
 */
export const compareAt = async (
  original: Model,
  pruned: Model,
  plan: Plan,
  all: readonly Sizes[],
  { runtime, tolerance = 1e-4, seed = 0 }: { runtime: Runtime; tolerance?: number; seed?: number },
): Promise<Compared> => {
  const sessions: Session[] = []
  const open = async (model: Model) => {
    const session = await runtime.open(model)
    sessions.push(session)
    return session
  }
  try {
    const whole = await open(original)
    const masked = await open(maskModel(original, plan, pruned))
    const smaller = await open(pruned)
    const mismatches: Mismatch[] = []
    let ran = 0
    for (const sizes of all) {
      const feeds = sampleInputs(original, { sizes, seed })
      const runs = await whole.run(feeds).then(
        () => true,
        () => false,
      )
      if (!runs) continue
      ran++
      const found = await differenceAt(masked, smaller, feeds)
      if (typeof found === 'string') mismatches.push({ sizes, difference: Number.POSITIVE_INFINITY, error: found })
      else if (found > tolerance) mismatches.push({ sizes, difference: found })
    }
    return { ran, mismatches }
  } finally {
    for (const session of sessions) await session.close()
  }
}

const differenceAt = async (expected: Session, actual: Session, feeds: Values): Promise<number | string> => {
  const reference = await expected.run(feeds)
  // A masked unit is 0 · ∞ = NaN where the network itself divides by 0: without the unit nothing is.
  const defined = Object.values(reference).every((tensor) => numbersOf(tensor).every(Number.isFinite))
  const found = await actual.run(feeds).catch((error: unknown) => (error instanceof Error ? error.message : `${error}`))
  if (typeof found === 'string') return found
  if (!defined) return 0
  return Math.max(...Object.entries(reference).map(([name, tensor]) => differenceOf(tensor, found[name])))
}
