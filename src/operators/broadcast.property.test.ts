import fc from 'fast-check'
import { test } from 'vitest'
import { int64 } from '../base/index.ts'
import { checkGradient } from './testing/check.ts'
import { expectSmall } from './testing/gradients.ts'

// Elementwise operators and reductions over any shapes.

/** Two shapes that broadcast to one: axes set to 1 or left out in front. */
const pair = fc
  .array(fc.record({ size: fc.integer({ min: 1, max: 3 }), a: fc.boolean(), b: fc.boolean() }), { maxLength: 4 })
  .chain((axes) =>
    fc.record({
      a: fc.constant(axes.map(({ size, a }) => (a ? size : 1))),
      b: fc.constant(axes.map(({ size, b }) => (b ? size : 1))),
      without: fc.integer({ min: 0, max: axes.length }),
      second: fc.boolean(),
    }),
  )
  .map(({ a, b, without, second }) => (second ? { a, b: b.slice(without) } : { a: a.slice(without), b }))

test.each(['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Max', 'Min'])('%s, whatever it stretches', async (op) => {
  await fc.assert(
    fc.asyncProperty(pair, async ({ a, b }) => {
      const inputs =
        op === 'Max' || op === 'Min'
          ? { A: { dims: a, apart: 0.31 }, B: { dims: b, apart: 0.17 } }
          : { A: { dims: a, low: 0.5, high: 2 }, B: { dims: b, low: 0.5, high: 2 } }
      expectSmall(await checkGradient({ op, name: 'at random', inputs }))
    }),
    { numRuns: 15 },
  )
})

const reduction = fc
  .array(fc.record({ size: fc.integer({ min: 1, max: 3 }), over: fc.boolean() }), { minLength: 1, maxLength: 4 })
  .chain((axes) =>
    fc.record({
      dims: fc.constant(axes.map(({ size }) => size)),
      over: fc.constant(axes.flatMap(({ over }, axis) => (over ? [axis] : []))),
      fromEnd: fc.boolean(),
      keepdims: fc.integer({ min: 0, max: 1 }),
      noop: fc.integer({ min: 0, max: 1 }),
    }),
  )

test.each([
  'ReduceSum',
  'ReduceMean',
  'ReduceMax',
  'ReduceMin',
  'ReduceProd',
  'ReduceL1',
  'ReduceL2',
  'ReduceLogSum',
  'ReduceLogSumExp',
  'ReduceSumSquare',
])('%s, whatever axes it runs over', async (op) => {
  await fc.assert(
    fc.asyncProperty(reduction, async ({ dims, over, fromEnd, keepdims, noop }) => {
      const positive = op === 'ReduceLogSum' || op === 'ReduceProd'
      const axes = over.map((axis) => (fromEnd ? axis - dims.length : axis))
      const errors = await checkGradient({
        op,
        name: 'at random',
        inputs: { X: positive ? { dims, low: 0.5, high: 2 } : { dims, apart: 0.13 }, axes: int64([axes.length], axes) },
        // Over no axes at all ONNX Runtime's other reductions leave out their function too.
        attributes: { keepdims, noop_with_empty_axes: op === 'ReduceSum' ? noop : 0 },
        opset: 18,
      })
      expectSmall(errors)
    }),
    { numRuns: 12 },
  )
})
