import { random, UsageError } from '../../base/index.ts'
import { symmetricEigen } from './eigen.ts'
import { checkPoints } from './points.ts'
import type { Points } from './types.ts'

export type PcaOptions = {
  /** How many components; default 2, at most the number of columns. */
  readonly components?: number
  /** Seed of the random directions the iteration starts from; default 0. */
  readonly seed?: number
}

export type Pca = {
  /** The points along the components: rows × components, centred. */
  readonly projected: Points
  /** Unit directions, one per row: components × columns. A direction beyond the data's rank is zero. */
  readonly directions: Points
  /** Variance along each direction (divided by rows − 1), largest first. */
  readonly variances: Float64Array
  readonly mean: Float64Array
}

/**
 * Principal component analysis by randomized subspace iteration (Halko, Martinsson and Tropp 2011, §4.5): a few more
 * random directions than asked for are multiplied by the covariance XᵀX and made orthonormal again until the largest
 * variances settle, which never forms the columns × columns matrix. Each direction's sign is such that its largest entry
 * is positive, so that equal data give equal pictures.
 */
export const pca = (points: Points, options: PcaOptions = {}): Pca => {
  checkPoints(points)
  const { rows, columns } = points
  const wanted = options.components ?? 2
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > columns || rows < 2)
    throw new UsageError(
      `${wanted} principal components of ${rows} points in ${columns} columns: ask for 1 to ${columns} of at least 2 points`,
    )
  const width = Math.min(columns, wanted + Math.max(8, wanted >> 1))
  const generator = random(options.seed ?? 0)
  const mean = columnMeans(points)
  let q = orthonormal(
    Float64Array.from({ length: width * columns }, () => generator.normal()),
    width,
    columns,
  )

  let before: Float64Array | undefined
  for (let iteration = 0; ; iteration++) {
    const scores = project(points, mean, q, width)
    const { values, vectors } = symmetricEigen(gram(scores, rows, width), width)
    const settled =
      before !== undefined && values.slice(0, wanted).every((v, k) => Math.abs(v - before![k]!) <= 1e-9 * values[0]!)
    if (settled || iteration === 100 || values[0] === 0) {
      const directions = signed(product(vectors, wanted, width, q, columns), wanted, columns)
      return {
        projected: { rows, columns: wanted, values: project(points, mean, directions, wanted) },
        directions: { rows: wanted, columns, values: directions },
        variances: values.slice(0, wanted).map((v) => Math.max(0, v) / (rows - 1)),
        mean,
      }
    }
    before = values
    q = orthonormal(combine(points, scores, width), width, columns)
  }
}

const columnMeans = ({ rows, columns, values }: Points): Float64Array => {
  const mean = new Float64Array(columns)
  for (let i = 0; i < rows; i++) for (let c = 0; c < columns; c++) mean[c]! += values[i * columns + c]!
  return mean.map((sum) => sum / rows)
}

/** (X − 1μᵀ)Qᵀ: rows × width, for directions Q given as rows. */
const project = ({ rows, columns, values }: Points, mean: Float64Array, q: Float64Array, width: number) => {
  const scores = new Float64Array(rows * width)
  for (let d = 0; d < width; d++) {
    const direction = q.subarray(d * columns, (d + 1) * columns)
    let shift = 0
    for (let c = 0; c < columns; c++) shift += mean[c]! * direction[c]!
    for (let i = 0; i < rows; i++) {
      let sum = 0
      for (let c = 0, at = i * columns; c < columns; c++, at++) sum += values[at]! * direction[c]!
      scores[i * width + d] = sum - shift
    }
  }
  return scores
}

/** SᵀX, width × columns. The scores of each direction sum to zero, so X needs no centring here. */
const combine = ({ rows, columns, values }: Points, scores: Float64Array, width: number) => {
  const out = new Float64Array(width * columns)
  for (let i = 0; i < rows; i++)
    for (let d = 0; d < width; d++) {
      const score = scores[i * width + d]!
      for (let c = 0, from = i * columns, to = d * columns; c < columns; c++) out[to++]! += score * values[from++]!
    }
  return out
}

/** SᵀS, width × width. */
const gram = (scores: Float64Array, rows: number, width: number) => {
  const out = new Float64Array(width * width)
  for (let i = 0; i < rows; i++)
    for (let a = 0; a < width; a++)
      for (let b = 0; b < width; b++) out[a * width + b]! += scores[i * width + a]! * scores[i * width + b]!
  return out
}

/** A·B for A n × m and B m × k. */
const product = (a: Float64Array, n: number, m: number, b: Float64Array, k: number) => {
  const out = new Float64Array(n * k)
  for (let i = 0; i < n; i++)
    for (let j = 0; j < m; j++) {
      const factor = a[i * m + j]!
      for (let c = 0; c < k; c++) out[i * k + c]! += factor * b[j * k + c]!
    }
  return out
}

/** Rows made orthonormal by Gram–Schmidt, done twice for accuracy; a row that depends on those above becomes zero. */
const orthonormal = (q: Float64Array, width: number, columns: number): Float64Array => {
  for (let d = 0; d < width; d++) {
    const row = q.subarray(d * columns, (d + 1) * columns)
    const length = norm(row)
    for (let pass = 0; pass < 2; pass++)
      for (let e = 0; e < d; e++) {
        const other = q.subarray(e * columns, (e + 1) * columns)
        let dot = 0
        for (let c = 0; c < columns; c++) dot += row[c]! * other[c]!
        for (let c = 0; c < columns; c++) row[c]! -= dot * other[c]!
      }
    const left = norm(row)
    const scale = left > 1e-12 * length ? 1 / left : 0
    for (let c = 0; c < columns; c++) row[c]! *= scale
  }
  return q
}

const norm = (row: Float64Array) => Math.sqrt(row.reduce((sum, v) => sum + v * v, 0))

/** Rows flipped so that the entry of largest magnitude is positive. */
const signed = (q: Float64Array, width: number, columns: number): Float64Array => {
  for (let d = 0; d < width; d++) {
    const row = q.subarray(d * columns, (d + 1) * columns)
    const largest = row.reduce((best, v) => (Math.abs(v) > Math.abs(best) ? v : best), 0)
    if (largest < 0) for (let c = 0; c < columns; c++) row[c]! *= -1
  }
  return q
}
