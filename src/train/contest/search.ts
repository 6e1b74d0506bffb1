import { groupBy } from '../../base/index.ts'
import { type Entrant, entrantOf } from './entrants.ts'
import { halfDecade, nextRate } from './rates.ts'
import type { Trial, TrialResult } from './trial.ts'

/** What every entrant is given alike. */
export type Budget = {
  /** Schedules tried; flat-then-cosine and one-cycle. */
  readonly schedules?: readonly string[]
  /** Rates tried with each schedule; 4. */
  readonly rates?: number
  /** Runs with the best setting, each with a seed of its own, 1 to this; 5. */
  readonly seeds?: number
}

/** The same with nothing left open. */
export const budgetOf = ({ schedules = ['flat-cosine', 'one-cycle'], rates = 4, seeds = 5 }: Budget) => ({
  schedules,
  rates,
  seeds,
})

/** What the search decides of a trial. */
export type Choice = Pick<Trial, 'schedule' | 'rate' | 'seed' | 'on'>

/** The seed with which settings are chosen; results come from others. */
const tuningSeed = 0

/**
 * An entrant's trials, one at a time, each of which depends on how those before it went: `rates` settings for each schedule
 * on the validation samples, then the best one with `seeds` new seeds on the test samples.
 */
export function* search({ rate: own }: Entrant, budget: Budget): Generator<Choice, void, TrialResult> {
  const { schedules, rates, seeds } = budgetOf(budget)
  const tuned: TrialResult[] = []
  for (const schedule of schedules) {
    // The first search begins above the preset's rate, which is made for longer runs; the next where the last ended.
    const start = tuned.length > 0 ? bestOf(tuned).rate : own * halfDecade
    const tried: TrialResult[] = []
    while (tried.length < rates) {
      const rate = roundRate(nextRate(start, tried.map(scored)))
      tried.push(yield { schedule, rate, seed: tuningSeed, on: 'validation' })
    }
    tuned.push(...tried)
  }
  const { schedule, rate } = bestOf(tuned)
  for (let seed = 1; seed <= seeds; seed++) yield { schedule, rate, seed, on: 'test' }
}

/**
 * Of all results in a file those that a contest with this budget comes by, for every optimizer that has them all. The others
 * belong to contests with other budgets, whose further rates would make the comparison unequal. What the budget leaves open is
 * found for each arena: as many seeds as any optimizer has, and the number of rates with which most optimizers are finished,
 * the greatest of several.
 */
export const finished = (results: readonly TrialResult[], budget: Budget): TrialResult[] =>
  [...groupBy(results, arenaOf).values()].flatMap((arena) => {
    const known = new Map(arena.map((result) => [keyOf(result), result]))
    const entries = [...groupBy(arena, ({ optimizer }) => optimizer).values()].flatMap(([entry]) => entry ?? [])
    const seeds = budget.seeds ?? Math.max(...arena.map(({ on, seed }) => (on === 'test' ? seed : 1)))
    // No search is longer than the settings there are.
    const longest = new Set(arena.map(({ rate }) => rate)).size
    const numbers = budget.rates ? [budget.rates] : Array.from({ length: longest }, (_, i) => longest - i)
    const contests = numbers.map((rates) =>
      entries.map((entry) => replay(entry, { ...budget, rates, seeds }, known)).filter((own) => own.length > 0),
    )
    return contests.reduce((best, other) => (other.length > best.length ? other : best), []).flat()
  })

/** An entrant's search again, in known results: all its runs, or none where one is missing. */
const replay = (entry: TrialResult, budget: Budget, known: ReadonlyMap<string, TrialResult>): TrialResult[] => {
  const own: TrialResult[] = []
  const choices = search(entrantOf(entry.optimizer), budget)
  for (let next = choices.next(); !next.done; ) {
    const result = known.get(keyOf({ ...entry, ...next.value }))
    if (!result) return []
    own.push(result)
    next = choices.next(result)
  }
  return own
}

/** Two digits: what a table shows is what was run. */
const roundRate = (rate: number): number => Number(rate.toPrecision(2))

const scored = (result: TrialResult) => ({ rate: result.rate, score: scoreOf(result) })

/** Accuracy; among equals the lower loss, which alone never outweighs a sample. */
const scoreOf = ({ accuracy, loss }: TrialResult): number => accuracy - 1e-6 * Math.min(loss ?? 1e2, 1e2)

/** The best setting of those tried. */
export const bestOf = (tried: readonly TrialResult[]): TrialResult =>
  tried.reduce((best, result) => (scoreOf(result) > scoreOf(best) ? result : best))

/** What tells one trial from another. */
export const keyOf = ({ schedule, rate, seed, on, ...entry }: Trial): string =>
  JSON.stringify([entryOf(entry), schedule, rate, seed, on])

/** What all trials of one entrant in one arena have in common. */
const entryOf = ({ optimizer, ...arena }: Omit<Trial, keyof Choice>): string =>
  JSON.stringify([optimizer, arenaOf(arena)])

/** Runs of other lengths, or measured on other samples, are another arena. */
export const arenaOf = (trial: Omit<Trial, keyof Choice | 'optimizer'>): string => {
  const { data, network, samples, validation, test, epochs, batch } = trial
  return JSON.stringify([data, network, samples, validation, test, epochs, batch])
}
