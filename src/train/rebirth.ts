import { EspalierError, UsageError } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import type { OptimizerState } from '../optim/index.ts'
import {
  type Absorption,
  type Analysis,
  absorbConstants,
  analyzeModel,
  applyPlan,
  composePlans,
  costOf,
  type Plan,
  type PruneOptions,
  planPruning,
} from '../prune/index.ts'
import { carriedState } from './carry.ts'
import { type PruneSchedule, shareAfter, targetAfter } from './prune-schedule.ts'
import type { Trained } from './soft.ts'

export type RebirthOptions = PruneOptions & {
  /** The model to prune; the plan that comes out is in its indices. */
  readonly model: Model
  /** Rounds of pruning, each followed by retraining; 1. */
  readonly steps?: number
  /** How the share that is gone grows from round to round; 'geometric'. */
  readonly schedule?: PruneSchedule
  /** Trains on before anything of a round is removed (`softTrain`); left out, the round begins with the cut. */
  readonly soften?: (model: Model, round: SoftRound) => Promise<Trained>
  /** Trains a pruned model at a small rate: its rebirth. Left out, rounds are pruned one after the other. */
  readonly retrain?: (model: Model, round: Round) => Promise<Model | Trained>
  /**
   * Lets biases take over the constants of removed units (`absorbConstants`): 'exact' where no padding shows, 'all' there too.
   * In a single round only: a shift is about the weights it was worked out for.
   */
  readonly absorb?: 'exact' | 'all'
  /** Called after every round; `false` ends the run with what the round before left. */
  readonly judge?: (round: Round) => Promise<boolean>
}

/** A round before its cut. */
export type SoftRound = Pick<Round, 'round' | 'steps' | 'analysis' | 'optimizer'> & {
  /** What the round would remove of the model as it is now. */
  choose(model: Model): Plan
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
  /** Of the model before this round, and of the original. */
  readonly analysis: Analysis
  readonly first: Analysis
  /** What the optimizer remembers, cut as its parameters were; where training gave it. */
  readonly optimizer?: OptimizerState
  /** Groups whose constants no bias could take, where that was asked for. */
  readonly left?: Absorption['left']
}

/**
 * Prunes in rounds, each followed by retraining at a small rate (the article's steps 2 to 6). Shares are of the original's
 * widths, and the last round leaves as many units as one round alone would, whatever the schedule. What the optimizer
 * remembers goes from round to round and is cut along with the weights.
 *
 * @throws EspalierError when `judge` refuses the first round: then there is nothing to give back
 */
export const rebirth = async (options: RebirthOptions): Promise<Round> => {
  const { steps = 1, schedule = 'geometric', soften, retrain, judge, target, ratios = {} } = options
  if (!(Number.isInteger(steps) && steps >= 1))
    throw new UsageError(`${steps} rounds make no sense`, { remedy: 'give a whole number of 1 or more' })
  const { absorb } = options
  if (absorb && (steps > 1 || soften))
    throw new UsageError('constants are absorbed in a single round, on the weights as they are', {
      remedy: 'leave out the further rounds and the training before the cut, or absorbing',
    })
  const cost = target && !('ratio' in target) ? await costOf(options.model, options) : undefined
  const whole = cost ?? { macs: 0, parameters: 0, bytes: 0 }
  let last: Round | undefined
  for (let round = 1; round <= steps; round++) {
    let [before, memory] = [last?.model ?? options.model, last?.optimizer]
    const analysis = await analyzeModel(before, options)
    const choose = (model: Model): Plan =>
      planPruning(model, analysis, {
        ...options,
        ...(target && { target: targetAfter(target, whole, schedule, round / steps) }),
        ratios: mapValues(ratios, (ratio) => shareAfter[schedule](ratio, round / steps)),
        baseline: Object.fromEntries((last?.whole.groups ?? []).map(({ name, size }) => [name, size])),
      })
    if (soften) {
      const softened = await soften(before, { round, steps, analysis, choose, ...(memory && { optimizer: memory }) })
      before = softened.model
      memory = softened.optimizer
    }
    const chosen = choose(before)
    const cut = applyPlan(before, chosen, analysis, options.onEvent)
    const absorption =
      absorb &&
      (await absorbConstants(cut, before, chosen, analysis, { runtime: options.runtime, padded: absorb === 'all' }))
    const { plan, model: pruned } = absorption ?? { plan: chosen, model: cut }
    const optimizer = memory && carriedState(memory, plan)
    const done: Round = {
      round,
      steps,
      pruned,
      model: pruned,
      plan,
      whole: last ? composePlans(last.whole, plan) : plan,
      analysis,
      first: last?.first ?? analysis,
      ...(optimizer && { optimizer }),
      ...(absorption && { left: absorption.left }),
    }
    const next = retrain ? after(done, await retrain(pruned, done)) : done
    if (judge && !(await judge(next))) {
      if (last) return last
      throw new EspalierError(`round 1 of ${steps} was refused already: nothing can be pruned`, {
        remedy: 'prune less, in more steps, or retrain for longer',
      })
    }
    last = next
  }
  return last!
}

/** A round once it is retrained. */
const after = ({ optimizer: _, ...round }: Round, result: Model | Trained): Round =>
  'graph' in result ? { ...round, model: result } : { ...round, ...result }

const mapValues = (table: Readonly<Record<string, number>>, change: (value: number) => number) =>
  Object.fromEntries(Object.entries(table).map(([key, value]) => [key, change(value)]))
