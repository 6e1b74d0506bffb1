import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { OperatorCase } from './cases/types.ts'
import { checkGradient } from './testing/check.ts'
import { expectSmall } from './testing/gradients.ts'

// Any geometry the engine accepts, not only the table's: batch, groups, kernel, stride, dilation and padding at random.

const axis = fc
  .record({
    kernel: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    begin: fc.integer({ min: 0, max: 2 }),
    end: fc.integer({ min: 0, max: 2 }),
    more: fc.integer({ min: 0, max: 4 }),
  })
  .map((a) => {
    const span = (a.kernel - 1) * a.dilation + 1
    return { ...a, size: Math.max(span - a.begin - a.end, 1) + a.more }
  })

const geometry = fc.record({
  axes: fc.array(axis, { minLength: 1, maxLength: 2 }),
  batch: fc.integer({ min: 1, max: 2 }),
  groups: fc.integer({ min: 1, max: 3 }),
  per: fc.integer({ min: 1, max: 2 }),
  made: fc.integer({ min: 1, max: 2 }),
})

type Geometry = typeof geometry extends fc.Arbitrary<infer G> ? G : never

const caseOf = (op: 'Conv' | 'ConvTranspose', { axes, batch, groups, per, made }: Geometry): OperatorCase => {
  const kernel = axes.map((a) => a.kernel)
  const [rows, columns] = op === 'Conv' ? [groups * made, per] : [groups * per, made]
  return {
    op,
    name: 'at random',
    inputs: {
      X: [batch, groups * per, ...axes.map((a) => a.size)],
      W: [rows, columns, ...kernel],
      B: [groups * made],
    },
    attributes: {
      group: groups,
      strides: axes.map((a) => a.stride),
      dilations: axes.map((a) => a.dilation),
      pads: [...axes.map((a) => a.begin), ...axes.map((a) => a.end)],
    },
  }
}

test('Conv, whatever its geometry', async () => {
  await fc.assert(
    fc.asyncProperty(geometry, async (g) => expectSmall(await checkGradient(caseOf('Conv', g)))),
    { numRuns: 60 },
  )
})

test('ConvTranspose, whatever its geometry', async () => {
  let checked = 0
  await fc.assert(
    fc.asyncProperty(geometry, async (g) => {
      // Padding may not crop away all of an output.
      fc.pre(g.axes.every((a) => (a.size - 1) * a.stride + (a.kernel - 1) * a.dilation + 1 > a.begin + a.end))
      checked++
      expectSmall(await checkGradient(caseOf('ConvTranspose', g)))
    }),
    { numRuns: 60 },
  )
  expect(checked).toBeGreaterThan(30)
})
