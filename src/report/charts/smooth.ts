type Point = readonly [x: number, y: number]

/**
 * An exponential moving average of weight `memory` for the past, corrected for its start from zero (as in Adam), begun
 * anew at each of `breaks`: the average of a loss before and after a prune would show neither.
 */
export const smoothed = (points: readonly Point[], memory: number, breaks: readonly number[] = []): Point[] => {
  let sum = 0
  let weight = 0
  let next = 0
  const sorted = [...breaks].sort((a, b) => a - b)
  return points
    .filter(([, y]) => Number.isFinite(y))
    .map(([x, y]) => {
      while (next < sorted.length && x > sorted[next]!) {
        next++
        sum = 0
        weight = 0
      }
      sum = memory * sum + (1 - memory) * y
      weight = memory * weight + (1 - memory)
      return [x, sum / weight]
    })
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
