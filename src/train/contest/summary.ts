import { groupBy } from '../../base/index.ts'
import { arenaOf, bestOf } from './search.ts'
import type { Trial, TrialResult } from './trial.ts'

/** How an optimizer did in an arena, over its seeds. */
export type Standing = {
  readonly data: string
  readonly network: string
  readonly optimizer: string
  /** The setting that was best on the validation samples. */
  readonly schedule: string
  readonly rate: number
  /** Whether that rate was the least or the greatest tried: a larger budget might have found a better one. */
  readonly atEdge: boolean
  /** On the test samples, by seed. */
  readonly accuracies: readonly number[]
  readonly mean: number
  /** Of a single run, n − 1 below the line. */
  readonly deviation: number
  /** Steps to the arena's target, by seed; null where a run never got there. */
  readonly stepsToTarget: readonly (number | null)[]
  /** Mean accuracy at each step of the curve. */
  readonly curve: readonly (readonly [step: number, accuracy: number])[]
}

/** All standings of an arena, the best first. */
export type ArenaSummary = {
  readonly data: string
  readonly network: string
  /** Of each run. */
  readonly steps: number
  /** Tried for each optimizer; the most, where they differ. */
  readonly settings: number
  /** A point below where the median optimizer's curve ends: what a run's curve must reach to count as there. */
  readonly target: number
  readonly standings: readonly Standing[]
}

/** What a contest found, arena by arena. An optimizer whose runs are not all made yet is left out. */
export const summarise = (results: readonly TrialResult[]): ArenaSummary[] =>
  [...groupBy(results, arenaOf).values()].flatMap((inArena) => {
    const entries = [...groupBy(inArena, ({ optimizer }) => optimizer).values()].flatMap((own) => {
      const tuned = own.filter(({ on }) => on === 'validation')
      if (tuned.length === 0) return []
      const best = bestOf(tuned)
      const runs = own.filter((run) => run.on === 'test' && run.rate === best.rate && run.schedule === best.schedule)
      return runs.length > 0 ? [{ best, tuned, runs, accuracies: runs.map(({ accuracy }) => accuracy) }] : []
    })
    const seeds = Math.max(...entries.map(({ runs }) => runs.length))
    const finished = entries.filter(({ runs }) => runs.length === seeds)
    const [first] = finished
    if (!first) return []
    const target = median(finished.map(({ runs }) => meanOf(runs.map((run) => pointsOf(run).at(-1)![1])))) - 0.01
    const standings = finished.map(({ best, tuned, runs, accuracies }): Standing => {
      const { data, network, optimizer, schedule, rate } = best
      const rates = tuned.map((run) => run.rate)
      return {
        ...{ data, network, optimizer, schedule, rate },
        atEdge: rate === Math.min(...rates) || rate === Math.max(...rates),
        accuracies,
        mean: meanOf(accuracies),
        deviation: deviationOf(accuracies),
        stepsToTarget: runs.map((run) => pointsOf(run).find(([, accuracy]) => accuracy >= target)?.[0] ?? null),
        curve: meanCurve(runs),
      }
    })
    const { data, network } = first.best
    const settings = Math.max(...finished.map(({ tuned }) => tuned.length))
    standings.sort((a, b) => b.mean - a.mean)
    return [{ data, network, steps: stepsOf(first.best), settings, target, standings }]
  })

/** A variant against its base, in one arena: what leaving the part out, or putting it in, did. */
export type Difference = {
  readonly data: string
  readonly network: string
  readonly steps: number
  /** Mean over the seeds of variant − base, each on the same starting weights and order of samples. */
  readonly mean: number
  /** Its standard error. */
  readonly error: number
}

/** Pairs of runs of one seed, arena by arena. */
export const differences = (arenas: readonly ArenaSummary[], base: string, variant: string): Difference[] =>
  arenas.flatMap(({ data, network, steps, standings }) => {
    const of = (name: string) => standings.find(({ optimizer }) => optimizer === name)?.accuracies
    const [before, after] = [of(base), of(variant)]
    if (!before || !after || before.length !== after.length || before.length < 2) return []
    const deltas = after.map((accuracy, i) => accuracy - before[i]!)
    return [{ data, network, steps, mean: meanOf(deltas), error: deviationOf(deltas) / Math.sqrt(deltas.length) }]
  })

/** The curve: all its points are of the same samples, which the end's accuracy is not. A run too short for one has its end. */
const pointsOf = (run: TrialResult): readonly (readonly [number, number])[] =>
  run.curve.length > 0 ? run.curve : [[stepsOf(run), run.accuracy]]

const stepsOf = ({ samples, epochs, batch }: Trial) => epochs * Math.ceil(samples / batch)

const meanCurve = (runs: readonly TrialResult[]): [number, number][] =>
  [...groupBy(runs.flatMap(pointsOf), ([step]) => step)].map(([step, points]) => [
    step,
    points.reduce((sum, [, accuracy]) => sum + accuracy, 0) / runs.length,
  ])

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

const deviationOf = (values: readonly number[]): number => {
  if (values.length < 2) return 0
  const mean = meanOf(values)
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1))
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return Number.isInteger(middle) ? (sorted[middle - 1]! + sorted[middle]!) / 2 : sorted[Math.floor(middle)]!
}
