import type { Ranking } from './rank.ts'
import type { OnPruneEvent } from './types.ts'

/** Close enough to the goal to look no further. */
const near = 0.002
/** What is promised where widths allow it; exchanges against the order are made to keep it, and not to come closer. */
const promised = 0.02

export type SearchOptions = {
  readonly goal: number
  /** For each group the numbers of units that may go, ascending. */
  readonly levels: readonly (readonly number[])[]
  /** The level that a group comes to when so many of its units are asked for. */
  readonly levelFor: (group: number, asked: number) => number
  /** The cost when so many units of each group are gone. */
  readonly measure: (counts: readonly number[]) => number
  readonly onEvent: OnPruneEvent
}

/**
 * The numbers of units to remove from each group so that a cost comes down to `goal` from below, as near as can be. The cost
 * falls as the order is walked, so the cut is found by halving; then the last units to go are let back in, best first, as
 * long as the goal still holds. Where layers are few or widths are coarse that can end far below the goal; then one group
 * gives more than the order says, and others get the difference back. Undefined when even removing all is not enough.
 */
export const searchTarget = (ranking: Ranking, options: SearchOptions): number[] | undefined => {
  const { goal, levels, levelFor, measure, onEvent } = options
  const total = Math.ceil(Math.log2(ranking.length + 1)) + 2
  let done = 0
  const step = () => onEvent({ type: 'progress', stage: 'search', done: Math.min(done++, total), total })
  const at = (position: number) => ranking.countsAt(position).map((asked, g) => levelFor(g, asked))
  step()
  if (measure(levels.map((level) => level.at(-1)!)) > goal) return undefined
  let [low, high] = [0, ranking.length]
  while (low < high) {
    step()
    const middle = (low + high) >> 1
    if (measure(at(middle)) <= goal) high = middle
    else low = middle + 1
  }
  const fill = filler(lastGone(ranking, high), options)
  let best = fill(at(high))
  if (best.cost < goal * (1 - promised)) best = exchange(best, fill, options)
  onEvent({ type: 'progress', stage: 'search', done: total, total })
  return best.counts
}

/** Groups in the order in which they lose a unit last, those that lose none left out. */
const lastGone = (ranking: Ranking, position: number): number[] => {
  const groups = new Set<number>()
  for (let i = position - 1; i >= 0; i--) groups.add(ranking.groupAt(i))
  return [...groups]
}

type Found = { readonly counts: number[]; readonly cost: number }
type Fill = (counts: readonly number[], except?: number) => Found

/** Lets units back in, in the order of groups given and again, while the goal still holds. */
const filler = (order: readonly number[], { goal, levels, measure }: SearchOptions): Fill => {
  return (start, except) => {
    const counts = [...start]
    let cost = measure(counts)
    for (let moved = true; moved && cost < goal * (1 - near); ) {
      moved = false
      for (const g of order) {
        if (g === except || cost >= goal * (1 - near)) continue
        const before = counts[g]!
        const lower = levels[g]!.findLast((level) => level < before)
        if (lower === undefined) continue
        counts[g] = lower
        const trial = measure(counts)
        if (trial <= goal) {
          cost = trial
          moved = true
        } else counts[g] = before
      }
    }
    return { counts, cost }
  }
}

/** The best of what comes of one group giving up a few levels more and the others being let back in. */
const exchange = (start: Found, fill: Fill, { goal, levels }: SearchOptions): Found => {
  let best = start
  for (let tries = 0; tries < 8 && best.cost < goal * (1 - promised); tries++) {
    const from = best
    for (const [g, level] of levels.entries())
      for (const more of level.filter((count) => count > from.counts[g]!).slice(0, 8)) {
        const found = fill(from.counts.with(g, more), g)
        if (found.cost > best.cost && found.cost <= goal) best = found
        if (best.cost >= goal * (1 - promised)) return best
      }
    if (best === from) break
  }
  return best
}
