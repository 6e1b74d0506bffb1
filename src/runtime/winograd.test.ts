import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { float32, float32Of, sizeOf, type Tensor } from '../base/index.ts'
import { copyModel, makeGraph, makeModel, makeNode } from '../onnx/index.ts'
import { trace } from './index.ts'
import { nodeRuntime } from './node.ts'
import { winogradConvolutions } from './winograd.ts'

const filled = (dims: readonly number[], seed: number) =>
  float32(
    dims,
    Float32Array.from({ length: sizeOf(dims) }, (_, i) => Math.sin(1.7 * i + seed)),
  )

const magnitudes = (feeds: Record<string, Tensor>) =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, tensor]) => [name, float32(tensor.dims, float32Of(tensor).map(Math.abs))]),
  )

type Case = { n: number; c: number; o: number; h: number; w: number; pads: number[]; bias: boolean }

const convolution = ({ n, c, o, h, w, pads, bias }: Case, attributes = {}) => {
  const graph = makeGraph('convolution')
  const feeds = {
    x: filled([n, c, h, w], 1),
    w: filled([o, c, 3, 3], 2),
    ...(bias && { b: filled([o], 3) }),
  }
  graph.inputs = Object.entries(feeds).map(([name, { type, dims }]) => ({ name, type, dims: [...dims] }))
  graph.outputs = [{ name: 'y', type: 'float32' }]
  graph.nodes = [makeNode('Conv', Object.keys(feeds), ['y'], { pads, ...attributes })]
  return { model: makeModel(graph), feeds }
}

const run = async (model: ReturnType<typeof makeModel>, feeds: Parameters<typeof trace>[2]) => {
  const session = await nodeRuntime.open(model)
  const { y } = await session.run(feeds)
  await session.close()
  return y!
}

const rewritten = async ({ model, feeds }: ReturnType<typeof convolution>, saves?: () => boolean) => {
  const copy = copyModel(model)
  winogradConvolutions(copy, await trace(nodeRuntime, model, feeds), saves)
  return copy
}

describe('a convolution by minimal filtering', () => {
  test('gives what the convolution gives, for any size, padding and bias', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          n: fc.integer({ min: 1, max: 3 }),
          c: fc.integer({ min: 1, max: 5 }),
          o: fc.integer({ min: 1, max: 5 }),
          h: fc.integer({ min: 3, max: 14 }),
          w: fc.integer({ min: 3, max: 14 }),
          pads: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 4, maxLength: 4 }),
          bias: fc.boolean(),
        }),
        async (c) => {
          const made = convolution(c)
          const model = await rewritten(made, () => true)
          expect(model.graph.nodes.map((node) => node.opType)).not.toContain('Conv')
          const [plain, fast] = [await run(made.model, made.feeds), await run(model, made.feeds)]
          expect(fast.dims).toEqual(plain.dims)
          const [expected, found] = [float32Of(plain), float32Of(fast)]
          // Rounding grows with what is summed, Σ|w|·|x|, however far the terms cancel (Higham, Accuracy and Stability, §3.1).
          const summed = float32Of(await run(made.model, magnitudes(made.feeds)))
          const scale = summed.reduce((most, value) => Math.max(most, value), 1)
          for (const [i, value] of found.entries()) expect(Math.abs(value - expected[i]!) / scale).toBeLessThan(5e-6)
        },
      ),
      { numRuns: 40 },
    )
  })

  test.each([[{ strides: [2, 2] }], [{ dilations: [2, 2] }], [{ auto_pad: 'SAME_UPPER', pads: undefined }]])(
    '%o is left as it is',
    async (attributes) => {
      const made = convolution({ n: 1, c: 2, o: 2, h: 8, w: 8, pads: [1, 1, 1, 1], bias: false }, attributes)
      const { graph } = await rewritten(made, () => true)
      expect(graph.nodes.map((node) => node.opType)).toEqual(['Conv'])
    },
  )

  // Measured in WebAssembly: 64 channels of 8×8 take a third of the time, 16 of 32×32 twice the time.
  test.each([
    { c: 64, size: 8, saved: true },
    { c: 128, size: 16, saved: true },
    { c: 16, size: 32, saved: false },
    { c: 3, size: 32, saved: false },
  ])('$c channels of $size×$size are rewritten: $saved', async ({ c, size, saved }) => {
    const made = convolution({ n: 32, c, o: Math.max(16, c), h: size, w: size, pads: [1, 1, 1, 1], bias: false })
    const { graph } = await rewritten(made)
    expect(graph.nodes.some((node) => node.opType === 'MatMul')).toBe(saved)
  })
})
