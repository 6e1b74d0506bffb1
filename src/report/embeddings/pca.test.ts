import { expect, test } from 'vitest'
import { random, UsageError } from '../../base/index.ts'
import { symmetricEigen } from './eigen.ts'
import { pca } from './pca.ts'

test('symmetricEigen finds the pairs of a matrix worked by hand', () => {
  // [[2, 1], [1, 2]]: 3 along (1, 1), 1 along (1, −1).
  const { values, vectors } = symmetricEigen(Float64Array.of(2, 1, 1, 2), 2)
  expect([...values]).toEqual([expect.closeTo(3, 12), expect.closeTo(1, 12)])
  expect(Math.abs(vectors[0]! * vectors[1]!)).toBeCloseTo(0.5, 12)
  expect(vectors[2]! * vectors[3]!).toBeCloseTo(-0.5, 12)
})

test('symmetricEigen rebuilds a random matrix: A = Σ λ v vᵀ', () => {
  const n = 12
  const generator = random(1)
  const half = Float64Array.from({ length: n * n }, () => generator.normal())
  const a = half.map((v, k) => v + half[(k % n) * n + Math.floor(k / n)]!)
  const { values, vectors } = symmetricEigen(a, n)
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0
      for (let k = 0; k < n; k++) sum += values[k]! * vectors[k * n + i]! * vectors[k * n + j]!
      expect(sum).toBeCloseTo(a[i * n + j]!, 10)
    }
})

test('pca recovers known directions and variances', () => {
  // Points ±a·u ± b·v + mean, u and v orthonormal: the directions are u and v, the variances 4a²/3 and 4b²/3.
  const u = [0.6, 0, 0.8, 0, 0]
  const v = [0, 1, 0, 0, 0]
  const mean = [10, -3, 0.5, 7, 1]
  const rows = [
    [5, 2],
    [5, -2],
    [-5, 2],
    [-5, -2],
  ].map(([a, b]) => mean.map((m, c) => m + a! * u[c]! + b! * v[c]!))
  const result = pca({ rows: 4, columns: 5, values: Float64Array.from(rows.flat()) })
  expect([...result.variances]).toEqual([expect.closeTo(100 / 3, 9), expect.closeTo(16 / 3, 9)])
  u.concat(v).forEach((value, i) => {
    expect(result.directions.values[i]).toBeCloseTo(value, 9)
  })
  expect([...result.projected.values]).toEqual([5, 2, 5, -2, -5, 2, -5, -2].map((value) => expect.closeTo(value, 9)))
  expect([...result.mean]).toEqual(mean.map((m) => expect.closeTo(m, 9)))
})

test('pca agrees with the eigenvectors of the covariance matrix on correlated data', () => {
  const [rows, columns] = [200, 30]
  const generator = random(5)
  const mix = Float64Array.from({ length: columns * columns }, () => generator.normal())
  const values = new Float64Array(rows * columns)
  for (let i = 0; i < rows; i++) {
    const source = Array.from({ length: columns }, (_, k) => generator.normal() / (1 + k))
    for (let c = 0; c < columns; c++)
      values[i * columns + c] = source.reduce((s, z, k) => s + z * mix[k * columns + c]!, 0)
  }
  const result = pca({ rows, columns, values }, { components: 3 })
  const covariance = new Float64Array(columns * columns)
  for (let i = 0; i < rows; i++)
    for (let a = 0; a < columns; a++)
      for (let b = 0; b < columns; b++)
        covariance[a * columns + b]! +=
          ((values[i * columns + a]! - result.mean[a]!) * (values[i * columns + b]! - result.mean[b]!)) / (rows - 1)
  const eigen = symmetricEigen(covariance, columns)
  for (let k = 0; k < 3; k++) {
    expect(result.variances[k]! / eigen.values[k]!).toBeCloseTo(1, 9)
    let dot = 0
    for (let c = 0; c < columns; c++)
      dot += result.directions.values[k * columns + c]! * eigen.vectors[k * columns + c]!
    expect(Math.abs(dot)).toBeCloseTo(1, 6)
  }
})

test('a component beyond the rank of the data is zero, and asking for too many is refused', () => {
  const line = { rows: 3, columns: 3, values: Float64Array.of(0, 0, 0, 1, 2, 2, 2, 4, 4) }
  const result = pca(line)
  expect(result.variances[0]).toBeCloseTo(9, 9)
  expect(result.variances[1]).toBeCloseTo(0, 9)
  expect(() => pca(line, { components: 4 })).toThrow(UsageError)
  expect(() => pca({ ...line, values: new Float64Array(4) })).toThrow(/3 points of 3 columns take 9 values/)
})
