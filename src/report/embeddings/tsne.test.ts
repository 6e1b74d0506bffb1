import { describe, expect, test } from 'vitest'
import { random } from '../../base/index.ts'
import { conditionalSimilarities } from './affinities.ts'
import { barnesHutForces, neighbourSimilarities, type SparseSimilarities } from './barnes-hut.ts'
import { exactForces, pairSimilarities } from './exact.ts'
import { nearestNeighbours } from './neighbours.ts'
import { squaredDistance } from './points.ts'
import { type TsneEvent, tsne } from './tsne.ts'
import type { Plane, Points } from './types.ts'

/** `each` points about each of three centres, 8 apart in 10 dimensions. */
const clusters = (each: number, seed = 0) => {
  const generator = random(seed)
  const labels = Array.from({ length: 3 * each }, (_, i) => i % 3)
  const values = Float64Array.from(
    labels.flatMap((label) => Array.from({ length: 10 }, (_, c) => generator.normal() + (c === label ? 8 : 0))),
  )
  return { points: { rows: 3 * each, columns: 10, values } satisfies Points, labels }
}

const scattered = (n: number, seed: number): Plane => {
  const generator = random(seed)
  const axis = () => Float64Array.from({ length: n }, () => 3 * generator.normal())
  return { x: axis(), y: axis() }
}

/** Share of points whose nearest other point on the map has the same label. */
const agreement = ({ x, y }: Plane, labels: number[]) =>
  labels.filter((label, i) => {
    let best = -1
    for (let j = 0; j < labels.length; j++)
      if (
        j !== i &&
        (best < 0 || Math.hypot(x[j]! - x[i]!, y[j]! - y[i]!) < Math.hypot(x[best]! - x[i]!, y[best]! - y[i]!))
      )
        best = j
    return labels[best] === label
  }).length / labels.length

describe('similarities', () => {
  test('every row reaches the perplexity asked for, whatever the scale of the distances', () => {
    for (const scale of [1e-6, 1, 1e6]) {
      const { points } = clusters(40)
      const out = new Float64Array(120)
      for (let i = 0; i < 120; i++) {
        const distances = Float64Array.from({ length: 120 }, (_, j) => scale * squaredDistance(points, i, j))
        expect(conditionalSimilarities(distances, 30, out, i)).toBeCloseTo(30, 6)
        // And the perplexity it reports is that of what it wrote.
        const entropy = -out.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), 0)
        expect(Math.exp(entropy)).toBeCloseTo(30, 6)
        expect(out[i]).toBe(0)
      }
    }
  })

  test('sum to one over ordered pairs, exact and by neighbours', () => {
    const { points } = clusters(50)
    expect(2 * pairSimilarities(points, 30).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12)
    expect(neighbourSimilarities(points, 10, 0).values.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12)
  })

  test('the vantage-point tree finds the same neighbours as looking at all points', () => {
    const { points } = clusters(40, 3)
    const { indices, distances } = nearestNeighbours(points, 7, 1)
    for (let i = 0; i < points.rows; i++) {
      const all = Array.from({ length: points.rows }, (_, j) => j)
        .filter((j) => j !== i)
        .sort((a, b) => squaredDistance(points, i, a) - squaredDistance(points, i, b))
      expect([...indices.subarray(i * 7, i * 7 + 7)]).toEqual(all.slice(0, 7))
      expect(distances[i * 7]).toBeCloseTo(squaredDistance(points, i, all[0]!), 9)
    }
  })
})

/** The exact pairs in the sparse form, so that both methods see the same P. */
const sparse = (pairs: Float64Array, n: number): SparseSimilarities => {
  const rows: [number, number][][] = Array.from({ length: n }, () => [])
  for (let i = 0, k = 0; i < n; i++)
    for (let j = i + 1; j < n; j++, k++) {
      rows[i]!.push([j, pairs[k]!])
      rows[j]!.push([i, pairs[k]!])
    }
  return {
    starts: Int32Array.from({ length: n + 1 }, (_, i) => i * (n - 1)),
    columns: Int32Array.from(rows.flat().map(([j]) => j)),
    values: Float64Array.from(rows.flat().map(([, p]) => p)),
  }
}

