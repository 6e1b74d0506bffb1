/** Square matrices as n·n numbers, row by row. */
export type Matrix = Float64Array

/**
 * Eigenvectors of a symmetric matrix as columns, by falling eigenvalue. Cyclic Jacobi rotations, each of which clears one
 * off-diagonal pair, until what is left is below rounding. Golub and Van Loan: Matrix Computations, §8.5.
 */
export const eigenvectors = (symmetric: Matrix, n: number): Matrix => {
  const a = symmetric.slice()
  const v = identity(n)
  const total = a.reduce((sum, x) => sum + x * x, 0)
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0
    for (let p = 0; p < n; p++) for (let q = 0; q < p; q++) off += a[p * n + q]! ** 2
    if (off <= 1e-30 * total) break
    for (let p = 0; p < n - 1; p++) for (let q = p + 1; q < n; q++) rotate(a, v, n, p, q)
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[j * n + j]! - a[i * n + i]!)
  return selectColumns(v, n, order)
}

const rotate = (a: Matrix, v: Matrix, n: number, p: number, q: number): void => {
  const apq = a[p * n + q]!
  if (apq === 0) return
  const theta = (a[q * n + q]! - a[p * n + p]!) / (2 * apq)
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.hypot(1, theta))
  const c = 1 / Math.hypot(1, t)
  const s = t * c
  for (let k = 0; k < n; k++) {
    const [kp, kq] = [a[k * n + p]!, a[k * n + q]!]
    a[k * n + p] = c * kp - s * kq
    a[k * n + q] = s * kp + c * kq
  }
  for (let k = 0; k < n; k++) {
    const [pk, qk] = [a[p * n + k]!, a[q * n + k]!]
    a[p * n + k] = c * pk - s * qk
    a[q * n + k] = s * pk + c * qk
    const [vp, vq] = [v[k * n + p]!, v[k * n + q]!]
    v[k * n + p] = c * vp - s * vq
    v[k * n + q] = s * vp + c * vq
  }
}

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
