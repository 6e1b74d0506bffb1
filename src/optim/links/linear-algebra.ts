/** Square matrices as n·n numbers, row by row. */
export type Matrix = Float64Array

/** The orthogonal factor of a QR factorisation, by Householder reflections. Golub and Van Loan, §5.2. */
export const orthogonalFactor = (matrix: Matrix, n: number): Matrix => {
  const r = matrix.slice()
  const q = identity(n)
  const w = new Float64Array(n)
  for (let j = 0; j < n - 1; j++) {
    let norm = 0
    for (let i = j; i < n; i++) norm += r[i * n + j]! ** 2
    norm = Math.sqrt(norm)
    if (norm === 0) continue
    const alpha = r[j * n + j]! > 0 ? -norm : norm
    let size = 0
    for (let i = j; i < n; i++) {
      w[i] = r[i * n + j]! - (i === j ? alpha : 0)
      size += w[i]! ** 2
    }
    if (size === 0) continue
    for (let k = j; k < n; k++) {
      let dot = 0
      for (let i = j; i < n; i++) dot += w[i]! * r[i * n + k]!
      for (let i = j; i < n; i++) r[i * n + k]! -= (2 * dot * w[i]!) / size
    }
    for (let k = 0; k < n; k++) {
      let dot = 0
      for (let i = j; i < n; i++) dot += w[i]! * q[k * n + i]!
      for (let i = j; i < n; i++) q[k * n + i]! -= (2 * dot * w[i]!) / size
    }
  }
  return q
}

export const identity = (n: number): Matrix => {
  const m = new Float64Array(n * n)
  for (let i = 0; i < n; i++) m[i * n + i] = 1
  return m
}

export const multiply = (x: Matrix, y: Matrix, n: number): Matrix => {
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++)
    for (let k = 0; k < n; k++) {
      const factor = x[i * n + k]!
      for (let j = 0; j < n; j++) out[i * n + j]! += factor * y[k * n + j]!
    }
  return out
}

export const selectColumns = (matrix: Matrix, n: number, order: readonly number[]): Matrix => {
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++) for (const [j, from] of order.entries()) out[i * n + j] = matrix[i * n + from]!
  return out
}
