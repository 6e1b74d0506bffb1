import { EspalierError, messageOf, numbersOf, own, sizeOf, type Tensor } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import type { Runtime, Session, Values } from '../runtime/index.ts'
import { changedInitializers } from './changed.ts'
import { costOf } from './cost.ts'
import { freeAxes, hasFreeBatch, type SampleOptions, sampleInputs } from './feeds.ts'
import { isFloating } from './importance/weights.ts'
import { heldModel, maskModel } from './mask.ts'
import { proofSizes, type RunSizes } from './proof-sizes.ts'
import { runAlike } from './ties.ts'
import type { OnPruneEvent, Plan } from './types.ts'

export type VerifyOptions = Pick<SampleOptions, 'sizes' | 'seed'> & {
  runtime: Runtime
  /** Runs to compare; by default random inputs of several sizes of every free axis (`proofSizes`). */
  inputs?: readonly Values[]
  /** Largest relative difference; default 1e-4. */
  tolerance?: number
  /** Multiply–accumulates of one sample (`costOf`), which bound the largest sizes; counted unless given. */
  macs?: number
  onEvent?: OnPruneEvent
}

/** How one output of one run compares. */
export type OutputDifference = {
  /** Or, where it was held to that, the value it comes from. */
  readonly output: string
  /** Which run, the size of its first input's first axis, and the shapes of its inputs: 'x 2×3×37×53'. */
  readonly run: number
  readonly batch: number
  readonly size: string
  /** max|masked − pruned| ÷ max|masked|. */
  readonly difference: number
}

export type Verification = {
  /** Whether every output agrees, at least one could be compared, and every initializer is what the plan says. */
  readonly equal: boolean
  readonly tolerance: number
  /** The largest of `outputs`. */
  readonly difference: number
  readonly outputs: readonly OutputDifference[]
  /** What proved nothing: sizes at which the original does not run, outputs that are NaN everywhere. */
  readonly skipped: readonly { readonly size: string; readonly reason: string }[]
  /** Groups of which units went approximately, so that equality does not hold: what is left of them is scaled anew. */
  readonly approximate: readonly string[]
  /**
   * Values the pruned model was given from the masked one, because near ties were chosen differently (the best k of nearly
   * equal scores): the numbers chosen by are then compared as well. Empty as a rule.
   */
  readonly choices: readonly string[]
  /** Initializers of the pruned model that are not what the plan makes of the original's, each with what is wrong. */
  readonly changed: readonly { readonly initializer: string; readonly reason: string }[]
}

/**
 * The proof of a prune: the original with the removed slices set to zero gives the same outputs as the pruned model, and
 * every initializer is the original's, whole or sliced as the plan says. Where biases took over constants, those are added to
 * the masked original's; and where that is exact, the original with its removed units held at their constants is compared too.
 * Sizes at which the original does not run are skipped; at least one must run.
 *
 * @throws EspalierError where the pruned model does not run and the original does
 */
export const verifyPlan = async (
  original: Model,
  pruned: Model,
  plan: Plan,
  options: VerifyOptions,
): Promise<Verification> => {
  const { runtime, tolerance = 1e-4, onEvent = () => {} } = options
  const masked = maskModel(original, plan, pruned)
  const held = plan.absorbed?.exact ? heldModel(original, plan, pruned) : undefined
  const changed = changedInitializers(original, pruned, plan)
  const { runs, others } = await runsOf(original, options)
  const reference = await runtime.open(masked)
  const session = await runtime.open(pruned)
  const constant = held && (await runtime.open(held))
  const outputs: OutputDifference[] = []
  const skipped: { size: string; reason: string }[] = []
  const choices = new Set<string>()
  let refusal: unknown

  /** @returns whether the original runs on `feeds` */
  const compare = async ({ feeds: make, far }: Run, run: number): Promise<boolean> => {
    const feeds = make()
    const at = { run, batch: batchOf(feeds), size: sizeText(feeds) }
    const expected = await reference.run(feeds).catch((error: unknown) => {
      refusal ??= error
      skipped.push({ size: at.size, reason: `the original does not run: ${messageOf(error)}` })
    })
    if (!expected) return false
    const actual = await runPruned(session, feeds)
    const found = differencesOf(expected, actual, at)
    const alike = found.differences.every(({ difference }) => difference <= tolerance)
      ? undefined
      : await runAlike(runtime, masked, pruned, feeds)
    for (const name of alike?.choices ?? []) choices.add(name)
    const held = constant && !far && differencesOf(await constant.run(feeds), actual, at)
    for (const one of [alike ? differencesOf(alike.expected, alike.actual, at) : found, ...(held ? [held] : [])]) {
      outputs.push(...one.differences)
      skipped.push(...one.nowhere.map((name) => ({ size: at.size, reason: `output '${name}' is NaN everywhere` })))
    }
    return true
  }

  try {
    let ran = 0
    for (const [i, run] of runs.entries()) {
      onEvent({ type: 'progress', stage: 'verify', done: i, total: runs.length })
      if (await compare(run, i)) ran++
    }
    for (const [i, run] of others.entries())
      if (ran < Math.min(3, runs.length) && (await compare(run, runs.length + i))) ran++
    if (ran === 0) throw refusal
  } finally {
    await reference.close()
    await constant?.close()
    await session.close()
  }
  onEvent({ type: 'progress', stage: 'verify', done: runs.length, total: runs.length })
  const difference = Math.max(0, ...outputs.map((output) => output.difference))
  const equal = difference <= tolerance && outputs.length > 0 && changed.length === 0
  const approximate = plan.groups.filter(({ exact, kept, size }) => !exact && kept < size).map(({ name }) => name)
  return { equal, tolerance, difference, outputs, skipped, approximate, choices: [...choices], changed }
}

