import { describe, expect, test } from 'vitest'
import { copyModel, type Dimension, GraphBuilder, type Model, makeGraph, makeModel, makeNode } from '../onnx/index.ts'
import { nodeRuntime as runtime } from '../runtime/node.ts'
import { freeAxes, sampleInputs } from './feeds.ts'
import { pruneModel, shortfallOf, verifyPlan } from './index.ts'
import { proofSizes } from './proof-sizes.ts'
import { Net } from './testing/networks.ts'

const taking = (inputs: { readonly [name: string]: readonly Dimension[] }): Model => {
  const graph = makeGraph('g')
  graph.inputs = Object.entries(inputs).map(([name, dims]) => ({ name, type: 'float32', dims: [...dims] }))
  return makeModel(graph)
}

/** Shapes of an input in all runs. */
const shapes = (model: Model, input: string, macs = 1e9) =>
  proofSizes(model, {}, macs).runs.map((run) => sampleInputs(model, run)[input]!.dims)

describe('the sizes of a proof', () => {
  test('of an image with free sides: both orders, below and above, several batches, at the cost of a few plain runs', () => {
    const found = shapes(taking({ x: ['N', 3, 'H', 'W'] }), 'x')
    const sides = found.slice(1).map(([, , h = 0, w = 0]) => h - w)
    expect(sides.some((d) => d > 0) && sides.some((d) => d < 0)).toBe(true)
    expect(new Set(found.map(([n]) => n))).toEqual(new Set([1, 2, 3, 9]))
    expect(Math.min(...found.map(([, , h]) => h!))).toBeLessThan(48)
    expect(Math.max(...found.map(([, , h]) => h!))).toBeGreaterThan(96)
    const pixels = found.reduce((total, [n = 0, , h = 0, w = 0]) => total + n * h * w, 0)
    expect(pixels / 64 ** 2).toBeLessThan(6.2)
    // Cheap models run far above.
    expect(Math.max(...shapes(taking({ x: ['N', 3, 'H', 'W'] }), 'x', 1e4).map(([, , h]) => h!))).toBeGreaterThan(500)
  })

  test('of fixed inputs: one run, or several batches', () => {
    expect(shapes(taking({ x: [1, 4] }), 'x')).toEqual([[1, 4]])
    expect(shapes(taking({ x: ['N', 4] }), 'x')).toEqual([1, 3, 2].map((n) => [n, 4]))
    expect(shapes(taking({ x: ['N', 4] }), 'x', 10)).toEqual([1, 3, 2, 9].map((n) => [n, 4]))
  })

  test('one size for one name, wherever it stands, and for unnamed axes at one position', () => {
    const model = taking({
      ids: ['B', 'L'],
      table: ['L', 5],
      bias: ['B', 4, 'L', 'L'],
      a: [null, null],
      b: [null, null],
    })
    for (const run of proofSizes(model, {}, 1e9).runs) {
      const { ids, table, bias, a, b } = sampleInputs(model, run)
      const [batch, length] = ids!.dims
      expect([table!.dims, bias!.dims]).toEqual([
        [length, 5],
        [batch, 4, length, length],
      ])
      expect(a!.dims).toEqual(b!.dims)
    }
    expect(freeAxes(model).map(({ name }) => name)).toEqual(['L', ''])
    // A size that is given stays.
    for (const run of proofSizes(model, { L: 12 }, 1e9).runs) expect(sampleInputs(model, run).ids!.dims[1]).toBe(12)
  })

  test('names that every object has are names like others', () => {
    const model = taking({ constructor: ['toString', 'valueOf'], hasOwnProperty: ['toString', '__proto__'] })
    expect(Object.entries(sampleInputs(model, { batch: 2 }))[0]![1].dims).toEqual([2, 16])
  })
})

