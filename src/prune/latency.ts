import { UsageError } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import { latencyOf, type MeasureOptions, measureLatency, type Runtime } from '../runtime/index.ts'
import { sampleInputs } from './feeds.ts'
import { type PlanOptions, planPruning } from './plan.ts'
import { applyPlan } from './surgery.ts'
import type { Analysis, Plan } from './types.ts'

/** How long a run may take: a time, or a share of the original's. */
export type Latency = { readonly ms: number } | { readonly share: number }

export type LatencyTarget = {
  readonly runtime: Runtime
  /** Milliseconds of one run, or a share of the original's; a number up to 1 is a share, above it milliseconds. */
  readonly latency: number | Latency
  /** Samples in the run that is timed; 1. */
  readonly batch?: number
}

/**
 * The smallest ratio whose pruned model really runs in the time asked for: bisection over the ratio, every candidate cut
 * and timed. Timings are noisy, so the result is a plan that was seen to meet the target, not a proof.
 */
export const planForLatency = async (
  model: Model,
  analysis: Analysis,
  options: Omit<PlanOptions, 'target'>,
  { runtime, latency, batch = 1 }: LatencyTarget,
): Promise<{ plan: Plan; milliseconds: number }> => {
  const time = async (candidate: Model) => {
    const session = await runtime.open(candidate)
    const { median } = await measureLatency(session, sampleInputs(candidate, { batch }), { warmup: 5, runs: 21 })
    await session.close()
    return median
  }
  const original = await time(model)
  const goal = goalOf(latency, original)
  const planAt = async (ratio: number) => {
    const plan = planPruning(model, analysis, { ...options, target: { ratio } })
    return { plan, milliseconds: await time(applyPlan(model, plan, analysis)) }
  }
  const largest = Math.min(options.maxRatio ?? 1, 0.99)
  let best = await planAt(largest)
  if (best.milliseconds > goal)
    throw new UsageError(`${goal.toFixed(3)} ms cannot be reached: the original takes ${original.toFixed(3)} ms`, {
      remedy: `with all that may go gone, a run takes ${best.milliseconds.toFixed(3)} ms`,
    })
  let [low, high] = [0, largest]
  for (let i = 0; i < 7; i++) {
    const middle = (low + high) / 2
    const found = await planAt(middle)
    if (found.milliseconds <= goal) [best, high] = [found, middle]
    else low = middle
  }
  return best
}

/** The milliseconds that a target allows where the original takes `original`. */
export const goalOf = (latency: number | Latency, original: number): number => {
  if (typeof latency === 'number') return latency <= 1 ? latency * original : latency
  return 'ms' in latency ? latency.ms : latency.share * original
}

/** Median milliseconds of a run of each model, their runs taking turns, so that a busy machine slows all alike. */
export const latenciesOf = async (
  models: readonly Model[],
  { runtime, batch = 1, warmup = 10, runs = 51 }: Pick<LatencyTarget, 'runtime' | 'batch'> & MeasureOptions,
): Promise<number[]> => {
  const sessions = await Promise.all(models.map((model) => runtime.open(model)))
  const timed = sessions.map((session, i) => ({
    session,
    feeds: sampleInputs(models[i]!, { batch }),
    times: new Float64Array(runs),
  }))
  for (let run = -warmup; run < runs; run++)
    for (const { session, feeds, times } of timed) {
      const start = performance.now()
      await session.run(feeds)
      if (run >= 0) times[run] = performance.now() - start
    }
  for (const session of sessions) await session.close()
  return timed.map(({ times }) => latencyOf(times.sort()).median)
}
