import { UsageError } from '../../base/index.ts'
import type { Dataset } from '../../data/index.ts'
import type { Model } from '../../onnx/index.ts'
import type { Entrant } from './entrants.ts'
import { type Budget, budgetOf, type Choice, keyOf, search } from './search.ts'
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

export type ContestOptions = TrialOptions &
  Budget & {
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
  const { epochs = 3, batch = 50 } = options
  const { schedules, rates, seeds } = budgetOf(options)
  if (arenas.length === 0 || entrants.length === 0 || schedules.length === 0)
    throw new UsageError('a contest needs data, a network, an optimizer and a schedule', { remedy: 'name one of each' })
  // A wrong schedule is said before the first run.
  for (const schedule of schedules) entrants[0]?.recipe({ rate: 0, schedule }, epochs)
  const known = new Map(options.known?.map((result) => [keyOf(result), result]))
  const results: TrialResult[] = []
  const of = arenas.length * entrants.length * (schedules.length * rates + seeds)
  const shelf = engineShelf()

  const run = async (arena: Arena, entrant: Entrant, choice: Choice) => {
    const { data, network, train, validation, test } = arena
    const sizes = { samples: train.size, validation: validation.size, test: test.size }
    const trial: Trial = { data, network, optimizer: entrant.name, ...choice, ...sizes, epochs, batch }
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
        const choices = search(entrant, options)
        for (let next = choices.next(); !next.done; ) next = choices.next(await run(arena, entrant, next.value))
      }
    return results
  } finally {
    await shelf.close()
  }
}
