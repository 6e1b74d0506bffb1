import { EspalierError, messageOf, numbersOf, type Tensor } from '../base/index.ts'
import { copyModel, liftConstants, type Model } from '../onnx/index.ts'
import type { Runtime, Session, Values } from '../runtime/index.ts'
import { hasFreeBatch, type SampleOptions, sampleInputs } from './feeds.ts'
import { isFloating } from './importance/weights.ts'
import { heldModel, maskModel } from './mask.ts'
import { cutsOf, shifted, sliceTensor } from './slice.ts'
import { runAlike } from './ties.ts'
import type { OnPruneEvent, Plan } from './types.ts'

export type VerifyOptions = Pick<SampleOptions, 'sizes' | 'seed'> & {
  runtime: Runtime
  /** Runs to compare; random inputs of two batch sizes unless given. */
  inputs?: readonly Values[]
  /** Largest relative difference; 1e-4 unless said. */
  tolerance?: number
  onEvent?: OnPruneEvent
}

/** How one output of one run compares. */
export type OutputDifference = {
  /** Or, where it was held to that, the value it comes from. */
  readonly output: string
  /** Which run, and the size of its first input's first axis. */
  readonly run: number
  readonly batch: number
  /** max|masked − pruned| ÷ max|masked|. */
  readonly difference: number
}

export type Verification = {
  /** Whether every output agrees and every initializer is what the plan says. */
  readonly equal: boolean
  readonly tolerance: number
  /** The largest of `outputs`. */
  readonly difference: number
  readonly outputs: readonly OutputDifference[]
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
 */
export const verifyPlan = async (
  original: Model,
  pruned: Model,
  plan: Plan,
  { runtime, inputs, tolerance = 1e-4, onEvent = () => {}, ...sample }: VerifyOptions,
): Promise<Verification> => {
  const masked = maskModel(original, plan, pruned)
  const held = plan.absorbed?.exact ? heldModel(original, plan, pruned) : undefined
  const changed = changedInitializers(original, pruned, plan)
  const batches = hasFreeBatch(original) ? [1, 3] : [1]
  const runs = inputs ?? batches.map((batch) => sampleInputs(original, { ...sample, batch }))
  const reference = await runtime.open(masked)
  const session = await runtime.open(pruned)
  const constant = held && (await runtime.open(held))
  const outputs: OutputDifference[] = []
  const choices = new Set<string>()
  try {
    for (const [run, feeds] of runs.entries()) {
      onEvent({ type: 'progress', stage: 'verify', done: run, total: runs.length })
      const expected = await reference.run(feeds).catch((error: unknown) => {
        // A model may record a free batch and yet reshape to a fixed one; its own inputs and batch 1 must run.
        if (inputs || run === 0) throw error
        return undefined
      })
      if (!expected) continue
      const found = await compareRun(session, feeds, expected, run)
      const alike = found.every(({ difference }) => difference <= tolerance)
        ? undefined
        : await runAlike(runtime, masked, pruned, feeds)
      for (const name of alike?.choices ?? []) choices.add(name)
      outputs.push(...(alike ? differencesOf(alike.expected, alike.actual, feeds, run) : found))
      if (constant) outputs.push(...(await compareRun(session, feeds, await constant.run(feeds), run)))
    }
  } finally {
    await reference.close()
    await constant?.close()
    await session.close()
  }
  onEvent({ type: 'progress', stage: 'verify', done: runs.length, total: runs.length })
  const difference = Math.max(0, ...outputs.map((output) => output.difference))
  const equal = difference <= tolerance && changed.length === 0
  return { equal, tolerance, difference, outputs, choices: [...choices], changed }
}

const compareRun = async (
  session: Session,
  feeds: Values,
  expected: Values,
  run: number,
): Promise<OutputDifference[]> => {
  const actual = await session.run(feeds).catch((error: unknown) => {
    throw new EspalierError(`the pruned model does not run at batch ${batchOf(feeds)}: ${messageOf(error)}`, {
      cause: error,
    })
  })
  return differencesOf(expected, actual, feeds, run)
}

const batchOf = (feeds: Values): number => Object.values(feeds)[0]?.dims[0] ?? 1

const differencesOf = (expected: Values, actual: Values, feeds: Values, run: number): OutputDifference[] =>
  Object.entries(expected).map(([output, tensor]) => ({
    output,
    run,
    batch: batchOf(feeds),
    difference: differenceOf(tensor, actual[output]),
  }))

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

const changedInitializers = (original: Model, pruned: Model, plan: Plan): Verification['changed'] => {
  const lifted = copyModel(original)
  liftConstants(lifted.graph)
  const names = new Set([...lifted.graph.initializers.keys(), ...Object.keys(plan.copies), ...Object.keys(plan.slices)])
  return [...names].flatMap((name) => {
    const before = lifted.graph.initializers.get(plan.copies[name] ?? name)
    if (!before) return [{ initializer: name, reason: 'the original has no such initializer' }]
    if (!isFloating(before) && !(name in plan.slices)) return []
    const after = pruned.graph.initializers.get(name)
    if (!after) return [{ initializer: name, reason: 'it is missing' }]
    const sliced = sliceTensor(before, cutsOf(plan.slices, name))
    const shift = plan.absorbed?.biases[name]
    const expected = shift ? shifted(sliced, shift) : sliced
    const same =
      expected.type === after.type &&
      expected.dims.join() === after.dims.join() &&
      sameBytes(expected.bytes, after.bytes)
    return same
      ? []
      : [
          {
            initializer: name,
            reason: name in plan.slices ? 'it is not the slice the plan says' : 'it is not the original',
          },
        ]
  })
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a === b || (a.byteLength === b.byteLength && a.every((byte, i) => byte === b[i]))
