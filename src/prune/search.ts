import type { Ranking } from './rank.ts'
import type { OnPruneEvent } from './types.ts'

/** Enough to come close; each evaluation walks the whole graph. */
const refinements = 64
/** Close enough to the goal to stop. */
const near = 0.002

/**
 * The numbers of units to remove from each group so that a cost comes down to `goal` from below, as near as can be. The cost
 * falls as the order is walked, so the cut is found by halving; then the last units to go are let back in, best first, as
 * long as the goal still holds. Undefined when even removing all of the order is not enough.
 */
export const searchTarget = (
  ranking: Ranking,
  { goal, measure, onEvent }: { goal: number; measure: (counts: readonly number[]) => number; onEvent: OnPruneEvent },
): number[] | undefined => {
  const total = Math.ceil(Math.log2(ranking.length + 1)) + 1
  let done = 0
  const at = (position: number) => {
    onEvent({ type: 'progress', stage: 'search', done: Math.min(done++, total), total })
    return measure(ranking.countsAt(position))
  }
  if (at(ranking.length) > goal) return undefined
  let [low, high] = [0, ranking.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (at(middle) <= goal) high = middle
    else low = middle + 1
  }
  let counts = ranking.countsAt(high)
  let reached = measure(counts)
  for (let i = high - 1, tried = 0; i >= 0 && tried < refinements && reached < goal * (1 - near); i--, tried++) {
    const group = ranking.groupAt(i)
    const trial = counts.with(group, counts[group]! - 1)
    const cost = measure(trial)
    if (cost > goal) continue
    counts = trial
    reached = cost
  }
  onEvent({ type: 'progress', stage: 'search', done: total, total })
  return counts
}
