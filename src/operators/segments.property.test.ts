import fc from 'fast-check'
import { test } from 'vitest'
import { float32, int64 } from '../base/index.ts'
import { checkGradient } from './testing/check.ts'
import { expectSmall } from './testing/gradients.ts'

// Slices, pads, resizing and Einsum over any shapes and bounds.

const list = (values: readonly number[]) => int64([values.length], values)

const cut = fc.record({
  size: fc.integer({ min: 1, max: 5 }),
  start: fc.integer({ min: -7, max: 7 }),
  end: fc.integer({ min: -7, max: 7 }),
  step: fc.constantFrom(-3, -2, -1, 1, 2, 3),
  named: fc.boolean(),
})

test('Slice, whatever its bounds', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(cut, { minLength: 1, maxLength: 3 }), fc.boolean(), async (axes, fromEnd) => {
      const named = axes.flatMap((a, axis) => (a.named ? [{ ...a, axis: fromEnd ? axis - axes.length : axis }] : []))
      fc.pre(named.length > 0)
      const inputs = {
        X: axes.map(({ size }) => size),
        starts: list(named.map(({ start }) => start)),
        ends: list(named.map(({ end }) => end)),
        axes: list(named.map(({ axis }) => axis)),
        steps: list(named.map(({ step }) => step)),
      }
      expectSmall(await checkGradient({ op: 'Slice', name: 'at random', inputs }))
    }),
    { numRuns: 40 },
  )
})

const padding = fc.record({
  size: fc.integer({ min: 2, max: 4 }),
  before: fc.integer({ min: 0, max: 1 }),
  after: fc.integer({ min: 0, max: 1 }),
  cropped: fc.integer({ min: 0, max: 1 }),
})

test.each([
  ['constant', 18],
  ['reflect', 18],
  ['edge', 18],
  ['wrap', 19],
] as const)('Pad by %s, whatever its pads', async (mode, opset) => {
  await fc.assert(
    fc.asyncProperty(fc.array(padding, { minLength: 1, maxLength: 3 }), async (axes) => {
      // ONNX Runtime crops by negative pads of a constant mode in any mixture; elsewhere pads stay positive.
      const crop = (n: number, cropped: number) => (mode === 'constant' && cropped ? -n : n)
      const pads = [...axes.map((a) => crop(a.before, a.cropped)), ...axes.map((a) => a.after)]
      const inputs = { X: axes.map(({ size }) => size), pads: list(pads), ...(mode === 'constant' && { value: [] }) }
      expectSmall(await checkGradient({ op: 'Pad', name: 'at random', inputs, attributes: { mode }, opset }))
    }),
    { numRuns: 15 },
  )
})

const sampling = fc.record({
  mode: fc.constantFrom('nearest', 'linear', 'cubic'),
  coordinates: fc.constantFrom('half_pixel', 'align_corners', 'asymmetric', 'pytorch_half_pixel'),
  nearest: fc.constantFrom('floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'),
  images: fc.tuple(fc.integer({ min: 2, max: 4 }), fc.integer({ min: 2, max: 4 })),
  factors: fc.tuple(fc.constantFrom(0.5, 1, 1.3, 2), fc.constantFrom(0.75, 1, 1.6, 3)),
  bySize: fc.boolean(),
})

test('Resize, whatever its factors', async () => {
  await fc.assert(
    fc.asyncProperty(sampling, async ({ mode, coordinates, nearest, images, factors, bySize }) => {
      const sizes = images.map((size, i) => Math.max(Math.floor(size * factors[i]!), 1))
      // A scale that moves positions and yet keeps the size is refused.
      fc.pre(bySize || images.every((size, i) => size !== sizes[i] || factors[i] === 1))
      const target = bySize
        ? { scales: undefined, sizes: list([1, 2, ...sizes]) }
        : { scales: float32([4], [1, 1, ...factors]) }
      const errors = await checkGradient({
        op: 'Resize',
        name: 'at random',
        inputs: { X: [1, 2, ...images], roi: undefined, ...target },
        attributes: { mode, coordinate_transformation_mode: coordinates, nearest_mode: nearest },
        opset: 18,
      })
      expectSmall(errors)
    }),
    { numRuns: 40 },
  )
})

/** Two terms over a few labels, none twice in a term, and an output of some of them. */
const equation = fc
  .record({
    sizes: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
    inA: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    inB: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    out: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    turned: fc.boolean(),
  })
  .map(({ sizes, inA, inB, out, turned }) => {
    const labels = [...sizes.keys()].map((i) => ({ label: 'ijkl'[i]!, size: sizes[i]! }))
    const a = labels.filter((_, i) => inA[i])
    const b = labels.filter((_, i) => inB[i])
    const known = labels.filter((one, i) => out[i] && (a.includes(one) || b.includes(one)))
    return { a, b: turned ? b.toReversed() : b, out: turned ? known.toReversed() : known }
  })

test('Einsum, whatever its equation', async () => {
  await fc.assert(
    fc.asyncProperty(equation, async ({ a, b, out }) => {
      fc.pre(a.length > 0 && b.length > 0)
      const text = (term: typeof a) => term.map(({ label }) => label).join('')
      const inputs = { A: a.map(({ size }) => size), B: b.map(({ size }) => size) }
      const attributes = { equation: `${text(a)},${text(b)}->${text(out)}` }
      expectSmall(await checkGradient({ op: 'Einsum', name: 'at random', inputs, attributes }))
    }),
    { numRuns: 40 },
  )
})
