import { describe, expect, test } from 'vitest'
import { EspalierError, random } from '../base/index.ts'
import {
  constant,
  fansOf,
  heNormal,
  heUniform,
  type Initializer,
  lecunNormal,
  lecunUniform,
  normal,
  ones,
  orthogonal,
  pytorchBias,
  pytorchWeight,
  truncatedNormal,
  uniform,
  xavierNormal,
  xavierUniform,
  zeros,
} from './init.ts'

const statistics = (values: Float32Array) => {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length
  return { mean, std: Math.sqrt(variance), largest: values.reduce((most, x) => Math.max(most, Math.abs(x)), 0) }
}

test('fans count the kernel, and channels within a group', () => {
  expect(fansOf([16, 3, 5, 5])).toEqual({ fanIn: 75, fanOut: 400 })
  expect(fansOf([10, 1568])).toEqual({ fanIn: 1568, fanOut: 10 })
  expect(fansOf([7])).toEqual({ fanIn: 1, fanOut: 7 })
})

// 80 000 values: the mean is within std / 283 and the deviation within std / 400, each for one standard error.
const conv = [200, 100, 2, 2]
const [fanIn, fanOut] = [400, 800]

describe.each<{ name: string; init: Initializer; std: number; bound?: number }>([
  { name: 'xavierUniform', init: xavierUniform(), std: Math.sqrt(2 / 1200), bound: Math.sqrt(6 / 1200) },
  {
    name: 'xavierUniform, gain 2',
    init: xavierUniform({ gain: 2 }),
    std: 2 * Math.sqrt(2 / 1200),
    bound: 2 * Math.sqrt(6 / 1200),
  },
  { name: 'xavierNormal', init: xavierNormal(), std: Math.sqrt(2 / (fanIn + fanOut)) },
  { name: 'heUniform', init: heUniform(), std: Math.sqrt(2 / fanIn), bound: Math.sqrt(6 / fanIn) },
  { name: 'heNormal', init: heNormal(), std: Math.sqrt(2 / fanIn) },
  { name: 'heNormal, fan out', init: heNormal({ fan: 'out' }), std: Math.sqrt(2 / fanOut) },
  { name: 'heNormal, slope 1', init: heNormal({ slope: 1 }), std: Math.sqrt(1 / fanIn) },
  { name: 'heNormal, gain 3', init: heNormal({ gain: 3 }), std: 3 / Math.sqrt(fanIn) },
  { name: 'lecunNormal', init: lecunNormal, std: Math.sqrt(1 / fanIn) },
  { name: 'lecunUniform', init: lecunUniform, std: Math.sqrt(1 / fanIn), bound: Math.sqrt(3 / fanIn) },
  { name: 'truncatedNormal', init: truncatedNormal({ std: 0.5 }), std: 0.5 * 0.8796, bound: 1 },
  { name: 'pytorchWeight', init: pytorchWeight, std: 1 / Math.sqrt(3 * fanIn), bound: 1 / Math.sqrt(fanIn) },
  { name: 'pytorchBias', init: pytorchBias(fanIn), std: 1 / Math.sqrt(3 * fanIn), bound: 1 / Math.sqrt(fanIn) },
  { name: 'uniform', init: uniform(0.3), std: 0.3 / Math.sqrt(3), bound: 0.3 },
  { name: 'normal', init: normal(0.3), std: 0.3 },
])('$name', ({ init, std, bound }) => {
  const values = init(conv, random(7))
  const found = statistics(values)

  test('mean 0 and the standard deviation of the formula', () => {
    expect(values.length).toBe(80_000)
    expect(Math.abs(found.mean) / std).toBeLessThan(4 / 283)
    expect(Math.abs(found.std / std - 1)).toBeLessThan(4 / 400)
  })

  test('bounded as the formula says, or not at all', () => {
    if (bound === undefined) expect(found.largest).toBeGreaterThan(3.5 * std)
    else {
      expect(found.largest).toBeLessThanOrEqual(Math.fround(bound))
      expect(found.largest).toBeGreaterThan(0.99 * bound)
    }
  })

  test('repeats with its seed', () => {
    expect(init([3, 4], random(1))).toEqual(init([3, 4], random(1)))
    expect(init([3, 4], random(1))).not.toEqual(init([3, 4], random(2)))
  })
})

test('a truncated normal keeps its mean', () => {
  const { mean } = statistics(truncatedNormal({ mean: 3, std: 0.1 })(conv, random(0)))
  expect(mean).toBeCloseTo(3, 2)
})

test('constants', () => {
  expect([...zeros([2, 2], random(0))]).toEqual([0, 0, 0, 0])
  expect([...ones([3], random(0))]).toEqual([1, 1, 1])
  expect([...constant(0.5)([2], random(0))]).toEqual([0.5, 0.5])
})

describe('orthogonal', () => {
  test.each([[[8, 8]], [[6, 20]], [[20, 6]], [[4, 3, 3, 3]], [[40, 2, 3, 3]]])(
    '%j: WWᵀ = I on the shorter side',
    (dims) => {
      const values = orthogonal({ gain: 2 })(dims, random(3))
      const rows = dims[0]!
      const columns = values.length / rows
      const [count, length] = rows <= columns ? [rows, columns] : [columns, rows]
      const at = (vector: number, i: number) => values[rows <= columns ? vector * columns + i : i * columns + vector]!
      for (let a = 0; a < count; a++)
        for (let b = 0; b < count; b++) {
          let dot = 0
          for (let i = 0; i < length; i++) dot += at(a, i) * at(b, i)
          expect(dot).toBeCloseTo(a === b ? 4 : 0, 5)
        }
    },
  )

  test('a vector has no rows to be orthogonal', () => {
    expect(() => orthogonal()([5], random(0))).toThrow(EspalierError)
  })
})
