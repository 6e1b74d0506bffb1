import { describe, expect, test } from 'vitest'
import { float32, type Tensor } from '../base/index.ts'
import { GraphBuilder, type Model, makeGraph, makeModel } from '../onnx/index.ts'
import { operatorCases } from '../operators/cases/index.ts'
import { oneNode } from '../operators/testing/check.ts'
import { infer, type Runtime, trace } from './index.ts'
import { nodeRuntime } from './node.ts'
import { webRuntime } from './web.ts'

/** Runs nothing. */
const unable = (runtime: Runtime): Runtime => ({
  name: runtime.name,
  provider: () => runtime.provider(),
  open: async (model, options) => ({
    ...(await runtime.open(model, options)),
    run: () => Promise.reject(new Error('was run')),
  }),
})

const x = float32([2, 6], Array(12).fill(1))

/** A model of x, of as many rows as one likes. */
const modelOf = (body: (b: GraphBuilder) => string): Model => {
  const graph = makeGraph('test')
  graph.inputs.push({ name: 'x', type: 'float32', dims: ['N', 6] })
  graph.outputs.push({ name: body(new GraphBuilder(graph)), type: 'undefined' })
  return makeModel(graph)
}

/** What exporters write for `x.view(n, c / 2, 2)`. */
const viewed = (b: GraphBuilder): string => {
  const shape = b.op('Shape', ['x'])
  const [rows, columns] = [0, 1].map((at) => b.op('Gather', [shape, b.ints([at])]))
  const half = b.op('Div', [columns!, b.ints([2])])
  return b.op('Reshape', ['x', b.op('Concat', [rows!, half, b.ints([2])], { axis: 0 })])
}

describe.each([nodeRuntime, webRuntime])('shapes in the $name runtime', (runtime) => {
  test.each([
    ['of a scalar', (b: GraphBuilder) => b.op('ReduceSum', ['x'], { keepdims: 0 })],
    ['of what has no elements', (b: GraphBuilder) => b.op('Slice', ['x', b.ints([0]), b.ints([0])])],
    ['computed from shapes', viewed],
    [
      'computed from shapes that were computed so',
      (b: GraphBuilder) => {
        const flat = b.op('Reshape', [viewed(b), b.ints([0, -1])])
        return b.op('ConstantOfShape', [b.op('Shape', [flat])])
      },
    ],
  ])('%s are known without running', async (_, body) => {
    const model = modelOf(body)
    expect(await infer(unable(runtime), model, { x })).toEqual(await trace(runtime, model, { x }))
  })

  test('that depend on what is fed are found by running', async () => {
    const model = modelOf((b) => b.op('NonZero', ['x']))
    await expect(infer(unable(runtime), model, { x })).rejects.toThrow('was run')
    expect((await infer(runtime, model, { x })).get('NonZero_out')).toEqual({ type: 'int64', dims: [2, 12] })
  })
})

test('weights that say how large a value is are what they are', async () => {
  const model = modelOf((b) => {
    const total = b.op('ReduceSum', [b.initializer('w', float32([2000], Array(2000).fill(0.5)))], { keepdims: 1 })
    return b.op('Expand', ['x', b.op('Concat', [b.op('Cast', [total], { to: 7 }), b.ints([2, 6])], { axis: 0 })])
  })
  const found = await trace(nodeRuntime, model, { x })
  expect(found.get('Expand_out')?.dims).toEqual([1000, 2, 6])
  expect((await infer(nodeRuntime, model, { x })).get('Expand_out')?.dims).toEqual([1000, 2, 6])
})

test('a size that a fixed view cannot have is refused', async () => {
  const model = modelOf((b) => b.op('Reshape', ['x', b.ints([1, 6])]))
  await expect(infer(nodeRuntime, model, { x })).rejects.toThrow(/operator 'Reshape'/)
})

test.each([0, 1, 2, 3])('every operator of the table has the shapes it has when run (part %i)', async (part) => {
  const lines = operatorCases.filter((_, i) => i % 4 === part)
  let compared = 0
  for (const c of lines)
    for (const type of c.type ? [c.type] : (['float64', 'float32'] as const)) {
      const { model, values, drawn } = oneNode(c, type)
      const feeds: Record<string, Tensor> = Object.fromEntries(drawn.map((name) => [name, values.get(name)!]))
      const traced = await trace(nodeRuntime, model, feeds).catch(() => undefined)
      // Not every kernel computes in double.
      if (!traced) continue
      expect(await infer(nodeRuntime, model, feeds), `${c.op}: ${c.name}`).toEqual(traced)
      compared++
      break
    }
  expect(compared).toBe(lines.length)
})
