import { UsageError } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import { withRate } from '../optim/index.ts'
import { DivergedError, type TrainOptions, train } from './trainer.ts'

export type FindLrOptions = Omit<
  TrainOptions,
  'epochs' | 'test' | 'evaluateEvery' | 'evaluateSamples' | 'save' | 'checkpointEvery' | 'resume' | 'onEvent' | 'signal'
> & {
  /** First rate; 1e-7. */
  readonly from?: number
  /** Last rate, where the loss holds out; 10. */
  readonly to?: number
  /** Steps from the first to the last; 100. */
  readonly steps?: number
  /** Decay rate of the loss's moving average, corrected for its start; 0.9. */
  readonly smoothing?: number
  /** The test ends when the averaged loss exceeds so many times its least; 4. */
  readonly divergence?: number
  readonly onEvent?: (event: FindLrEvent) => void
}

export type LrPoint = { readonly step: number; readonly lr: number; readonly loss: number; readonly smoothed: number }

export type FindLrEvent =
  | ({ readonly type: 'point'; readonly steps: number } & LrPoint)
  | { readonly type: 'end'; readonly diverged: boolean; readonly suggestion: number | undefined }

export type FoundLr = {
  readonly points: readonly LrPoint[]
  /** The rate at which the averaged loss falls fastest; undefined where it never falls. */
  readonly suggestion: number | undefined
  /** The rate at which it was least: too high to train with. */
  readonly lowest: number | undefined
  /** Whether the loss ran away before the last rate. */
  readonly diverged: boolean
}

/**
 * The learning-rate range test: a short run whose rate grows exponentially, γₜ = from·(to/from)^(t/(steps−1)), watching
 * the loss. The rate of steepest descent against log γ is a good one to train with. The model is left as it is.
 * Smith: Cyclical Learning Rates for Training Neural Networks, WACV 2017, §3.3; the exponential ramp and smoothing are fast.ai's.
 */
export const findLr = async (model: Model, options: FindLrOptions): Promise<FoundLr> => {
  const { from = 1e-7, to = 10, steps = 100, smoothing = 0.9, divergence = 4, recipe, onEvent, ...rest } = options
  if (!(from > 0 && to > from))
    throw new UsageError(`rates from ${from} to ${to} make no range`, { remedy: 'give two positive numbers that rise' })
  if (!(Number.isInteger(steps) && steps >= 10))
    throw new UsageError(`${steps} steps are too few for a range test`, { remedy: 'give a whole number of 10 or more' })

  const points: LrPoint[] = []
  const average = movingAverage(smoothing)
  const enough = new AbortController()
  let least = Number.POSITIVE_INFINITY
  let diverged = false
  const watch = (lr: number, loss: number) => {
    const smoothed = average(loss)
    const point = { step: points.length + 1, lr, loss, smoothed }
    points.push(point)
    onEvent?.({ type: 'point', steps, ...point })
    least = Math.min(least, smoothed)
    diverged = smoothed > divergence * least
    if (diverged || points.length >= steps) enough.abort()
  }
  const batch = (rest.batch ?? 50) * (rest.accumulate ?? 1)
  try {
    await train(model, {
      ...rest,
      recipe: withRate(recipe, from, (t) => (to / from) ** (t / (steps - 1))),
      // At least as many epochs as the steps need: the last step ends the run.
      epochs: Math.ceil((steps * batch) / rest.data.size) + 1,
      evaluateEvery: 0,
      checkpointEvery: Number.POSITIVE_INFINITY,
      signal: enough.signal,
      onEvent: (event) => event.type === 'step' && watch(event.lr, event.loss),
    })
  } catch (error) {
    if (!(error instanceof DivergedError)) throw error
    diverged = true
  }
  const suggestion = steepest(points)
  onEvent?.({ type: 'end', diverged, suggestion })
  const lowest = points.reduce<LrPoint | undefined>((a, b) => (a && a.smoothed <= b.smoothed ? a : b), undefined)?.lr
  return { points, suggestion, lowest, diverged }
}

const movingAverage = (beta: number) => {
  let [sum, count] = [0, 0]
  return (value: number): number => {
    sum = beta * sum + (1 - beta) * value
    return sum / (1 - beta ** ++count)
  }
}

/**
 * The rate of the steepest fall: the slope at a point is that of the straight line fitted to it and three neighbours on
 * either side. The first tenth, where the average is of few losses, does not count, nor a fall of less than 1e-4 a step.
 */
const steepest = (points: readonly LrPoint[]): number | undefined => {
  const reach = 3
  const noise = -1e-4 * 28 * Math.abs(points[0]?.smoothed ?? 0) // 28 = Σ j²
  let best: { lr: number; slope: number } | undefined
  for (let i = Math.max(reach, Math.floor(points.length / 10)); i + reach < points.length; i++) {
    let slope = 0
    // Rates are evenly spaced in log γ, so the fitted slope is Σ j·y / Σ j² in steps.
    for (let j = -reach; j <= reach; j++) slope += j * points[i + j]!.smoothed
    if (slope < (best?.slope ?? noise)) best = { lr: points[i]!.lr, slope }
  }
  return best?.lr
}
