type Point = readonly [x: number, y: number]

/** A longer stretch is averaged over more of its points. */
const windowOf = (points: number): number => Math.min(50, Math.max(4, points / 25))

/**
 * An exponential moving average that remembers about `window` points, begun anew after each of `breaks`: the average of a
 * loss before and after a prune would show neither. Each stretch starts from the mean of its first few points, so that a
 * single lucky batch does not draw a spike; until it has seen as many points as it remembers it is their plain mean, so
 * that a steep beginning does not draw a ramp.
 */
export const smoothed = (points: readonly Point[], breaks: readonly number[] = [], window = windowOf): Point[] =>
  stretches(
    points.filter(([, y]) => Number.isFinite(y)),
    breaks,
  ).flatMap((stretch) => {
    const memory = window(stretch.length)
    const few = Math.ceil(memory / 4)
    const first = stretch.slice(0, few)
    let average = first.reduce((sum, [, y]) => sum + y, 0) / first.length
    return stretch.map(([x, y], k): Point => {
      average += (y - average) / Math.min(memory, few + k + 1)
      return [x, average]
    })
  })

/**
 * The same for what is drawn on a logarithmic axis: the geometric mean, which lies in the middle of the noise as one sees
 * it there, while the mean of a falling curve stays up with its first values. Points not above zero are left out.
 */
export const smoothedLog: typeof smoothed = (points, ...rest) =>
  smoothed(
    points.filter(([, y]) => y > 0).map(([x, y]): Point => [x, Math.log(y)]),
    ...rest,
  ).map(([x, y]): Point => [x, Math.exp(y)])

const stretches = (points: readonly Point[], breaks: readonly number[]): Point[][] => {
  const cuts = [Number.NEGATIVE_INFINITY, ...[...breaks].sort((a, b) => a - b), Number.POSITIVE_INFINITY]
  return cuts.slice(1).map((to, k) => points.filter(([x]) => x > cuts[k]! && x <= to))
}

/** At most 2 · `buckets` points: the least and greatest of each bucket, so that no peak is lost. */
export const thinned = (points: readonly Point[], buckets: number): readonly Point[] => {
  if (points.length <= 2 * buckets) return points
  const size = points.length / buckets
  return Array.from({ length: buckets }, (_, b) => {
    const bucket = points.slice(Math.floor(b * size), Math.floor((b + 1) * size))
    const low = bucket.reduce((best, p) => (p[1] < best[1] ? p : best))
    const high = bucket.reduce((best, p) => (p[1] > best[1] ? p : best))
    return low[0] <= high[0] ? [low, high] : [high, low]
  }).flat()
}
