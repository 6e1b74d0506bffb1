import { UsageError } from '../../base/index.ts'
import type { Dataset } from '../../data/index.ts'
import type { Model } from '../../onnx/index.ts'
import type { Entrant } from './entrants.ts'
import { halfDecade, nextRate } from './rates.ts'
import { engineShelf, runTrial, type Trial, type TrialOptions, type TrialResult } from './trial.ts'

/** Where optimizers compete: samples and a network. */
export type Arena = {
  readonly data: string
  readonly network: string
  readonly train: Dataset
  /** Settings are chosen on these. */
  readonly validation: Dataset
  /** And measured on these, which no choice has seen. */
  readonly test: Dataset
  build(seed: number): Model
}

export type ContestOptions = TrialOptions & {
  /** Schedules tried; flat-then-cosine and one-cycle. */
  readonly schedules?: readonly string[]
  /** Rates tried with each schedule; 4. */
  readonly rates?: number
  /** Runs with the best setting, each with a seed of its own, 1 to this; 5. */
  readonly seeds?: number
  /** 3. */
  readonly epochs?: number
  /** Samples in a batch; 50. */
  readonly batch?: number
  /** Results there are already: their runs are not made again. */
  readonly known?: readonly TrialResult[]
  /** Keeps a new result before the next run begins. */
  readonly save?: (result: TrialResult) => Promise<void>
  readonly onEvent?: (event: ContestEvent) => void
}

export type ContestEvent = {
  readonly type: 'trial'
  readonly result: TrialResult
  /** Whether it was known. */
  readonly known: boolean
  readonly done: number
  readonly of: number
}

/** The seed with which settings are chosen; results come from others. */
const tuningSeed = 0

/**
 * Lets optimizers compete under equal conditions. For each arena and entrant the same number of settings (`rates` for each
 * schedule) is tried on the validation samples; the best one then runs with `seeds` new seeds and is measured on the test
 * samples. Seed s gives every entrant the same starting weights and the same order of samples.
 * @returns every trial's result, in the order made.
 */
export const contest = async (
  arenas: readonly Arena[],
  entrants: readonly Entrant[],
  options: ContestOptions,
): Promise<TrialResult[]> => {
  const { schedules = ['flat-cosine', 'one-cycle'], rates = 4, seeds = 5, epochs = 3, batch = 50 } = options
  if (arenas.length === 0 || entrants.length === 0 || schedules.length === 0)
    throw new UsageError('a contest needs data, a network, an optimizer and a schedule', { remedy: 'name one of each' })
  // A wrong schedule is said before the first run.
  for (const schedule of schedules) entrants[0]?.recipe({ rate: 0, schedule }, epochs)
  const known = new Map(options.known?.map((result) => [keyOf(result), result]))
  const results: TrialResult[] = []
  const of = arenas.length * entrants.length * (schedules.length * rates + seeds)
  const shelf = engineShelf()

  const run = async (arena: Arena, entrant: Entrant, setting: Pick<Trial, 'schedule' | 'rate' | 'seed' | 'on'>) => {
    const { data, network, train, validation, test } = arena
    const trial: Trial = { data, network, optimizer: entrant.name, ...setting, samples: train.size, epochs, batch }
    const old = known.get(keyOf(trial))
    const evaluation = trial.on === 'test' ? test : validation
    const cast = { entrant, train, evaluation, model: arena.build(trial.seed) }
    const result = old ?? (await runTrial(trial, cast, { open: shelf.open, ...options }))
    if (!old) await options.save?.(result)
    results.push(result)
    options.onEvent?.({ type: 'trial', result, known: old !== undefined, done: results.length, of })
    return result
  }

  try {
    for (const arena of arenas)
      for (const entrant of entrants) {
        const tuned: TrialResult[] = []
        for (const schedule of schedules) {
          // The first search begins above the preset's rate, which is made for longer runs; the next where the last ended.
          const start = tuned.length > 0 ? bestOf(tuned).rate : entrant.rate * halfDecade
          const tried: TrialResult[] = []
          while (tried.length < rates) {
            const rate = roundRate(nextRate(start, tried.map(scored)))
            tried.push(await run(arena, entrant, { schedule, rate, seed: tuningSeed, on: 'validation' }))
          }
          tuned.push(...tried)
        }
        const { schedule, rate } = bestOf(tuned)
        for (let seed = 1; seed <= seeds; seed++) await run(arena, entrant, { schedule, rate, seed, on: 'test' })
      }
    return results
  } finally {
    await shelf.close()
  }
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
const keyOf = ({ data, network, optimizer, schedule, rate, seed, on, samples, epochs, batch }: Trial): string =>
  JSON.stringify([data, network, optimizer, schedule, rate, seed, on, samples, epochs, batch])
