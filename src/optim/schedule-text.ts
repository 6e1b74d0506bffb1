import { UsageError } from '../base/index.ts'
import {
  constant,
  cosine,
  exponential,
  flatCosine,
  join,
  linear,
  oneCycle,
  polynomial,
  product,
  type Schedule,
  stepDecay,
  triangle,
  untunedWarmUp,
  warmDown,
  warmUp,
} from './schedules.ts'

export type ScheduleHorizon = {
  /** Updates in the whole run. */
  steps: number
  /** Updates in an epoch; without it the run counts as one epoch. */
  stepsPerEpoch?: number
  /** The optimizer's β₂, for the untuned warm-up; 0.999. */
  beta2?: number
}

type Reader = {
  /** An argument as a number. */
  number(index: number, absent: number): number
  /** An argument as a duration in steps: `3` epochs, `500s` steps or `5%` of the run. */
  duration(index: number, absent: string): number
  durations(index: number): number[]
}

const table: Readonly<
  Record<string, { usage: string; make(a: Reader, horizon: Required<ScheduleHorizon>): Schedule }>
> = {
  constant: { usage: 'constant', make: () => constant() },
  linear: { usage: 'linear[:END]', make: (a, { steps }) => linear(steps, { end: a.number(0, 0) }) },
  cosine: { usage: 'cosine[:END]', make: (a, { steps }) => cosine(steps, { end: a.number(0, 0) }) },
  'flat-cosine': {
    usage: 'flat-cosine[:FLAT_SHARE[:END]]',
    make: (a, { steps }) => flatCosine(steps, { flat: a.number(0, 0.72), end: a.number(1, 0) }),
  },
  'one-cycle': {
    usage: 'one-cycle[:RISE_SHARE[:START]]',
    make: (a, { steps }) => oneCycle(steps, { rise: a.number(0, 0.3), start: a.number(1, 1 / 25) }),
  },
  triangle: {
    usage: 'triangle[:RISE_SHARE[:END]]',
    make: (a, { steps }) => triangle(steps, { rise: a.number(0, 0.2), end: a.number(1, 0) }),
  },
  step: { usage: 'step:WHEN,WHEN…[:FACTOR]', make: (a) => stepDecay(a.durations(0), a.number(1, 0.1)) },
  exponential: {
    usage: 'exponential:FACTOR[:EVERY]',
    make: (a) => exponential(a.number(0, 0.9), a.duration(1, '1')),
  },
  polynomial: {
    usage: 'polynomial[:POWER[:END]]',
    make: (a, { steps }) => polynomial(steps, { power: a.number(0, 2), end: a.number(1, 0) }),
  },
  warmup: { usage: 'warmup:DURATION', make: (a) => warmUp(a.duration(0, '5%')) },
  'untuned-warmup': { usage: 'untuned-warmup', make: (_, { beta2 }) => untunedWarmUp(beta2) },
  warmdown: {
    usage: 'warmdown[:FROM_SHARE[:END]]',
    make: (a, { steps }) => warmDown(steps, { from: a.number(0, 0.72) * steps, end: a.number(1, 0) }),
  },
}

/** The schedules that can be named, each with its arguments. */
export const scheduleUsages: readonly string[] = Object.values(table).map(({ usage }) => usage)

/**
 * A schedule from text: `cosine`, `flat-cosine:0.75`, `step:30,60:0.1`. Terms joined by `+` are multiplied:
 * `warmup:500s+cosine`. One after another, each with its duration, the last for the rest of the run:
 * `constant@70%>cosine`. Durations are epochs, `500s` steps or `5%` of the
 * run, or of the part they stand in.
 * @throws UsageError listing the known names.
 */
export const parseSchedule = (text: string, horizon: ScheduleHorizon): Schedule => {
  const full = { stepsPerEpoch: horizon.steps, beta2: 0.999, ...horizon }
  const parts = text.split('>')
  let left = full.steps
  const lasting = parts.map((part, i): [Schedule, number] => {
    const [terms = '', time] = part.split('@')
    if ((time === undefined) !== (i === parts.length - 1))
      throw new UsageError(`of '${text}' every part but the last needs a duration`, {
        remedy: 'write SCHEDULE@DURATION>SCHEDULE, as in constant@70%>cosine',
      })
    const steps = time === undefined ? left : reader('SCHEDULE@DURATION>SCHEDULE', [time], full).duration(0, '')
    left -= steps
    if (parts.length > 1 && (left < 0 || steps <= 0))
      throw new UsageError(`the parts of '${text}' leave no step for the last`, { remedy: 'shorten them' })
    return [productOf(terms, { ...full, steps }), steps]
  })
  return join(lasting)
}

const productOf = (text: string, horizon: Required<ScheduleHorizon>): Schedule =>
  product(
    text.split('+').map((term) => {
      const [name = '', ...args] = term.trim().split(':')
      const entry = Object.hasOwn(table, name) ? table[name] : undefined
      if (!entry)
        throw new UsageError(`there is no schedule '${name}'`, { remedy: `known are ${scheduleUsages.join(', ')}` })
      return entry.make(reader(entry.usage, args, horizon), horizon)
    }),
  )

const reader = (usage: string, args: readonly string[], horizon: Required<ScheduleHorizon>): Reader => {
  const wrong = (text: string): never => {
    throw new UsageError(`'${text}' is no argument of a schedule`, { remedy: `write ${usage}` })
  }
  const number = (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    return Number.isFinite(value) && value >= 0 ? value : wrong(text)
  }
  const duration = (text: string): number => {
    if (text.endsWith('%')) return (number(text.slice(0, -1)) / 100) * horizon.steps
    return text.endsWith('s') ? number(text.slice(0, -1)) : number(text) * horizon.stepsPerEpoch
  }
  return {
    number: (i, absent) => (args[i] === undefined ? absent : number(args[i])),
    duration: (i, absent) => duration(args[i] ?? absent),
    durations: (i) => (args[i] ?? wrong('')).split(',').map(duration),
  }
}
