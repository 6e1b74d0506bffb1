/** A rate that was tried, and how good it was: more is better. */
export type Tried = { readonly rate: number; readonly score: number }

/** The step of a coarse search. */
export const halfDecade = Math.sqrt(10)

/**
 * The next rate to try, along the logarithm: the first is `start`, the second `start`·√10; while the best so far is at an
 * end, a stride beyond it; once it lies between two others, half way to the better of its neighbours. The same number of
 * trials thus costs every optimizer the same, and none depends on a grid that was laid out for another.
 */
export const nextRate = (start: number, tried: readonly Tried[]): number => {
  const sorted = [...tried].sort((a, b) => a.rate - b.rate)
  const best = sorted.reduce(
    (most, { score }, i) => (score > (sorted[most]?.score ?? Number.NEGATIVE_INFINITY) ? i : most),
    0,
  )
  const [below, at, above] = [sorted[best - 1], sorted[best], sorted[best + 1]]
  if (!at) return start
  if (!above && (below || sorted.length === 1)) return at.rate * halfDecade
  if (!below) return at.rate / halfDecade
  const neighbour = above && above.score > below.score ? above : below
  return Math.sqrt(at.rate * neighbour.rate)
}