/** Why a verification is not equal, in a sentence that names the output and the size; undefined where it is. */
export const shortfallOf = (found: Verification): string | undefined => {
  const { changed, outputs, skipped, tolerance, difference } = found
  if (changed[0])
    return `${changed.length} initializers are not what the plan says, such as '${changed[0].initializer}': ${changed[0].reason}`
  if (outputs.length === 0)
    return `no output could be compared${skipped[0] ? ` (at ${skipped[0].size} ${skipped[0].reason})` : ''}`
  const worst = outputs.find((output) => output.difference === difference)
  if (found.equal || !worst) return undefined
  return Number.isFinite(difference)
    ? `the outputs differ by ${difference.toExponential(1)}, more than ${tolerance}: '${worst.output}' at ${worst.size}`
    : `output '${worst.output}' has another shape, or is not finite on one side, at ${worst.size}`
}

/** A run, whose inputs are made when its turn comes. */
type Run = { feeds(): Values; readonly far?: boolean | undefined }

type Runs = { readonly runs: readonly Run[]; readonly others: readonly Run[] }

const runsOf = async (original: Model, { runtime, inputs, macs, sizes, seed }: VerifyOptions): Promise<Runs> => {
  if (inputs) return { runs: inputs.map((feeds) => ({ feeds: () => feeds })), others: [] }
  const isFree = hasFreeBatch(original) || freeAxes(original).length > 0
  const work = async () => (await costOf(original, { runtime, sizes: sizes ?? {} }).catch(() => undefined))?.macs
  const one = isFree ? (macs ?? (await work()) ?? Number.POSITIVE_INFINITY) : 0
  const found = proofSizes(original, sizes, one)
  const run = (sizes: RunSizes, i: number): Run => ({
    feeds: () => sampleInputs(original, { ...sizes, seed: (seed ?? 0) + i }),
    far: sizes.far,
  })
  return { runs: found.runs.map(run), others: found.others.map((sizes, i) => run(sizes, found.runs.length + i)) }
}

const runPruned = (session: Session, feeds: Values): Promise<Values> =>
  session.run(feeds).catch((error: unknown) => {
    throw new EspalierError(
      `the pruned model does not run at ${sizeText(feeds)}, where the original does: ${messageOf(error)}`,
      { cause: error },
    )
  })

const batchOf = (feeds: Values): number => Object.values(feeds)[0]?.dims[0] ?? 1

/** Shapes of a run's inputs: 'x 2×3×37×53, mask 2×7'. */
const sizeText = (feeds: Values): string =>
  Object.entries(feeds)
    .map(([name, { dims }]) => `${name} ${dims.length === 0 ? 'scalar' : dims.join('×')}`)
    .join(', ') || 'no inputs'

type At = Pick<OutputDifference, 'run' | 'batch' | 'size'>

/** The differences of a run's outputs, and those outputs that are NaN everywhere on both sides, which proves nothing. */
const differencesOf = (expected: Values, actual: Values, at: At) => {
  const entries = Object.entries(expected)
  const isNowhere = ([name, tensor]: [string, Tensor]) => isNaNs(tensor) && isNaNs(own(actual, name))
  return {
    differences: entries
      .filter((entry) => !isNowhere(entry))
      .map(([output, tensor]) => ({ output, ...at, difference: differenceOf(tensor, own(actual, output)) })),
    nowhere: entries.filter(isNowhere).map(([name]) => name),
  }
}

const isNaNs = (tensor: Tensor | undefined): boolean => {
  if (!tensor || !isFloating(tensor) || sizeOf(tensor.dims) === 0) return false
  return numbersOf(tensor).every(Number.isNaN)
}

/** max|a − b| ÷ max|a|; two of the same infinity or NaN agree, another shape or type is infinitely far. */
export const differenceOf = (a: Tensor, b: Tensor | undefined): number => {
  if (!b || a.type !== b.type || a.dims.join() !== b.dims.join()) return Number.POSITIVE_INFINITY
  if (a.strings)
    return a.strings.every((text, i) => text.join() === b.strings?.[i]?.join()) ? 0 : Number.POSITIVE_INFINITY
  const [left, right] = [numbersOf(a), numbersOf(b)]
  let [most, scale] = [0, 0]
  for (let i = 0; i < left.length; i++) {
    const [x, y] = [left[i]!, right[i]!]
    if (Object.is(x, y) || x === y) scale = Number.isFinite(x) ? Math.max(scale, Math.abs(x)) : scale
    else if (!Number.isFinite(x) || !Number.isFinite(y)) return Number.POSITIVE_INFINITY
    else {
      most = Math.max(most, Math.abs(x - y))
      scale = Math.max(scale, Math.abs(x))
    }
  }
  return most === 0 ? 0 : most / Math.max(scale, Number.MIN_VALUE)
}
