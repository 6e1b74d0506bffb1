import fc from 'fast-check'
import { test } from 'vitest'
import { float } from '../onnx/index.ts'
import type { OperatorCase } from './cases/types.ts'
import { checkGradient } from './testing/check.ts'
import { expectSmall } from './testing/gradients.ts'

// Normalizations of any shape. Rows of fewer than three differ too little from their mean to measure in single precision.

const geometry = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  groups: fc.integer({ min: 1, max: 2 }),
  per: fc.integer({ min: 1, max: 2 }),
  spatial: fc.array(fc.integer({ min: 2, max: 3 }), { minLength: 1, maxLength: 2 }),
  axis: fc.integer({ min: 1, max: 3 }),
  epsilon: fc.constantFrom(1e-5, 1e-2),
})

type Geometry = typeof geometry extends fc.Arbitrary<infer G> ? G : never

const cases: Readonly<Record<string, (g: Geometry) => Omit<OperatorCase, 'op' | 'name'>>> = {
  BatchNormalization: ({ batch, groups, per, spatial, epsilon }) => {
    const channels = [groups * per]
    const statistics = { mean: channels, var: { dims: channels, low: 0.5, high: 2 } }
    return {
      inputs: { X: [batch + 1, ...channels, ...spatial], scale: channels, B: channels, ...statistics },
      attributes: { epsilon: float(epsilon), training_mode: batch % 2 },
      outputs: batch % 2 === 1 ? 3 : 1,
    }
  },
  LayerNormalization: ({ batch, groups, per, spatial, axis, epsilon }) => {
    const dims = [batch, groups * per + 1, ...spatial.map((size) => size + 1)]
    const from = Math.min(axis, dims.length - 1)
    return {
      inputs: { X: dims, scale: dims.slice(from), B: dims.slice(from) },
      attributes: { axis: from, epsilon: float(epsilon) },
      type: 'float32',
    }
  },
  InstanceNormalization: ({ batch, groups, per, spatial, epsilon }) => ({
    inputs: { X: [batch, groups * per, 3, ...spatial], scale: [groups * per], B: [groups * per] },
    attributes: { epsilon: float(epsilon) },
  }),
  GroupNormalization: ({ batch, groups, per, spatial, epsilon }) => ({
    inputs: { X: [batch, groups * per, 3, ...spatial], scale: [groups * per], B: [groups * per] },
    attributes: { num_groups: groups, epsilon: float(epsilon) },
    opset: 21,
    type: 'float32',
  }),
  LRN: ({ batch, groups, per, spatial, axis }) => ({
    inputs: { X: [batch, groups * per, spatial[0]!, 2] },
    attributes: { size: 2 * axis - 1, alpha: float(0.3), beta: float(0.6), bias: float(1.5) },
    type: 'float32',
  }),
  LpNormalization: ({ batch, groups, per, spatial, axis }) => ({
    inputs: { X: { dims: [batch, groups * per, ...spatial], apart: 0.21 } },
    attributes: { axis: axis - 2, p: per },
  }),
  MeanVarianceNormalization: ({ batch, spatial, axis }) => ({
    inputs: { X: [batch, 3, ...spatial] },
    attributes: { axes: axis === 1 ? [0, 1] : [1] },
    type: 'float32',
  }),
}

test.each(Object.keys(cases))('%s, whatever its shape', async (op) => {
  await fc.assert(
    fc.asyncProperty(geometry, async (g) =>
      expectSmall(await checkGradient({ op, name: 'at random', ...cases[op]!(g) })),
    ),
    { numRuns: 15 },
  )
})
