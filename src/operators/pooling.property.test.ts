import fc from 'fast-check'
import { test } from 'vitest'
import { checkGradient } from './testing/check.ts'
import { expectSmall } from './testing/gradients.ts'

// Any windows the engine accepts: overlapping, tiling or apart, padded, hanging over the edge.

const axis = fc
  .record({
    kernel: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 4 }),
    begin: fc.integer({ min: 0, max: 2 }),
    end: fc.integer({ min: 0, max: 2 }),
    more: fc.integer({ min: 0, max: 4 }),
  })
  .map((a) => {
    // Padding must be narrower than the kernel.
    const [begin, end] = [Math.min(a.begin, a.kernel - 1), Math.min(a.end, a.kernel - 1)]
    return { ...a, begin, end, size: Math.max(a.kernel - begin - end, 1) + a.more }
  })

const windows = fc.record({
  axes: fc.array(axis, { minLength: 1, maxLength: 2 }),
  batch: fc.integer({ min: 1, max: 2 }),
  channels: fc.integer({ min: 1, max: 2 }),
  ceilMode: fc.integer({ min: 0, max: 1 }),
  includePad: fc.integer({ min: 0, max: 1 }),
})

const check = (op: 'MaxPool' | 'AveragePool' | 'LpPool') =>
  fc.assert(
    fc.asyncProperty(windows, async ({ axes, batch, channels, ceilMode, includePad }) => {
      const dims = [batch, channels, ...axes.map((a) => a.size)]
      const errors = await checkGradient({
        op,
        name: 'at random',
        inputs: { X: { dims, apart: 0.3 } },
        attributes: {
          kernel_shape: axes.map((a) => a.kernel),
          strides: axes.map((a) => a.stride),
          pads: [...axes.map((a) => a.begin), ...axes.map((a) => a.end)],
          // ONNX Runtime's LpPool keeps a last window that starts past the input, which ONNX says it drops.
          ceil_mode: op === 'LpPool' ? 0 : ceilMode,
          ...(op === 'AveragePool' ? { count_include_pad: includePad } : {}),
        },
        opset: 19,
      })
      expectSmall(errors)
    }),
    { numRuns: 80 },
  )

test.each(['MaxPool', 'AveragePool', 'LpPool'] as const)('%s, whatever its windows', check)
