import { UsageError } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import { type Cost, costEvaluator } from './cost.ts'
import type { Criterion } from './importance/index.ts'
import { groupsNamed, namesGroup } from './patterns.ts'
import { type Ranking, type RankOptions, rankUnits } from './rank.ts'
import { originalSize, type RoundOptions, widthRule } from './round.ts'
import { searchTarget } from './search.ts'
import type { Analysis, Group } from './types.ts'
import { widthCosts } from './width-cost.ts'

/** How much is to go: a share of the units, or a cost to get down to (up to 1 a share of the original's, else a number). */
export type Target =
  | { readonly ratio: number }
  | { readonly macs: number }
  | { readonly params: number }
  | { readonly bytes: number }

export type AllocateOptions = RoundOptions &
  RankOptions & {
    /** Absent: only what `keepBest` and `ratios` ask for. */
    target?: Target
    /** Pattern → how many of that layer's units stay, the best ones. */
    keepBest?: { readonly [pattern: string]: number }
    /** Pattern → the share of that layer's units that goes. */
    ratios?: { readonly [pattern: string]: number }
    /** Patterns of layers whose units all stay; what feeds them may still be pruned. */
    keep?: readonly string[]
    /** What feeds the layers of `keep` stays too. Default false. */
    keepInputs?: boolean
    /** Whether groups may be pruned whose removal is not the same as masking. Default false. */
    approximate?: boolean
  }

/** Units to remove of each group, worst first. */
export type Allocation = ReadonlyMap<Group, readonly number[]>

/** Decides which units go. Every group keeps at least one. */
export const allocate = (
  model: Model,
  analysis: Analysis,
  criterion: Criterion,
  options: AllocateOptions,
): Allocation => {
  checkOptions(options)
  const candidates = candidatesOf(analysis, options)
  const fixed = fixedCounts(analysis, candidates, options)
  const finish = widthRule(options)
  const levelFor = (g: number, asked: number) => {
    const group = candidates[g]!
    return finish(group, fixed.get(group) ?? asked)
  }
  const most = candidates.map(({ size }, g) => levelFor(g, size - 1))
  const ranking = rankUnits(model, analysis, candidates, criterion, { ...options, fixed: new Set(fixed.keys()), most })
  const allocation = (asked: readonly number[]): Allocation =>
    new Map(candidates.map((group, g) => [group, ranking.worstFirst[g]!.slice(0, levelFor(g, asked[g]!))]))
  const { target } = options
  if (target === undefined) return allocation(candidates.map(() => 0))
  if ('ratio' in target) return allocation(ranking.countsAt(ranking.positionOf(target.ratio)))

  const byUnits = costEvaluator(analysis)
  const byWidth = widthCosts(analysis, candidates)
  const { quantity, asked, read } = costTarget(target)
  const take = (counts: readonly number[]): Allocation =>
    new Map(candidates.map((group, g) => [group, ranking.worstFirst[g]!.slice(0, counts[g])]))
  const measure = (counts: readonly number[]) => read(byWidth ? byWidth(counts) : byUnits(rootsOf(take(counts))))
  const whole = read(byUnits([]))
  const goal = asked <= 1 ? asked * whole : asked
  const levels = candidates.map(({ size }, g) => [...new Set(Array.from({ length: size }, (_, n) => levelFor(g, n)))])
  const counts = searchTarget(ranking, { goal, levels, levelFor, measure, onEvent: options.onEvent ?? (() => {}) })
  if (counts) return take(counts)
  throw unreachable(analysis, ranking, options, { quantity, goal, whole, least: measure(most) })
}

/** The classes an allocation removes. */
export const rootsOf = (allocation: Allocation): number[] =>
  [...allocation].flatMap(([group, units]) => units.map((unit) => group.roots[unit]!))

type CostTarget = { quantity: string; asked: number; read: (cost: Omit<Cost, 'uncounted'>) => number }

const costTarget = (target: Exclude<Target, { ratio: number }>): CostTarget => {
  if ('macs' in target) return { quantity: 'macs', asked: target.macs, read: (cost) => cost.macs }
  if ('params' in target) return { quantity: 'params', asked: target.params, read: (cost) => cost.parameters }
  return { quantity: 'bytes', asked: target.bytes, read: (cost) => cost.bytes }
}