describe('the proof', () => {
  /** Convolutions on images of any size, and a mean over each channel. */
  const images = (): { model: Model; feature: string } => {
    const net = new Net([2, 8, 8])
    const feature = net.relu(net.conv('x', 'one', [8, 2, 3]))
    const pooled = net.flatten(net.b.op('GlobalAveragePool', [net.relu(net.conv(feature, 'two', [6, 8, 3]))]))
    const model = net.model(net.dense(pooled, 'out', [3, 6]))
    model.graph.inputs[0]!.dims = ['N', 2, 'H', 'W']
    return { model, feature }
  }

  const pruned = (model: Model) => pruneModel(model, { runtime, target: { ratio: 0.5 } })

  test('finds what differs only beside a square, and names the output and the size', async () => {
    const { model, feature } = images()
    const { model: result, plan } = await pruned(model)
    expect(await verifyPlan(model, result, plan, { runtime })).toMatchObject({ equal: true, skipped: [] })

    // Right wherever height and width are equal.
    const wrong = copyModel(result)
    const at = wrong.graph.nodes.findIndex(({ outputs }) => outputs.includes(feature))
    const nodes: Model['graph']['nodes'] = []
    const b = new GraphBuilder(wrong.graph, 'wrong', nodes)
    const { inputs } = wrong.graph.nodes[at]!
    const size = b.op('Shape', [inputs[0]!])
    const square = b.op('Equal', [
      b.op('Slice', [size, b.ints([2]), b.ints([3])]),
      b.op('Slice', [size, b.ints([3]), b.ints([4])]),
    ])
    const scale = b.op('Cast', [square], { to: 1 })
    wrong.graph.nodes.splice(
      at,
      1,
      ...nodes,
      makeNode('Relu', inputs, ['kept']),
      makeNode('Mul', ['kept', scale], [feature]),
    )
    const found = await verifyPlan(model, wrong, plan, { runtime })
    expect(found.equal).toBe(false)
    expect(shortfallOf(found)).toMatch(/'Gemm_out' at x \d×2×\d+×\d+/)
    expect(found.outputs[0]!.difference).toBeLessThan(1e-5)
  })

  test('fails where the pruned model does not run and the original does', async () => {
    const { model, feature } = images()
    const { model: result, plan } = await pruned(model)
    const b = new GraphBuilder(result.graph)
    for (const node of result.graph.nodes)
      if (node.inputs.includes(feature)) node.inputs = node.inputs.map((name) => (name === feature ? 'again' : name))
    const at = result.graph.nodes.findIndex(({ outputs }) => outputs.includes(feature))
    result.graph.nodes.splice(at + 1, 0, makeNode('Reshape', [feature, b.ints([0, 4, 64, 64])], ['again']))
    await expect(verifyPlan(model, result, plan, { runtime })).rejects.toThrow(/does not run at x 2×2×37×53/)
  })

  test('skips sizes at which the original does not run, and looks for others', async () => {
    const net = new Net([2, 8, 8])
    const apart = net.b.op('Reshape', ['x', net.b.ints([0, 2, -1, 32, 32])])
    const mean = net.b.op('ReduceMean', [apart], { axes: [2], keepdims: 0 })
    const one = net.relu(net.conv(mean, 'one', [8, 2, 3]))
    const model = net.model(net.dense(net.flatten(net.b.op('GlobalAveragePool', [one])), 'out', [3, 8]))
    model.graph.inputs[0]!.dims = ['N', 2, 'H', 'W']
    const { model: result, plan } = await pruned(model)
    const found = await verifyPlan(model, result, plan, { runtime })
    expect(found.equal).toBe(true)
    expect(found.skipped.length).toBeGreaterThan(2)
    expect(found.outputs.map(({ size }) => size)).toEqual(['x 1×2×64×64', 'x 2×2×96×32', 'x 3×2×32×64'])
    expect(found.skipped[0]!.reason).toMatch(/the original does not run/)
  })

  test('is none where all numbers are NaN', async () => {
    const net = new Net([4])
    const hidden = net.relu(net.dense('x', 'one', [6, 4]))
    const negative = net.b.op('Sub', [
      net.b.op('Neg', [net.b.op('Abs', [net.dense(hidden, 'two', [3, 6])])]),
      net.b.scalar(1),
    ])
    const model = net.model(net.b.op('Sqrt', [negative]))
    const { model: result, plan } = await pruned(model)
    const found = await verifyPlan(model, result, plan, { runtime })
    expect(found).toMatchObject({ equal: false, outputs: [] })
    expect(shortfallOf(found)).toMatch(/no output could be compared .*NaN everywhere/)
  })
})
