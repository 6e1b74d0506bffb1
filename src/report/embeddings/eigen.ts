/** Eigenvalues, largest first, with their eigenvectors as rows: `vectors[k * n + i]` is entry i of the k-th. */
export type Eigen = { readonly values: Float64Array; readonly vectors: Float64Array }

/**
 * All eigenpairs of a small symmetric matrix (n × n, row-major) by cyclic Jacobi rotations
 * (Golub and Van Loan, Matrix Computations, §8.5): each rotation zeroes one off-diagonal entry, and sweeps over all of
 * them converge quadratically.
 */
export const symmetricEigen = (matrix: Float64Array, n: number): Eigen => {
  const a = matrix.slice()
  const v = new Float64Array(n * n)
  for (let i = 0; i < n; i++) v[i * n + i] = 1

  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0
    let on = 0
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        if (i === j) on += a[i * n + j]! ** 2
        else off += a[i * n + j]! ** 2
      }
    if (off <= 1e-30 * on) break
    for (let p = 0; p < n - 1; p++) for (let q = p + 1; q < n; q++) rotate(a, v, n, p, q)
  }

  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[j * n + j]! - a[i * n + i]!)
  const values = Float64Array.from(order, (i) => a[i * n + i]!)
  const vectors = new Float64Array(n * n)
  order.forEach((i, row) => {
    vectors.set(v.subarray(i * n, (i + 1) * n), row * n)
  })
  return { values, vectors }
}

/** a ← JᵀaJ with the rotation of the (p, q) plane that makes a[p][q] zero; the rows of v gather the rotations. */
const rotate = (a: Float64Array, v: Float64Array, n: number, p: number, q: number): void => {
  const apq = a[p * n + q]!
  if (apq === 0) return
  // t = tan of the angle: the smaller root of t² + 2τt − 1 = 0, τ = (a_qq − a_pp) / 2a_pq.
  const tau = (a[q * n + q]! - a[p * n + p]!) / (2 * apq)
  const t = (tau >= 0 ? 1 : -1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau))
  const c = 1 / Math.sqrt(1 + t * t)
  const s = t * c
  for (let k = 0; k < n; k++) {
    const kp = a[k * n + p]!
    const kq = a[k * n + q]!
    a[k * n + p] = c * kp - s * kq
    a[k * n + q] = s * kp + c * kq
  }
  for (let k = 0; k < n; k++) {
    const pk = a[p * n + k]!
    const qk = a[q * n + k]!
    a[p * n + k] = c * pk - s * qk
    a[q * n + k] = s * pk + c * qk
    const vp = v[p * n + k]!
    const vq = v[q * n + k]!
    v[p * n + k] = c * vp - s * vq
    v[q * n + k] = s * vp + c * vq
  }
}
