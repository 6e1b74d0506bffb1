import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { random } from '../../../base/index.ts'
import { eigenvectors } from './index.ts'

/** c·GᵀG for m rows of n numbers, rounded as SOAP's first covariance is. */
const gram = (rows: readonly (readonly number[])[], n: number): Float32Array => {
  const f = Math.fround
  const out = new Float32Array(n * n)
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++)
      out[i * n + j] = f(0.05) * rows.reduce((sum, row) => f(sum + f(row[i]!) * f(row[j]!)), 0)
  return out
}

const column = (q: Float32Array, n: number, k: number) => Array.from({ length: n }, (_, i) => q[i * n + k]!)
const inner = (x: readonly number[], y: readonly number[]) => x.reduce((sum, value, i) => sum + value * y[i]!, 0)

describe('eigenvectors of a symmetric matrix', () => {
  test('are orthonormal, by falling eigenvalue, and satisfy Av = λv, whatever size, rank and scale', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 45 }),
        fc.integer({ min: -9, max: 3 }),
        fc.nat(1000),
        (n, m, power, seed) => {
          const source = random(seed)
          const rows = Array.from({ length: m }, () => Array.from({ length: n }, () => 10 ** power * source.normal()))
          const a = gram(rows, n)
          const q = eigenvectors(a, n)
          const size = Math.max(...a.map(Math.abs)) * n
          let before = Number.POSITIVE_INFINITY
          for (let k = 0; k < n; k++) {
            const v = column(q, n, k)
            const image = Array.from({ length: n }, (_, i) => inner([...a.subarray(i * n, (i + 1) * n)], v))
            const value = inner(v, image)
            expect(value).toBeLessThan(before + 1e-5 * size)
            before = value
            for (let i = 0; i < n; i++) expect(Math.abs(image[i]! - value * v[i]!)).toBeLessThan(1e-5 * size)
            for (let l = 0; l <= k; l++) expect(inner(v, column(q, n, l))).toBeCloseTo(l === k ? 1 : 0, 4)
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  test.each([
    ['the unit matrix', [1, 0, 0, 1], [1, 0, 0, 1]],
    ['a diagonal one', [2, 0, 0, 3], [0, 1, 1, 0]],
    ['nothing', [0, 0, 0, 0], [1, 0, 0, 1]],
  ])('of %s', (_, a, expected) => {
    expect([...eigenvectors(Float32Array.from(a), 2)].map(Math.abs)).toEqual(expected)
  })

  // Recorded from torch.linalg.eigh, PyTorch 1.13 over OpenBLAS 0.3.21; signs are free.
  test.each([
    {
      rows: [
        [1, 2, 0, -1],
        [3, 1, -2, 2],
      ],
      nullSpace: [
        [0.043565, -0.329467, -0.714755, -0.615369],
        [-0.672791, 0.474115, -0.49669, 0.275439],
      ],
    },
    {
      rows: [[0.1, 0.2, 0.3, 0.4, 0.5]],
      nullSpace: [
        [0.006761, -0.615187, -0.361122, -0.244283, 0.656822],
        [-0.973529, -0.083361, 0.049654, 0.203951, 0.035097],
        [0.03895, 0.266136, -0.823893, 0.498503, -0.018711],
        [0.180271, -0.686323, 0.157129, 0.59943, -0.335346],
      ],
    },
  ])('span the null space of a singular one as LAPACK does', ({ rows, nullSpace }) => {
    const n = rows[0]!.length
    const q = eigenvectors(gram(rows, n), n)
    for (const [k, expected] of nullSpace.entries())
      expect(Math.abs(inner(column(q, n, rows.length + k), expected))).toBeCloseTo(1, 5)
  })

  test('that is not finite is refused', () => {
    expect(() => eigenvectors(Float32Array.of(1, Number.NaN, Number.NaN, 1), 2)).toThrow(
      /not finite has no eigenvectors/,
    )
  })
})
