import { UsageError } from '../base/index.ts'
import type { Session, Values } from './types.ts'

export type MeasureOptions = {
  /** Runs before timing starts, which settle memory and caches; 3 unless said. */
  warmup?: number
  /** Runs timed; 20 unless said. */
  runs?: number
}

/** Milliseconds of one run. */
export type Latency = {
  readonly median: number
  readonly min: number
  /** One run in ten took no longer (nearest rank). */
  readonly p10: number
  /** Nine runs in ten took no longer (nearest rank). */
  readonly p90: number
  readonly runs: number
}

/** How long a session takes on `feeds`, outputs handed back included. The minimum is the steadiest of these figures. */
export const measureLatency = async (
  session: Session,
  feeds: Values,
  { warmup = 3, runs = 20 }: MeasureOptions = {},
): Promise<Latency> => {
  if (!(Number.isInteger(runs) && runs > 0)) throw new UsageError(`runs must be a whole number above 0, not ${runs}`)
  for (let i = 0; i < warmup; i++) await session.run(feeds)
  const times = new Float64Array(runs)
  for (let i = 0; i < runs; i++) {
    const start = performance.now()
    await session.run(feeds)
    times[i] = performance.now() - start
  }
  times.sort()
  return { ...latencyOf(times), runs }
}

/** The summary of times in ascending order. */
export const latencyOf = (sorted: Float64Array): Omit<Latency, 'runs'> => {
  const at = (rank: number) => sorted[rank]!
  const percentile = (share: number) => at(Math.ceil(share * sorted.length - 1e-9) - 1)
  const middle = sorted.length >> 1
  return {
    median: sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2,
    min: at(0),
    p10: percentile(0.1),
    p90: percentile(0.9),
  }
}
