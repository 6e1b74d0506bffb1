import { expect, test } from 'vitest'
import { convCases } from './cases/conv.ts'
import { convolutionOf } from './conv.ts'
import { type Convolution, inputByFlippedKernel, inputByTransposition } from './convolution.ts'
import { layoutOf } from './convolution-lines.ts'
import { phasesOf } from './convolution-phases.ts'
import { prefersShifting } from './convolution-shift.ts'
import { weightByConvolution, weightByProducts, weightBySamples } from './convolution-weight.ts'
import { checkGradient } from './testing/check.ts'
import { expectSmall } from './testing/gradients.ts'
import type { GradientContext } from './types.ts'

// The rows pick one formulation by shape; here each must hold wherever it may be picked.

const cases = convCases.filter((c) => c.op === 'Conv' && c.name !== 'many channels')
const dense = cases.filter((c) => c.attributes?.group === undefined)

const only = (input: 'X' | 'W', emit: (g: GradientContext, dy: string) => string) => ({
  rule: (g: GradientContext) => (input === 'X' ? [emit(g, g.grads[0]!)] : [undefined, emit(g, g.grads[0]!)]),
})

test.each(cases.map((c) => [c.name, c] as const))('weight gradient as a convolution: %s', async (_, c) => {
  const rule = only('W', (g, dy) => weightByConvolution(g, convolutionOf(g), 'X', dy))
  expectSmall(await checkGradient({ ...c, checked: ['W'] }, rule))
})

const forms = new Set<string>()
/** What moves, whether samples stay apart, and whether strides became phases. */
const formOf = (c: Convolution): string => {
  const { plain } = phasesOf(c)
  const apart = layoutOf(plain).apart > 1 ? 'samples apart' : 'samples together'
  const phases = plain.x[1]! > c.x[1]! ? ', phases' : ''
  return `${prefersShifting(plain) ? 'both move' : 'x moves'}, ${apart}${phases}`
}

test.each(dense.map((c) => [c.name, c] as const))('weight gradient as products: %s', async (_, c) => {
  const rule = only('W', (g, dy) => {
    forms.add(formOf(convolutionOf(g)))
    return weightByProducts(g, convolutionOf(g), 'X', dy)
  })
  expectSmall(await checkGradient({ ...c, checked: ['W'] }, rule))
})

test('of products every form has been met', () => {
  const all = ['both move', 'x moves'].flatMap((moves) =>
    ['samples apart', 'samples together'].flatMap((samples) => ['', ', phases'].map((p) => `${moves}, ${samples}${p}`)),
  )
  expect([...forms].sort()).toEqual(all.sort())
})

test.each(cases.map((c) => [c.name, c] as const))('input gradient as a transposed convolution: %s', async (_, c) => {
  const rule = only('X', (g, dy) => inputByTransposition(g, convolutionOf(g), dy, 'W'))
  expectSmall(await checkGradient({ ...c, checked: ['X'] }, rule))
})

test.each(cases.filter((c) => c.name.includes('depthwise')).map((c) => [c.name, c] as const))(
  'weight gradient of each sample: %s',
  async (_, c) => {
    const rule = only('W', (g, dy) => weightBySamples(g, convolutionOf(g), 'X', dy))
    expectSmall(await checkGradient({ ...c, checked: ['W'] }, rule))
  },
)

const flippable = cases.filter((c) => c.attributes?.strides === undefined && c.name !== 'pads past the kernel')

test.each(flippable.map((c) => [c.name, c] as const))('input gradient by the flipped kernel: %s', async (_, c) => {
  expect(flippable.length).toBeGreaterThan(4)
  const rule = only('X', (g, dy) => inputByFlippedKernel(g, convolutionOf(g), dy, 'W'))
  expectSmall(await checkGradient({ ...c, checked: ['X'] }, rule))
})