const checkOptions = ({ target, keepBest = {}, ratios = {} }: AllocateOptions): void => {
  const share = (what: string, value: number) => {
    if (!(value >= 0 && value < 1)) throw new UsageError(`${what} must be at least 0 and below 1, not ${value}`)
  }
  if (target && Object.keys(target).length !== 1)
    throw new UsageError(`give one target, not ${Object.keys(target).join(' and ') || 'none'}`)
  if (target && 'ratio' in target) share('ratio', target.ratio)
  else if (target)
    for (const [name, value] of Object.entries(target))
      if (!(value > 0)) throw new UsageError(`${name} must be above 0, not ${value}`)
  for (const [pattern, value] of Object.entries(ratios)) share(`the ratio of '${pattern}'`, value)
  for (const [pattern, value] of Object.entries(keepBest))
    if (!(Number.isInteger(value) && value >= 1))
      throw new UsageError(`'${pattern}' must keep a whole number of units, at least 1, not ${value}`)
}

const candidatesOf = (analysis: Analysis, { keep = [], keepInputs = false, approximate = false }: AllocateOptions) => {
  const kept = new Set(keep.flatMap((pattern) => keptBy(pattern, analysis, keepInputs)))
  return analysis.groups.filter(
    (group) => group.size > 1 && !kept.has(group) && (approximate || group.approximate === undefined),
  )
}

/** What a pattern of `keep` keeps; a layer that is frozen anyway is kept already. */
const keptBy = (pattern: string, analysis: Analysis, keepInputs: boolean): Group[] => {
  const found = analysis.groups.filter((group) => namesGroup(pattern, group, keepInputs))
  if (found.length > 0 || analysis.frozen.some(({ value }) => value.startsWith(pattern))) return found
  return groupsNamed(pattern, analysis, keepInputs)
}

/** Numbers of units to remove that `ratios` and `keepBest` settle; the latter has the last word. */
const fixedCounts = (
  analysis: Analysis,
  candidates: readonly Group[],
  { keepBest = {}, ratios = {}, baseline }: AllocateOptions,
): Map<Group, number> => {
  const fixed = new Map<Group, number>()
  const settle = (pattern: string, removed: (group: Group) => number) => {
    const named = groupsNamed(pattern, analysis)
    const free = named.filter((group) => candidates.includes(group))
    if (free.length === 0) throw new UsageError(`'${pattern}' asks for a layer that is kept: ${whyKept(named[0]!)}`)
    for (const group of free) fixed.set(group, removed(group))
  }
  for (const [pattern, ratio] of Object.entries(ratios))
    settle(pattern, (group) => {
      const whole = originalSize(group, baseline)
      return Math.max(Math.floor(ratio * whole + 1e-9) - (whole - group.size), 0)
    })
  for (const [pattern, best] of Object.entries(keepBest)) settle(pattern, (group) => Math.max(group.size - best, 0))
  return fixed
}

const whyKept = (group: Group): string =>
  group.size === 1
    ? `group '${group.name}' has a single unit`
    : group.approximate
      ? `group '${group.name}' is approximate (${group.approximate}); allow it with approximate`
      : `group '${group.name}' is named by keep`

const unreachable = (
  analysis: Analysis,
  ranking: Ranking,
  { keep = [], maxRatio, approximate = false }: AllocateOptions,
  { quantity, goal, whole, least }: { quantity: string; goal: number; whole: number; least: number },
): UsageError => {
  const approximates = analysis.groups.filter((group) => group.approximate !== undefined).length
  const frozen = analysis.frozen[0]
  const reasons = [
    ...(keep.length > 0 ? [`keep ${keep.join(', ')}`] : []),
    ...(maxRatio !== undefined ? [`the largest ratio of ${maxRatio}`] : []),
    ...(approximates > 0 && !approximate ? [`${approximates} approximate groups are left alone`] : []),
    ...(frozen ? [`${analysis.frozen.length} frozen axes, such as '${frozen.value}' (${frozen.reason})`] : []),
    ...(ranking.length === 0 ? ['no group may be pruned'] : ['every group keeps at least one unit']),
  ]
  return new UsageError(`${quantity} cannot fall to ${Math.round(goal)} of ${whole}: ${reasons.join('; ')}`, {
    remedy: `the least that can be reached is ${least}`,
  })
}
