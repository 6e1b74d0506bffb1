import { expect, test } from 'vitest'
import { float32, int64, random } from '../base/index.ts'
import { GraphBuilder, type Model, makeGraph, makeModel } from '../onnx/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { fixedBatch, freeBatch } from './free-batch.ts'

const shape = (b: GraphBuilder, dims: readonly number[]) =>
  b.constant(int64([dims.length], BigInt64Array.from(dims, BigInt)))

/** [batch, 2, 4] through `body` to [batch, 3]. */
const fixed = (batch: number, body: (b: GraphBuilder) => string): Model => {
  const graph = makeGraph('net')
  graph.inputs.push({ name: 'x', type: 'float32', dims: [batch, 2, 4] })
  const b = new GraphBuilder(graph)
  const dice = random(3)
  b.initializer(
    'w',
    float32(
      [8, 3],
      Float32Array.from({ length: 24 }, () => dice.normal()),
    ),
  )
  graph.outputs.push({ name: b.op('MatMul', [body(b), 'w']), type: 'float32', dims: [batch, 3] })
  return makeModel(graph)
}

const flat = (batch: number) => fixed(batch, (b) => b.op('Reshape', ['x', shape(b, [batch, -1])]))

/** The shape is put together from numbers, as PyTorch leaves it unless it folds constants. */
const pieced = (batch: number) =>
  fixed(batch, (b) => b.op('Reshape', ['x', b.op('Concat', [shape(b, [batch]), shape(b, [-1])], { axis: 0 })]))

test.each([
  [1, flat],
  [3, flat],
  [1, pieced],
])('a shape written down for %d samples copies the batch', async (batch, make) => {
  const model = make(batch)
  expect(fixedBatch(model)).toBe(batch)
  const free = await freeBatch(model, nodeRuntime)
  expect([fixedBatch(free), free.graph.inputs[0]!.dims, free.graph.outputs[0]!.dims]).toEqual([
    undefined,
    ['N', 2, 4],
    ['N', 3],
  ])
  expect(fixedBatch(model)).toBe(batch)
  const session = await nodeRuntime.open(free)
  const answer = (await session.run({ x: float32([5, 2, 4], new Float32Array(40)) }))[free.graph.outputs[0]!.name]!
  expect(answer.dims).toEqual([5, 3])
  await session.close()
  expect(await freeBatch(free, nodeRuntime)).toBe(free)
})

test('nodes made for a batch alone are refused: of another size, and with samples mixed', async () => {
  const joined = fixed(1, (b) => {
    const token = b.constant(float32([1, 1, 4], Float32Array.of(1, 2, 3, 4)))
    const short = b.op('Slice', ['x', shape(b, [0]), shape(b, [1]), shape(b, [1])])
    return b.op('Reshape', [b.op('Concat', [token, short], { axis: 1 }), shape(b, [1, 8])])
  })
  await expect(freeBatch(joined, nodeRuntime)).rejects.toThrow(/exported for batches of 1.*dynamic_axes/)
  // Rows are drawn apart from the batch, and go back into it in another order.
  const mixed = fixed(2, (b) => b.op('Reshape', [b.op('Transpose', ['x'], { perm: [1, 0, 2] }), shape(b, [-1, 8])]))
  await expect(freeBatch(mixed, nodeRuntime)).rejects.toThrow('its nodes take no others')
})
