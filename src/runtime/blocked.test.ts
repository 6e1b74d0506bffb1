import { describe, expect, it } from 'vitest'
import { float32, float32Of, random, sizeOf, type Tensor } from '../base/index.ts'
import { makeGraph, makeModel, makeNode } from '../onnx/index.ts'
import { blockConvolutions, blockSizeOf, trace } from './index.ts'
import { nodeRuntime } from './node.ts'
import { webRuntime } from './web.ts'

const source = random(1)
const noise = (...dims: number[]): Tensor =>
  float32(
    dims,
    Float32Array.from({ length: sizeOf(dims) }, () => source.normal()),
  )

const cases = [
  { x: [2, 16, 9, 9], w: [32, 16, 3, 3], pads: [1, 1, 1, 1] },
  { x: [2, 1, 9, 8], w: [16, 1, 5, 5], pads: [2, 2, 2, 2] },
  { x: [3, 3, 9, 9], w: [20, 3, 3, 3], pads: [0, 0, 0, 0] },
  { x: [2, 50, 7, 7], w: [24, 50, 3, 3], pads: [1, 0, 1, 0] },
  { x: [2, 18, 9, 9], w: [33, 18, 3, 3], pads: [1, 1, 1, 1], strides: [2, 2] },
  { x: [1, 17, 12, 12], w: [16, 17, 3, 3], pads: [2, 2, 2, 2], dilations: [2, 2] },
  { x: [2, 64, 5, 5], w: [10, 64, 1, 1], pads: [0, 0, 0, 0] },
]

describe('convolutions in the blocked layout', () => {
  it.each(cases)('equal plain ones: $x by $w', async ({ x, w, ...attributes }) => {
    const graph = makeGraph('g')
    graph.inputs = Object.entries({ x, w, b: [w[0]!] }).map(([name, dims]) => ({ name, type: 'float32', dims }))
    graph.outputs = [{ name: 'y', type: 'float32' }]
    graph.nodes = [makeNode('Conv', ['x', 'w', 'b'], ['y'], attributes)]
    const model = makeModel(graph)
    const feeds = { x: noise(...x), w: noise(...w), b: noise(w[0]!) }
    const plain = await run(model, feeds)
    blockConvolutions(model, await trace(nodeRuntime, model, feeds), await blockSizeOf(nodeRuntime))
    const blocked = await run(model, feeds)
    expect(blocked.dims).toEqual(plain.dims)
    const far = float32Of(blocked).filter((value, i) => Math.abs(value - float32Of(plain)[i]!) > 1e-4)
    expect(far).toHaveLength(0)
  })

  it('are left alone by an engine that has none', async () => {
    expect(await blockSizeOf(webRuntime)).toBe(1)
  })
})

const run = async (model: ReturnType<typeof makeModel>, feeds: { [name: string]: Tensor }): Promise<Tensor> => {
  const session = await nodeRuntime.open(model)
  const { y } = await session.run(feeds)
  await session.close()
  return y!
}
