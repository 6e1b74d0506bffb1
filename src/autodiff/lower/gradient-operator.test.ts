import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { float32, numbersOf } from '../../base/index.ts'
import {
  decodeModel,
  GraphBuilder,
  makeGraph,
  makeModel,
  makeNode,
  tensorFromProto,
  upgradeOpset,
} from '../../onnx/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { packaged } from '../../testing/packages.ts'
import { lower } from './index.ts'

const root = packaged('libonnx-testdata')
const read = (path: string) => new Uint8Array(readFileSync(`${root}/simple/${path}`))

test.skipIf(!root).each(['gradient_of_add', 'gradient_of_add_and_mul'])(
  "ONNX's conformance test %s passes",
  async (name) => {
    const model = upgradeOpset(decodeModel(read(`test_${name}/model.onnx`), { file: name }), 17)
    const data = (kind: string, i: number) => tensorFromProto(read(`test_${name}/test_data_set_0/${kind}_${i}.pb`))
    const feeds = Object.fromEntries(model.graph.inputs.map((input, i) => [input.name, data('input', i)]))
    await lower(model, { runtime: nodeRuntime, feeds, variables: new Set() })
    const session = await nodeRuntime.open(model)
    const values = await session.run(feeds)
    await session.close()
    model.graph.outputs.forEach((output, i) => {
      expect(numbersOf(values[output.name]!)).toEqual(numbersOf(data('output', i)))
    })
  },
)

const utf8 = new TextEncoder()
const strings = (...names: string[]) => ({ type: 'STRINGS', value: names.map((name) => utf8.encode(name)) }) as const

test('a gradient at other values than those of its names, and the gradient of a gradient', async () => {
  const graph = makeGraph('second')
  for (const name of ['x', 'a']) graph.inputs.push({ name, type: 'float32', dims: [] })
  const b = new GraphBuilder(graph)
  // y = x³; dy/dx at a is 3a², and its derivative there 6a.
  graph.nodes.push(makeNode('Mul', ['x', b.op('Mul', ['x', 'x'])], ['y']))
  const options = { domain: 'ai.onnx.preview.training' }
  graph.nodes.push(makeNode('Gradient', ['a'], ['first'], { xs: strings('x'), y: 'y' }, { ...options, name: 'one' }))
  graph.nodes.push(
    makeNode('Gradient', ['a'], ['second'], { xs: strings('a'), y: 'first' }, { ...options, name: 'two' }),
  )
  graph.outputs = ['y', 'first', 'second'].map((name) => ({ name, type: 'float32' as const }))
  const model = makeModel(graph)
  model.opsets.set('ai.onnx.preview.training', 1)
  const feeds = { x: float32([], [2]), a: float32([], [5]) }
  await lower(model, { runtime: nodeRuntime, feeds, variables: new Set() })
  const session = await nodeRuntime.open(model)
  const values = await session.run(feeds)
  await session.close()
  expect(['y', 'first', 'second'].map((name) => numbersOf(values[name]!)[0])).toEqual([8, 75, 30])
})