describe('forces', () => {
  const n = 60
  const { points } = clusters(20)
  const pairs = pairSimilarities(points, 15)
  const out: Plane = { x: new Float64Array(n), y: new Float64Array(n) }

  test.each([
    ['exact', exactForces(pairs, n)],
    ['Barnes–Hut with θ = 0', barnesHutForces(sparse(pairs, n), 0)],
  ])('%s: the gradient is that of the divergence by finite differences', (_, forces) => {
    const map = scattered(n, 2)
    forces.gradient(map, 1, out)
    const h = 1e-5
    for (let i = 0; i < n; i++)
      for (const axis of ['x', 'y'] as const) {
        const at = map[axis][i]!
        map[axis][i] = at + h
        const above = forces.divergence(map)
        map[axis][i] = at - h
        const below = forces.divergence(map)
        map[axis][i] = at
        expect(out[axis][i]).toBeCloseTo((above - below) / (2 * h), 8)
      }
  })

  test('Barnes–Hut with θ = 0.5 is within 2 % of exact, coinciding points included', () => {
    const map = scattered(n, 4)
    map.x[7] = map.x[3]!
    map.y[7] = map.y[3]!
    exactForces(pairs, n).gradient(map, 1, out)
    const near: Plane = { x: new Float64Array(n), y: new Float64Array(n) }
    barnesHutForces(sparse(pairs, n), 0.5).gradient(map, 1, near)
    const size = Math.hypot(...out.x, ...out.y)
    const error = Math.hypot(...out.x.map((v, i) => v - near.x[i]!), ...out.y.map((v, i) => v - near.y[i]!))
    expect(error / size).toBeLessThan(0.02)
  })
})

describe('tsne', () => {
  test.each(['exact', 'barnes-hut'] as const)('%s: three clusters come apart and the divergence falls', (method) => {
    const { points, labels } = clusters(60)
    const events: TsneEvent[] = []
    const map = tsne(points, { method, iterations: 400, onEvent: (event) => events.push(event) })
    expect(agreement(map, labels)).toBe(1)
    expect(events.map((event) => event.iteration)).toEqual([50, 100, 150, 200, 250, 300, 350, 400])
    const after = events.filter((event) => event.iteration > 100).map((event) => event.divergence)
    for (let k = 1; k < after.length; k++) expect(after[k]).toBeLessThanOrEqual(after[k - 1]! + 1e-3)
    expect(map.divergence).toBeLessThan(0.5 * events[0]!.divergence)
  })

  test('the same seed gives the same map, to the bit', () => {
    const { points } = clusters(20)
    const options = { perplexity: 10, iterations: 60, start: 'random', seed: 3 } as const
    expect(tsne(points, options)).toEqual(tsne(points, options))
    expect(tsne(points, { ...options, seed: 4 }).x).not.toEqual(tsne(points, options).x)
  })

  test('a map may start from another of the same points, and keeps its orientation', () => {
    const { points, labels } = clusters(30)
    const first = tsne(points, { perplexity: 10, iterations: 300 })
    const second = tsne(points, { perplexity: 10, iterations: 300, start: first })
    expect(agreement(second, labels)).toBe(1)
    const angle = (map: Plane) => {
      const centre = (axis: Float64Array, label: number) =>
        axis.filter((_, i) => labels[i] === label).reduce((a, b) => a + b, 0)
      return Math.atan2(centre(map.y, 1) - centre(map.y, 0), centre(map.x, 1) - centre(map.x, 0))
    }
    expect(Math.cos(angle(first) - angle(second))).toBeGreaterThan(0.9)
  })

  test('bad input is refused in one line', () => {
    const { points } = clusters(10)
    expect(() => tsne(points)).toThrow('a perplexity of 30 needs more than 30 points and there are 30')
    expect(() => tsne({ rows: 40, columns: 1, values: new Float64Array(40).fill(Number.NaN) })).toThrow(
      /row 0, column 0/,
    )
    expect(() => tsne(points, { perplexity: 5, start: scattered(7, 0) })).toThrow(/7 positions for 30 points/)
  })

  test('points that all coincide give a finite map', () => {
    const map = tsne({ rows: 40, columns: 3, values: new Float64Array(120) }, { iterations: 40 })
    expect(map.x.every(Number.isFinite)).toBe(true)
  })
})
