import type { Model } from '../onnx/index.ts'
import { type Criterion, type Normalization, type Reduction, scoreGroup } from './importance/index.ts'
import { originalSize, type RoundOptions } from './round.ts'
import type { Analysis, Group, OnPruneEvent } from './types.ts'

/**
 * What competes with what: 'local' every group gives up the same share; 'global' all units stand in one ranking;
 * 'isomorphic' units rank only against those of groups built alike (Fang et al. 2024, "Isomorphic Pruning").
 */
export type Scope = 'local' | 'global' | 'isomorphic'

/** How units are scored and compared. */
export type RankOptions = {
  /** Default 'local'. */
  scope?: Scope
  reduction?: Reduction
  /** Default 'mean' for a global scope unless the criterion's scores can be compared as they are, else 'none'. */
  normalize?: Normalization
  onEvent?: OnPruneEvent
}

/** All units that compete, in the order they go. */
export type Ranking = {
  /** Each group's units, worst first. */
  readonly worstFirst: readonly (readonly number[])[]
  /** Number of units in the order. */
  readonly length: number
  /** The group whose next unit goes at a position of the order. */
  groupAt(position: number): number
  /** How many units each group has lost when the first `position` of the order are gone. */
  countsAt(position: number): number[]
  /** Where the order is cut for a share of the units. */
  positionOf(ratio: number): number
}

/** What is settled before anything competes. */
type Settled = Pick<RoundOptions, 'baseline'> & {
  /** Groups whose number is settled already; they do not compete. */
  fixed: ReadonlySet<Group>
  /** How many units each group may lose at most; what is beyond does not compete. */
  most: readonly number[]
}

/**
 * Scores and orders. In every scope a unit gets one key, the ratio or threshold at which it goes:
 * local (rank + 1) ÷ group size, isomorphic the same within its class, global its score. Units that earlier rounds removed
 * count as the first of the order.
 */
export const rankUnits = (
  model: Model,
  analysis: Analysis,
  groups: readonly Group[],
  criterion: Criterion,
  { scope = 'local', reduction = 'first', normalize, fixed, most, baseline, onEvent = () => {} }: RankOptions & Settled,
): Ranking => {
  const by = normalize ?? (scope === 'global' && !criterion.comparable ? 'mean' : 'none')
  const scores = groups.map((group, done) => {
    onEvent({ type: 'progress', stage: 'score', done, total: groups.length })
    return scoreGroup(model, analysis, group, criterion, { reduction, normalize: by })
  })
  onEvent({ type: 'progress', stage: 'score', done: groups.length, total: groups.length })
  // Of equal units the later one goes first, so that the earlier stays.
  const worstFirst = scores.map((s) => Array.from(s.keys()).sort((a, b) => s[a]! - s[b]! || b - a))

  const competing = groups.map((_, g) => g).filter((g) => !fixed.has(groups[g]!))
  const classes = classesOf(scope, competing, groups)
  const wholeOf = (members: readonly number[]) =>
    members.reduce((sum, g) => sum + originalSize(groups[g]!, baseline), 0)
  const entries = classes.flatMap((members) => {
    const whole = wholeOf(members)
    const there = members.reduce((sum, g) => sum + groups[g]!.size, 0)
    const ordered = members
      .flatMap((g) =>
        worstFirst[g]!.slice(0, most[g]).map((unit, rank) => ({ group: g, rank, score: scores[g]![unit]! })),
      )
      .sort((a, b) => a.score - b.score || a.group - b.group || a.rank - b.rank)
    const gone = whole - there
    return ordered.map((entry, i) => ({ ...entry, key: scope === 'global' ? entry.score : (gone + i + 1) / whole }))
  })
  entries.sort((a, b) => a.key - b.key || a.group - b.group || a.rank - b.rank)

  return {
    worstFirst,
    length: entries.length,
    groupAt: (position) => entries[position]!.group,
    countsAt(position) {
      const counts = groups.map(() => 0)
      for (let i = 0; i < position; i++) counts[entries[i]!.group]!++
      return counts
    },
    positionOf(ratio) {
      if (scope === 'global') {
        const whole = wholeOf(competing)
        const there = competing.reduce((sum, g) => sum + groups[g]!.size, 0)
        return Math.min(Math.max(Math.floor(ratio * whole + 1e-9) - (whole - there), 0), entries.length)
      }
      const after = entries.findIndex(({ key }) => key > ratio + 1e-9)
      return after < 0 ? entries.length : after
    },
  }
}

const classesOf = (scope: string, competing: readonly number[], groups: readonly Group[]): number[][] => {
  if (scope === 'global') return [[...competing]]
  if (scope === 'local') return competing.map((g) => [g])
  const alike = new Map<string, number[]>()
  for (const g of competing) {
    const shape = shapeOf(groups[g]!)
    alike.set(shape, [...(alike.get(shape) ?? []), g])
  }
  return [...alike.values()]
}

/** Groups are built alike when the same operators use their units in the same way. */
const shapeOf = (group: Group): string =>
  group.members
    .map(({ operator, input, axis, role, perUnit }) => [operator, input, axis, role, perUnit].join())
    .sort()
    .join('\n')
