import { conditionalSimilarities } from './affinities.ts'
import type { Forces } from './forces.ts'
import { nearestNeighbours } from './neighbours.ts'
import { Quadtree } from './quadtree.ts'
import type { Points } from './types.ts'

/** A sparse symmetric matrix of p_ij by rows: row i's entries lie at `starts[i]` up to `starts[i + 1]`. */
export type SparseSimilarities = {
  readonly starts: Int32Array
  readonly columns: Int32Array
  readonly values: Float64Array
}

/** p_ij from each point's 3 · perplexity nearest neighbours only (van der Maaten 2014, §4.1), symmetrized. */
export const neighbourSimilarities = (points: Points, perplexity: number, seed: number): SparseSimilarities => {
  const n = points.rows
  const { count, indices, distances } = nearestNeighbours(
    points,
    Math.min(n - 1, Math.max(2, Math.floor(3 * perplexity))),
    seed,
  )
  const conditional = new Float64Array(n * count)
  for (let i = 0; i < n; i++) {
    const range = [i * count, (i + 1) * count] as const
    conditionalSimilarities(distances.subarray(...range), perplexity, conditional.subarray(...range))
  }

  // Each p_{j|i} / 2n belongs to row i and to row j; entries for the same pair are added where both exist.
  const rows = Array.from({ length: n }, () => new Map<number, number>())
  const add = (i: number, j: number, p: number) => rows[i]!.set(j, (rows[i]!.get(j) ?? 0) + p)
  for (let i = 0; i < n; i++)
    for (let k = i * count; k < (i + 1) * count; k++) {
      add(i, indices[k]!, conditional[k]! / (2 * n))
      add(indices[k]!, i, conditional[k]! / (2 * n))
    }
  const starts = new Int32Array(n + 1)
  rows.forEach((row, i) => {
    starts[i + 1] = starts[i]! + row.size
  })
  return {
    starts,
    columns: Int32Array.from(rows.flatMap((row) => [...row.keys()])),
    values: Float64Array.from(rows.flatMap((row) => [...row.values()])),
  }
}

/** Forces with the attraction over neighbours only and the repulsion by a quadtree: O(n log n) a step. */
export const barnesHutForces = ({ starts, columns, values }: SparseSimilarities, theta: number): Forces => {
  const n = starts.length - 1
  const tree = new Quadtree()
  const force = new Float64Array(2)
  const repelX = new Float64Array(n)
  const repelY = new Float64Array(n)
  return {
    gradient(map, exaggeration, out) {
      const { x, y } = map
      tree.build(map)
      let total = -n
      for (let i = 0; i < n; i++) {
        force.fill(0)
        total += tree.repulsion(x[i]!, y[i]!, theta, force)
        repelX[i] = force[0]!
        repelY[i] = force[1]!
      }
      for (let i = 0; i < n; i++) {
        let ax = 0
        let ay = 0
        for (let k = starts[i]!; k < starts[i + 1]!; k++) {
          const dx = x[i]! - x[columns[k]!]!
          const dy = y[i]! - y[columns[k]!]!
          const pull = values[k]! / (1 + dx * dx + dy * dy)
          ax += pull * dx
          ay += pull * dy
        }
        out.x[i] = 4 * (exaggeration * ax - repelX[i]! / total)
        out.y[i] = 4 * (exaggeration * ay - repelY[i]! / total)
      }
    },
    divergence(map) {
      const { x, y } = map
      tree.build(map)
      let total = -n
      for (let i = 0; i < n; i++) total += tree.repulsion(x[i]!, y[i]!, theta, force)
      let sum = 0
      for (let i = 0; i < n; i++)
        for (let k = starts[i]!; k < starts[i + 1]!; k++) {
          const p = values[k]!
          const d = 1 + (x[i]! - x[columns[k]!]!) ** 2 + (y[i]! - y[columns[k]!]!) ** 2
          if (p > 0) sum += p * (Math.log(p) + Math.log(d))
        }
      return sum + Math.log(total)
    },
  }
}
