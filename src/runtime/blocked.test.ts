import { describe, expect, it } from 'vitest'
import { float32, float32Of, random, sizeOf, type Tensor } from '../base/index.ts'
import { GraphBuilder, makeGraph, makeModel, makeNode } from '../onnx/index.ts'
import { blockConvolutions, blockSizeOf, trace, type Values } from './index.ts'
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
  { x: [2, 32, 9, 9], w: [32, 1, 3, 3], group: 32, pads: [1, 1, 1, 1] },
  { x: [2, 18, 9, 8], w: [18, 1, 3, 5], group: 18, pads: [1, 2, 1, 2], strides: [2, 1] },
  { x: [1, 48, 9, 9], w: [48, 1, 4, 4], group: 48, pads: [1, 1, 1, 1], dilations: [2, 2] },
]

const expectEqualInBlocks = async (
  op: string,
  { x, w, ...attributes }: { x: number[]; w: number[]; [attribute: string]: number | number[] },
  rewritten: boolean,
) => {
  const graph = makeGraph('g')
  graph.inputs = Object.entries({ x, w }).map(([name, dims]) => ({ name, type: 'float32', dims }))
  graph.outputs = [{ name: 'y', type: 'float32' }]
  graph.nodes = [makeNode(op, ['x', 'w'], ['y'], attributes)]
  if (op === 'Conv') {
    graph.inputs.push({ name: 'b', type: 'float32', dims: [w[0]!] })
    graph.nodes[0]!.inputs.push('b')
  }
  const model = makeModel(graph)
  const feeds = { x: noise(...x), w: noise(...w), ...(op === 'Conv' ? { b: noise(w[0]!) } : {}) }
  const plain = await run(model, feeds)
  blockConvolutions(model, await trace(nodeRuntime, model, feeds), await blockSizeOf(nodeRuntime))
  expect(model.graph.nodes.length > 1).toBe(rewritten)
  const blocked = await run(model, feeds)
  expect(blocked.dims).toEqual(plain.dims)
  const far = float32Of(blocked).filter((value, i) => Math.abs(value - float32Of(plain)[i]!) > 1e-4)
  expect(far).toHaveLength(0)
}

describe('convolutions in the blocked layout', () => {
  it.each(cases)('equal plain ones: $x by $w', (c) => expectEqualInBlocks('Conv', c, true))

  it('of several channels a group are left alone', () =>
    expectEqualInBlocks('Conv', { x: [2, 32, 9, 9], w: [32, 2, 3, 3], group: 16 }, false))

  it.each([
    { x: [2, 32, 5, 5], w: [32, 1, 3, 3], group: 32, strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1] },
    { x: [1, 18, 4, 6], w: [18, 1, 3, 2], group: 18, strides: [2, 2], pads: [0, 1, 1, 0] },
    { x: [2, 16, 5, 5], w: [16, 1, 3, 3], group: 16, dilations: [2, 2] },
  ])('equal plain transposed ones: $x by $w', (c) => expectEqualInBlocks('ConvTranspose', c, true))

  it('of samples behind each other, which is how the weight gradient of a depthwise convolution is found, are shared', async () => {
    const graph = makeGraph('g')
    const shapes = { x: [2, 32, 6, 6], w: [32, 1, 3, 3], dy: [2, 32, 4, 4] }
    graph.inputs = Object.entries(shapes).map(([name, dims]) => ({ name, type: 'float32', dims }))
    graph.outputs = ['y', 'dw'].map((name) => ({ name, type: 'float32' }))
    const b = new GraphBuilder(graph, 'g', graph.nodes)
    const samples = b.op('Reshape', ['x', b.ints([1, 64, 6, 6])])
    const kernels = b.op('Reshape', ['dy', b.ints([64, 1, 4, 4])])
    graph.nodes.push(makeNode('Conv', ['x', 'w'], ['y'], { group: 32 }))
    graph.nodes.push(makeNode('Conv', [samples, kernels], ['dw'], { group: 64 }))
    const model = makeModel(graph)
    const feeds = Object.fromEntries(Object.entries(shapes).map(([name, dims]) => [name, noise(...dims)]))
    const plain = await run(model, feeds, 'dw')
    blockConvolutions(model, await trace(nodeRuntime, model, feeds), await blockSizeOf(nodeRuntime))
    const reorders = model.graph.nodes.filter((node) => node.opType === 'ReorderInput')
    expect(reorders.map((node) => node.inputs[0])).toEqual(expect.arrayContaining(['x', 'dy']))
    expect(reorders).toHaveLength(3)
    const blocked = await run(model, feeds, 'dw')
    for (const [i, value] of float32Of(blocked).entries()) expect(value).toBeCloseTo(float32Of(plain)[i]!, 4)
  })

  it('leave no kernel behind that was transposed for the plain ones', async () => {
    const graph = makeGraph('g')
    const shapes = { x: [2, 16, 6, 6], w: [16, 32, 3, 3] }
    graph.inputs = Object.entries(shapes).map(([name, dims]) => ({ name, type: 'float32', dims }))
    graph.outputs = [{ name: 'y', type: 'float32' }]
    const exchanged = new GraphBuilder(graph, 'g', graph.nodes).op('Transpose', ['w'], { perm: [1, 0, 2, 3] })
    graph.nodes.push(makeNode('Conv', ['x', exchanged], ['y']))
    const model = makeModel(graph)
    const feeds = Object.fromEntries(Object.entries(shapes).map(([name, dims]) => [name, noise(...dims)]))
    blockConvolutions(model, await trace(nodeRuntime, model, feeds), await blockSizeOf(nodeRuntime))
    expect(model.graph.nodes.flatMap((node) => node.outputs)).not.toContain(exchanged)
    expect((await run(model, feeds)).dims).toEqual([2, 32, 4, 4])
  })

  it('are left alone by an engine that has none', async () => {
    expect(await blockSizeOf(webRuntime)).toBe(1)
  })
})

const run = async (model: ReturnType<typeof makeModel>, feeds: Values, output = 'y'): Promise<Tensor> => {
  const session = await nodeRuntime.open(model)
  const found = await session.run(feeds)
  await session.close()
  return found[output]!
}
