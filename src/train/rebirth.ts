import { UsageError } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import {
  type Analysis,
  analyzeModel,
  applyPlan,
  composePlans,
  costOf,
  type Plan,
  type PruneOptions,
  planPruning,
  type Target,
} from '../prune/index.ts'

export type RebirthOptions = PruneOptions & {
  /** The model to prune; the plan that comes out is in its indices. */
  readonly model: Model
  /** Rounds of pruning, each followed by retraining; 1. */
  readonly steps?: number
  /** Trains a pruned model at a small rate: its rebirth. Left out, rounds are pruned one after the other. */
  readonly retrain?: (model: Model, round: Round) => Promise<Model>
  /** Called after every round; `false` ends the run with what the round before left. */
  readonly judge?: (round: Round) => Promise<boolean>
}

/** What one round did. */
export type Round = {
  /** From 1. */
  readonly round: number
  readonly steps: number
  /** Pruned in this round, and after retraining where there was any. */
  readonly pruned: Model
  readonly model: Model
  /** This round's own plan, in the indices of the model before it, and all rounds' in the original's. */
  readonly plan: Plan
  readonly whole: Plan
  readonly analysis: Analysis
}

/**
 * Prunes in rounds, each followed by retraining at a small rate (the article's steps 2 to 6). The share that stays is the
 * same in every round, so n rounds to a ratio r keep (1 − r)^(1/n) each time. Shares are of the original's widths, and
 * the last round leaves as many units as one round alone would.
 */
export const rebirth = async (options: RebirthOptions): Promise<Round> => {
  const { steps = 1, retrain, judge } = options
  if (!(Number.isInteger(steps) && steps >= 1))
    throw new UsageError(`${steps} rounds make no sense`, { remedy: 'give a whole number of 1 or more' })
  const target = options.target && (await roundTargets(options.model, options.target, steps, options))
  const { ratios = {} } = options
  let last: Round | undefined
  for (let round = 1; round <= steps; round++) {
    const before = last?.model ?? options.model
    const analysis = await analyzeModel(before, options)
    const plan = planPruning(before, analysis, {
      ...options,
      ...(target && { target: target(round) }),
      ratios: mapValues(ratios, (ratio) => shareAfter(ratio, round / steps)),
      baseline: Object.fromEntries((last?.whole.groups ?? []).map(({ name, size }) => [name, size])),
    })
    const pruned = applyPlan(before, plan, analysis, options.onEvent)
    const whole = last ? composePlans(last.whole, plan) : plan
    const done: Round = { round, steps, pruned, model: pruned, plan, whole, analysis }
    const next = retrain ? { ...done, model: await retrain(pruned, done) } : done
    if (judge && !(await judge(next)) && last) return last
    last = next
  }
  return last!
}

/** The share gone after a part of the way to `ratio`. */
const shareAfter = (ratio: number, part: number): number => (part === 1 ? ratio : 1 - (1 - ratio) ** part)

const mapValues = (table: Readonly<Record<string, number>>, change: (value: number) => number) =>
  Object.fromEntries(Object.entries(table).map(([key, value]) => [key, change(value)]))

/** The target of each round: a ratio, or a cost, on the way from the original to the goal. */
const roundTargets = async (
  model: Model,
  target: Target,
  steps: number,
  options: PruneOptions,
): Promise<(round: number) => Target> => {
  if ('ratio' in target) return (round) => ({ ratio: shareAfter(target.ratio, round / steps) })
  const whole = await costOf(model, options)
  const towards = (asked: number, from: number) => {
    const goal = asked <= 1 ? asked * from : asked
    return (round: number) => (round === steps ? goal : from * (goal / from) ** (round / steps))
  }
  if ('macs' in target) return (round) => ({ macs: towards(target.macs, whole.macs)(round) })
  if ('params' in target) return (round) => ({ params: towards(target.params, whole.parameters)(round) })
  return (round) => ({ bytes: towards(target.bytes, whole.bytes)(round) })
}
