import { UsageError } from '../base/index.ts'

/** A factor on the learning rate by the number of updates made so far (0 at the first). A pure function. */
export type Schedule = (step: number) => number

const clamp = (x: number) => Math.min(1, Math.max(0, x))
const between = (from: number, to: number, share: number) => from + (to - from) * share
/** 1 at share 0, 0 at share 1, level at both ends. */
const halfCosine = (share: number) => 0.5 * (1 + Math.cos(Math.PI * share))

const positive = (what: string, steps: number): number => {
  if (!(steps > 0)) throw new UsageError(`${what} needs a positive number of steps, not ${steps}`)
  return steps
}

export const constant =
  (factor = 1): Schedule =>
  () =>
    factor

/** From `start` (1) straight to `end` (0) over `steps`. */
export const linear = (steps: number, { start = 1, end = 0 }: { start?: number; end?: number } = {}): Schedule => {
  positive('a linear schedule', steps)
  return (t) => between(start, end, clamp(t / steps))
}

/** From 1 to `end` (0) along half a cosine. Loshchilov and Hutter: SGDR, ICLR 2017, without restarts. */
export const cosine = (steps: number, { end = 0 }: { end?: number } = {}): Schedule => {
  positive('a cosine schedule', steps)
  return (t) => between(end, 1, halfCosine(clamp(t / steps)))
}

/** Constant for the share `flat` (0.72) of the steps, then cosine to `end` (0): the schedule recommended for Ranger. */
export const flatCosine = (steps: number, { flat = 0.72, end = 0 }: { flat?: number; end?: number } = {}): Schedule =>
  join([
    [constant(), flat * positive('a flat-then-cosine schedule', steps)],
    [cosine((1 - flat) * steps, { end }), Number.POSITIVE_INFINITY],
  ])

/**
 * Up from `start` (1/25) to 1 over the share `rise` (0.3) of the steps, then down to `end` (1/250 000), both along half
 * cosines. Smith and Topin: Super-Convergence, 2018, in the form of fast.ai and PyTorch.
 */
export const oneCycle = (
  steps: number,
  { rise = 0.3, start = 1 / 25, end = 1 / 250_000 }: { rise?: number; start?: number; end?: number } = {},
): Schedule => {
  const top = rise * positive('a one-cycle schedule', steps)
  return (t) =>
    t < top
      ? between(1, start, halfCosine(clamp(t / top)))
      : between(end, 1, halfCosine(clamp((t - top) / (steps - top))))
}

/** Straight up over the share `rise` (0.2) of the steps, straight down to `end` (0): the triangle of short CIFAR runs. */
export const triangle = (
  steps: number,
  { rise = 0.2, start = 0, end = 0 }: { rise?: number; start?: number; end?: number } = {},
): Schedule => {
  const top = rise * positive('a triangular schedule', steps)
  return (t) => (t < top ? between(start, 1, (t + 1) / (top + 1)) : between(1, end, clamp((t - top) / (steps - top))))
}

/** Times `factor` (0.1) at each of the given steps. */
export const stepDecay =
  (at: readonly number[], factor = 0.1): Schedule =>
  (t) =>
    factor ** at.filter((step) => t >= step).length

/** Times `factor` every `every` steps, continuously. */
export const exponential =
  (factor: number, every = 1): Schedule =>
  (t) =>
    factor ** (t / every)

/** (1 − t/steps)^power from 1 to `end` (0); power 1 is linear. */
export const polynomial = (steps: number, { power = 2, end = 0 }: { power?: number; end?: number } = {}): Schedule => {
  positive('a polynomial schedule', steps)
  return (t) => between(end, 1, (1 - clamp(t / steps)) ** power)
}

/** Linear warm-up over the first `steps`: 1/steps at the first, 1 from the last of them on. */
export const warmUp =
  (steps: number): Schedule =>
  (t) =>
    steps > 0 ? Math.min(1, (t + 1) / steps) : 1

/** The warm-up that needs no tuning, linear over 2/(1 − β₂) steps. Ma and Yarats: On the adequacy of untuned warmup, AAAI 2021. */
export const untunedWarmUp = (beta2 = 0.999): Schedule => warmUp(Math.ceil(2 / (1 - beta2)))

/** 1 until `from`, then straight to `end` (0) at `steps`. Ranger21 goes from 72 % of the steps to 3e-5 ÷ lr. */
export const warmDown = (
  steps: number,
  { from = 0.72 * steps, end = 0 }: { from?: number; end?: number } = {},
): Schedule =>
  join([
    [constant(), from],
    [linear(positive('a warm-down', steps) - from, { end }), Number.POSITIVE_INFINITY],
  ])

/** One schedule after another: each runs, counting from 0, for its number of steps. The last goes on. */
export const join = (parts: readonly (readonly [schedule: Schedule, steps: number])[]): Schedule => {
  if (parts.length === 0) throw new UsageError('there is nothing to join into a schedule')
  return (t) => {
    let start = 0
    for (const [i, [schedule, steps]] of parts.entries()) {
      if (t < start + steps || i === parts.length - 1) return schedule(t - start)
      start += steps
    }
    return 1
  }
}

/** The product of schedules: a warm-up and what follows it. */
export const product =
  (schedules: readonly Schedule[]): Schedule =>
  (t) =>
    schedules.reduce((factor, schedule) => factor * schedule(t), 1)
