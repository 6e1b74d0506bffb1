import { EspalierError } from '../../../base/index.ts'
import { diagonalize } from './implicit.ts'
import { tridiagonal, turnBack } from './tridiagonal.ts'

/**
 * Eigenvectors of a symmetric matrix of n·n numbers as columns, by falling eigenvalue, in float32: Householder reflections
 * to tridiagonal form, then implicit QL. Where eigenvalues coincide any basis of their space is right, and rounding picks
 * one. SOAP meets that at its first step, for G Gᵀ of a single gradient is often singular, and from there on its path
 * depends on the pick. So every operation is done and rounded in the order of LAPACK's ssyevd over OpenBLAS 0.3.21 (AVX2),
 * which PyTorch on a CPU calls: for matrices of up to 10 rows the basis is the same, beyond them just as good a one.
 * @throws EspalierError when the matrix is not finite.
 */
export const eigenvectors = (symmetric: Float32Array, n: number): Float32Array => {
  if (!symmetric.every(Number.isFinite)) throw new EspalierError('a matrix that is not finite has no eigenvectors')
  const reduced = tridiagonal(symmetric, n)
  const vectors = new Float32Array(n * n)
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1
  const values = reduced.diagonal.slice()
  diagonalize(values, reduced.beside.slice(), vectors, n)
  turnBack(reduced, vectors, n)
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => values[j]! - values[i]!)
  const sorted = new Float32Array(n * n)
  for (let i = 0; i < n; i++) for (const [j, from] of order.entries()) sorted[i * n + j] = vectors[i * n + from]!
  return sorted
}
