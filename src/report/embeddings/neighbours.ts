import { random } from '../../base/index.ts'
import { squaredDistance } from './points.ts'
import type { Points } from './types.ts'

export type Neighbours = {
  /** How many neighbours each point has. */
  readonly count: number
  /** rows × count: row i's nearest other points, nearest first. */
  readonly indices: Int32Array
  /** rows × count: their squared distances. */
  readonly distances: Float64Array
}

/**
 * Exact nearest neighbours by a vantage-point tree (Yianilos 1993): each node splits its points at the median distance
 * from one of them, and the triangle inequality rules out whole sides in a search.
 */
export const nearestNeighbours = (points: Points, count: number, seed = 0): Neighbours => {
  const n = points.rows
  const tree = vantageTree(points, seed)
  const indices = new Int32Array(n * count)
  const distances = new Float64Array(n * count)
  const near = new Int32Array(count)
  const far = new Float64Array(count)

  for (let i = 0; i < n; i++) {
    let held = 0
    /** Keeps the list sorted: for the few dozen neighbours wanted, cheaper than a heap. */
    const offer = (j: number, distance: number) => {
      if (held === count && distance >= far[count - 1]!) return
      let at = held < count ? held++ : count - 1
      while (at > 0 && far[at - 1]! > distance) {
        far[at] = far[at - 1]!
        near[at] = near[at - 1]!
        at--
      }
      far[at] = distance
      near[at] = j
    }
    const search = (low: number, high: number): void => {
      if (low >= high) return
      const vantage = tree.order[low]!
      const distance = Math.sqrt(squaredDistance(points, i, vantage))
      if (vantage !== i) offer(vantage, distance)
      const middle = (low + 1 + high) >> 1
      const radius = tree.radii[low]!
      const reach = () => (held < count ? Number.POSITIVE_INFINITY : far[count - 1]!)
      if (distance < radius) {
        search(low + 1, middle)
        if (distance + reach() >= radius) search(middle, high)
      } else {
        search(middle, high)
        if (distance - reach() <= radius) search(low + 1, middle)
      }
    }
    search(0, n)
    indices.set(near, i * count)
    for (let k = 0; k < count; k++) distances[i * count + k] = far[k]! ** 2
  }
  return { count, indices, distances }
}

/** The tree as an order of points: a range's first is its vantage point, the nearer half follows, then the farther. */
const vantageTree = (points: Points, seed: number) => {
  const n = points.rows
  const order = Int32Array.from({ length: n }, (_, i) => i)
  const radii = new Float64Array(n)
  const generator = random(seed)
  const distance = new Float64Array(n)
  const build = (low: number, high: number): void => {
    if (high - low < 2) return
    const pick = low + generator.below(high - low)
    const vantage = order[pick]!
    order[pick] = order[low]!
    order[low] = vantage
    for (let k = low + 1; k < high; k++) distance[order[k]!] = squaredDistance(points, vantage, order[k]!)
    order.subarray(low + 1, high).sort((a, b) => distance[a]! - distance[b]! || a - b)
    const middle = (low + 1 + high) >> 1
    radii[low] = Math.sqrt(distance[order[Math.min(middle, high - 1)]!]!)
    build(low + 1, middle)
    build(middle, high)
  }
  build(0, n)
  return { order, radii }
}
