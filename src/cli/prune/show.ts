import type { Model } from '../../onnx/index.ts'
import {
  type Absorption,
  type Cost,
  type Frozen,
  type GroupReport,
  goalOf,
  type Latency,
  latenciesOf,
  type Plan,
  type PlanOptions,
} from '../../prune/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { byteText, type Console, grouped, percent, table } from '../console.ts'

/** Every group with what the plan does to it. */
export const groupTable = (groups: readonly GroupReport[]): string[] =>
  table(
    ['group', 'units', 'kept', 'goes up to', 'stays from', 'MACs saved', 'members'],
    groups.map(({ name, size, kept, approximate, cut, macsSaved, members }) => [
      approximate === undefined ? name : `${name} (approximate)`,
      String(size),
      String(kept),
      cut ? scoreText(cut.goes) : '',
      cut ? scoreText(cut.stays) : '',
      macsSaved === 0 ? '' : grouped(macsSaved),
      members.map(({ initializer, axis }) => `${initializer}:${axis}`).join(' '),
    ]),
  )

const scoreText = (score: number): string => (Number.isFinite(score) ? score.toPrecision(4) : '')

/** The axes of which nothing may go, by reason. */
export const sayFrozen = (frozen: readonly Frozen[], holds: (value: string) => boolean, console: Console): void => {
  const reasons = new Map<string, string[]>()
  for (const { value, axis, reason } of frozen)
    if (holds(value)) reasons.set(reason, [...(reasons.get(reason) ?? []), `${value}:${axis}`])
  for (const [reason, places] of reasons)
    console.say(
      `stays: ${places.slice(0, 4).join(' ')}${places.length > 4 ? ` and ${places.length - 4} more` : ''} (${reason})`,
    )
}

export const costTable = (before: Cost, after: Cost): string[] =>
  table(
    ['', 'before', 'after', 'left'],
    [
      [
        'parameters',
        grouped(before.parameters),
        grouped(after.parameters),
        percent(after.parameters / before.parameters, 1),
      ],
      ['bytes', byteText(before.bytes), byteText(after.bytes), percent(after.bytes / before.bytes, 1)],
      ['MACs', grouped(before.macs), grouped(after.macs), percent(after.macs / (before.macs || 1), 1)],
    ],
  )

/** What was asked for and how near the result comes; `reached` ÷ `goal` is 1 where it is met exactly. */
export type Outcome = {
  readonly quantity: 'units' | 'macs' | 'params' | 'bytes' | 'latency'
  /** Units that go, or what may be left of a cost. */
  readonly goal: number
  readonly reached: number
  /** Of a latency, what the original takes; all three are medians in milliseconds, measured in turns. */
  readonly original?: number
}

export const outcomeOf = (
  { target, approximate = false }: PlanOptions,
  groups: readonly GroupReport[],
  before: Cost,
  after: Cost,
): Outcome | undefined => {
  if (target === undefined) return undefined
  if ('ratio' in target) {
    const open = groups.filter((group) => group.size > 1 && (approximate || group.approximate === undefined))
    const total = (of: (group: GroupReport) => number) => open.reduce((sum, group) => sum + of(group), 0)
    return {
      quantity: 'units',
      goal: target.ratio * total(({ size }) => size),
      reached: total(({ size, kept }) => size - kept),
    }
  }
  const outcome = (quantity: 'macs' | 'params' | 'bytes', asked: number, whole: number, reached: number): Outcome => ({
    quantity,
    goal: asked <= 1 ? asked * whole : asked,
    reached,
  })
  if ('macs' in target) return outcome('macs', target.macs, before.macs, after.macs)
  if ('params' in target) return outcome('params', target.params, before.parameters, after.parameters)
  return outcome('bytes', target.bytes, before.bytes, after.bytes)
}

/** What a latency came to, the written model and the original timed in turns. */
export const latencyOutcome = async (latency: Latency, original: Model, pruned: Model): Promise<Outcome> => {
  const [before = 0, after = 0] = await latenciesOf([original, pruned], { runtime: nodeRuntime })
  return { quantity: 'latency', goal: goalOf(latency, before), reached: after, original: before }
}

const names = { units: 'units', macs: 'MACs', params: 'parameters', bytes: 'bytes', latency: 'ms' } as const

/** How near the result came, and what stood in the way where that is more than two per cent; `nothing` where no unit goes. */
export const outcomeText = (
  { quantity, goal, reached, original = 0 }: Outcome,
  options: PlanOptions,
  nothing: boolean,
): string => {
  const near =
    quantity === 'units'
      ? `${grouped(reached)} units go of the ${grouped(goal)} asked for`
      : `${grouped(reached)} ${names[quantity]} of the ${grouped(goal)} allowed`
  const share = goal > 0 ? reached / goal : 1
  if (quantity === 'latency')
    return `a run takes ${reached.toFixed(3)} ms, the original ${original.toFixed(3)} ms (${percent(reached / original, 1)}); ${goal.toFixed(3)} ms were allowed (measured anew, medians)`
  // A target that is met before anything goes.
  if (nothing && (quantity === 'units' ? goal === 0 : reached <= goal))
    return quantity === 'units'
      ? 'nothing goes: a ratio of 0 removes no unit'
      : `nothing has to go: the model has ${grouped(reached)} ${names[quantity]}, and ${grouped(goal)} are allowed`
  const off = Math.abs(1 - share) > 0.02
  const { keep = [], maxRatio, roundTo } = options
  const reasons = [
    ...(keep.length > 0 ? ['layers that are kept'] : []),
    ...(maxRatio !== undefined ? [`the cap of ${maxRatio} on a layer's share`] : []),
    ...(roundTo !== undefined && roundTo > 1 ? [`widths in multiples of ${roundTo}`] : []),
    'whole units of narrow layers',
  ]
  return `${near} (${percent(share, 1)})${off ? `; nearer is kept from it by ${reasons.join(', ')}` : ''}`
}

/** What biases took over, and which groups' constants nobody takes. */
export const sayAbsorbed = ({ absorbed }: Plan, left: Absorption['left'], console: Console): void => {
  console.say()
  if (absorbed)
    console.say(
      `absorbed${absorbed.exact ? '' : ' (near, not exactly: padding shows)'}: constants of ${absorbed.groups.join(', ')} into ${Object.keys(absorbed.biases).join(', ')}`,
    )
  for (const { group, reason } of left) console.say(`not absorbed: ${group} (${reason})`)
}
