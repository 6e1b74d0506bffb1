import { UsageError } from '../base/index.ts'
import type { Group } from './types.ts'

export type RoundOptions = {
  /** The width left of each pruned layer is a multiple of this; 1 unless said. */
  roundTo?: number
  /** Which multiple; 'nearest' unless said. */
  rounding?: 'up' | 'down' | 'nearest'
  /** No layer loses a larger share than this, rounding included; 1 unless said. */
  maxRatio?: number
  /** Original widths by group, where earlier rounds have pruned already: every share is of these, what is gone included. */
  baseline?: Baseline
}

export type Baseline = { readonly [group: string]: number }

/** What a group's shares are of. */
export const originalSize = ({ name, size }: Group, baseline: Baseline = {}): number =>
  Math.max(Object.hasOwn(baseline, name) ? baseline[name]! : size, size)

/**
 * How many of a group's units really go when `asked` of them are to: the width left is rounded, the cap on the ratio holds
 * whatever the rounding, and at least one unit stays. A group that is to lose nothing is left alone, and so is one narrower
 * than a multiple.
 */
export const widthRule = ({ roundTo = 1, rounding = 'nearest', maxRatio = 1, baseline }: RoundOptions) => {
  if (!(Number.isInteger(roundTo) && roundTo >= 1))
    throw new UsageError(`round-to must be a whole number, at least 1, not ${roundTo}`)
  if (!(maxRatio > 0 && maxRatio <= 1)) throw new UsageError(`max-ratio must be above 0 and at most 1, not ${maxRatio}`)
  const round = { up: Math.ceil, down: Math.floor, nearest: Math.round }[rounding]
  return (group: Group, asked: number): number => {
    if (asked <= 0) return 0
    const step = stepOf(group, roundTo)
    const whole = originalSize(group, baseline)
    const least = Math.max(1, whole - Math.floor(maxRatio * whole + 1e-9))
    const floor = Math.ceil(least / step) * step
    const width = round((group.size - asked) / step) * step
    return group.size - Math.min(Math.max(width, floor), group.size)
  }
}

/** A unit that is several channels (a grouped convolution's) needs fewer units to a multiple. */
const stepOf = ({ members }: Group, roundTo: number): number => {
  const channels = (members.find(({ role }) => role === 'produces') ?? members[0])?.perUnit ?? 1
  return roundTo / greatestDivisor(roundTo, channels)
}

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b))
