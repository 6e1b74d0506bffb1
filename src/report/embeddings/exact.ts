import { conditionalSimilarities } from './affinities.ts'
import type { Forces } from './forces.ts'
import { squaredDistance } from './points.ts'
import type { Plane, Points } from './types.ts'

/** Where the pair (i, j), i < j, lies in the upper triangle written row by row. */
const pairAt = (n: number, i: number, j: number) => i * n - (i * (i + 1)) / 2 + j - i - 1

/**
 * p_ij = (p_{j|i} + p_{i|j}) / 2n for i < j, the upper triangle written row by row. Over all ordered pairs they sum to 1,
 * over these to 1/2.
 */
export const pairSimilarities = (points: Points, perplexity: number): Float64Array => {
  const n = points.rows
  const distances = new Float64Array((n * (n - 1)) / 2)
  for (let i = 0, k = 0; i < n; i++) for (let j = i + 1; j < n; j++) distances[k++] = squaredDistance(points, i, j)

  const similarities = new Float64Array(distances.length)
  const row = new Float64Array(n)
  const conditional = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) row[j] = distances[pairAt(n, j, i)]!
    for (let j = i + 1; j < n; j++) row[j] = distances[pairAt(n, i, j)]!
    conditionalSimilarities(row, perplexity, conditional, i)
    for (let j = 0; j < i; j++) similarities[pairAt(n, j, i)]! += conditional[j]! / (2 * n)
    for (let j = i + 1; j < n; j++) similarities[pairAt(n, i, j)]! += conditional[j]! / (2 * n)
  }
  return similarities
}

/** Forces over all pairs: O(n²) a step, each pair visited twice, for Z and for its force. */
export const exactForces = (similarities: Float64Array, n: number): Forces => {
  /** Z = Σ over ordered pairs of w. */
  const normalizer = ({ x, y }: Plane): number => {
    let sum = 0
    for (let i = 0; i < n; i++) {
      const xi = x[i]!
      const yi = y[i]!
      for (let j = i + 1; j < n; j++) {
        const dx = xi - x[j]!
        const dy = yi - y[j]!
        sum += 1 / (1 + dx * dx + dy * dy)
      }
    }
    return 2 * sum
  }
  return {
    gradient(map, exaggeration, out) {
      const { x, y } = map
      const scale = 1 / normalizer(map)
      out.x.fill(0)
      out.y.fill(0)
      for (let i = 0, k = 0; i < n; i++) {
        const xi = x[i]!
        const yi = y[i]!
        let gx = 0
        let gy = 0
        for (let j = i + 1; j < n; j++, k++) {
          const dx = xi - x[j]!
          const dy = yi - y[j]!
          const w = 1 / (1 + dx * dx + dy * dy)
          const pull = 4 * (exaggeration * similarities[k]! - scale * w) * w
          gx += pull * dx
          gy += pull * dy
          out.x[j]! -= pull * dx
          out.y[j]! -= pull * dy
        }
        out.x[i]! += gx
        out.y[i]! += gy
      }
    },
    divergence(map) {
      const { x, y } = map
      // KL = Σ p log p − Σ p log w + log Z, since Σ p = 1.
      let sum = 0
      for (let i = 0, k = 0; i < n; i++)
        for (let j = i + 1; j < n; j++, k++) {
          const p = similarities[k]!
          if (p > 0) sum += 2 * p * (Math.log(p) + Math.log(1 + (x[i]! - x[j]!) ** 2 + (y[i]! - y[j]!) ** 2))
        }
      return sum + Math.log(normalizer(map))
    },
  }
}
