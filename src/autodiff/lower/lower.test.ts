import { describe, expect, test } from 'vitest'
import { bool, float32, int64, type Tensor } from '../../base/index.ts'
import { type Graph, GraphBuilder, type Model, makeGraph, makeModel, makeNode, subgraph } from '../../onnx/index.ts'
import { fusedCases } from '../../operators/cases/fused.ts'
import { oneNode } from '../../operators/testing/check.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { lossNamed, trainingGraph } from '../index.ts'
import { checkDirections } from '../testing/directions.ts'

const w = float32([2, 3], [0.5, -0.3, 0.8, 0.2, 0.7, -0.6])
const x = float32([2, 3], [1, 2, -1, 0.5, 0.3, 2])

/** A model of x [2, 3] and a weight w [2, 3] whose body returns its output. */
const modelOf = (body: (b: GraphBuilder) => string, opset = 17): Model => {
  const graph = makeGraph('test')
  graph.inputs.push({ name: 'x', type: 'float32', dims: [2, 3] })
  graph.initializers.set('w', w)
  graph.outputs.push({ name: body(new GraphBuilder(graph)), type: 'undefined' })
  return makeModel(graph, { opset })
}

/** A subgraph of some nodes; its inputs and outputs by name. */
const bodyOf = (inputs: Record<string, Tensor['type']>, nodes: Graph['nodes'], outputs: string[]): Graph => ({
  ...makeGraph('body'),
  inputs: Object.entries(inputs).map(([name, type]) =>
    type === 'float32' ? { name, type } : { name, type, dims: [] },
  ),
  nodes,
  outputs: outputs.map((name) => ({ name, type: 'undefined' })),
})

const agrees = async (model: Model, feeds: Record<string, Tensor> = { x }, variables = ['x', 'w']) => {
  const found = await checkDirections(model, feeds, { variables, type: 'float32' })
  expect(found.values).toBe(variables.length)
  expect(found.error).toBeLessThan(2e-3)
}

const branches = (b: GraphBuilder, condition: string) =>
  b.op('If', [condition], {
    then_branch: subgraph(bodyOf({}, [makeNode('Mul', ['x', 'w'], ['product'])], ['product'])),
    else_branch: subgraph(bodyOf({}, [makeNode('Sub', ['x', 'w'], ['difference'])], ['difference'])),
  })

describe('control flow whose course is known', () => {
  test.each([true, false])('If with the constant %s', (value) =>
    agrees(modelOf((b) => branches(b, b.constant(bool([], [value]))))),
  )

  test('If on a shape', () =>
    agrees(
      modelOf((b) => {
        const rows = b.op('Gather', [b.op('Shape', ['x']), b.constant(int64([], [0]))])
        return branches(b, b.op('Equal', [rows, b.constant(int64([], [2]))]))
      }),
    ))

  test.each([
    ['it was given', 'on'],
    ['from around it', 'always'],
  ])('Loop of three steps, with what it carries and what it stacks, going on by the condition %s', (_, condition) => {
    const body = bodyOf(
      { step: 'int64', on: 'bool', state: 'float32' },
      [
        makeNode('Identity', [condition], ['on_out']),
        makeNode('Cast', ['step'], ['number'], { to: 1 }),
        makeNode('Mul', ['state', 'w'], ['product']),
        makeNode('Add', ['product', 'number'], ['next']),
        makeNode('Tanh', ['next'], ['shown']),
      ],
      ['on_out', 'next', 'shown'],
    )
    return agrees(
      modelOf((b) => {
        const inputs = [b.constant(int64([], [3])), b.initializer('always', bool([], [true])), 'x']
        const [last, all] = b.ops('Loop', inputs, 2, { body: subgraph(body) })
        return b.op('Add', [last!, b.op('ReduceSum', [all!, b.ints([0])], { keepdims: 0 })])
      }),
    )
  })

  test('Loop inside If', () => {
    const steps = bodyOf(
      { step: 'int64', on: 'bool', state: 'float32' },
      [makeNode('Identity', ['on'], ['on_out']), makeNode('Mul', ['state', 'w'], ['next'])],
      ['on_out', 'next'],
    )
    const taken = bodyOf({}, [makeNode('Loop', ['two', '', 'x'], ['last'], { body: subgraph(steps) })], ['last'])
    taken.initializers.set('two', int64([], [2]))
    const other = bodyOf({}, [makeNode('Identity', ['x'], ['same'])], ['same'])
    return agrees(
      modelOf((b) =>
        b.op('If', [b.constant(bool([], [true]))], { then_branch: subgraph(taken), else_branch: subgraph(other) }),
      ),
    )
  })

  test.each([0, 1])('Scan along columns, direction %i', (direction) => {
    const body = bodyOf(
      { state: 'float32', column: 'float32', weight: 'float32' },
      [
        makeNode('Mul', ['column', 'weight'], ['product']),
        makeNode('Add', ['state', 'product'], ['sum']),
        makeNode('Tanh', ['sum'], ['next']),
        makeNode('Identity', ['next'], ['shown']),
      ],
      ['next', 'shown'],
    )
    return agrees(
      modelOf((b) => {
        const attributes = {
          body: subgraph(body),
          num_scan_inputs: 2,
          scan_input_axes: [1, -1],
          scan_input_directions: [direction, 0],
          scan_output_axes: [1],
          scan_output_directions: [direction],
        }
        return b.ops('Scan', [b.constant(float32([2], [0.1, -0.2])), 'x', 'w'], 2, attributes)[1]!
      }),
    )
  })

  test('a loop that ends by what it computes is an error that names it', async () => {
    const body = bodyOf(
      { step: 'int64', on: 'bool', state: 'float32' },
      [
        makeNode('Mul', ['state', 'w'], ['next']),
        makeNode('ReduceSum', ['next'], ['sum'], { keepdims: 0 }),
        makeNode('Greater', ['sum', 'zero'], ['on_out']),
      ],
      ['on_out', 'next'],
    )
    body.initializers.set('zero', float32([], [0]))
    const model = modelOf((b) =>
      b.op('Loop', [b.constant(int64([], [5])), '', 'x'], { body: subgraph(body) }, { name: 'until' }),
    )
    const options = { runtime: nodeRuntime, inputs: { x: [2, 3] }, loss: lossNamed('mse'), trainable: ['w'] }
    await expect(trainingGraph(model, options)).rejects.toThrow(/node 'until', operator 'Loop'.*no gradient is known/)
  })
})

describe('sequences and optionals', () => {
  const at = (b: GraphBuilder, sequence: string, place: number) =>
    b.op('SequenceAt', [sequence, b.constant(int64([], [place]))])

  test('constructed, inserted, erased, measured and read', () =>
    agrees(
      modelOf((b) => {
        const both = b.op('SequenceConstruct', ['x', 'w'])
        const three = b.op('SequenceInsert', [both, b.op('Mul', ['x', 'w']), b.constant(int64([], [0]))])
        const two = b.op('SequenceErase', [three, b.constant(int64([], [-1]))])
        const last = b.op('Sub', [b.op('SequenceLength', [two]), b.constant(int64([], [1]))])
        return b.op('Add', [at(b, two, 0), b.op('Mul', [b.op('SequenceAt', [two, last]), 'w'])])
      }),
    ))

  test('split and joined', () =>
    agrees(
      modelOf((b) => {
        const columns = b.op('SplitToSequence', ['x'], { axis: 1, keepdims: 0 })
        const pieces = b.op('SplitToSequence', ['w', b.ints([2, 1])], { axis: -1 })
        const stacked = b.op('ConcatFromSequence', [columns], { axis: 0, new_axis: 1 })
        const whole = b.op('ConcatFromSequence', [pieces], { axis: 1 })
        return b.op('MatMul', [stacked, whole])
      }),
    ))

  test('built up in a loop', () => {
    const body = bodyOf(
      { step: 'int64', on: 'bool' },
      [makeNode('Identity', ['on'], ['on_out']), makeNode('SequenceInsert', ['list', 'element'], ['list_out'])],
      ['on_out', 'list_out'],
    )
    body.nodes.unshift(makeNode('Mul', ['x', 'w'], ['element']))
    body.inputs.push({ name: 'list', type: 'undefined' })
    return agrees(
      modelOf((b) => {
        const one = b.op('SequenceConstruct', ['x'])
        const list = b.op('Loop', [b.constant(int64([], [2])), '', one], { body: subgraph(body) })
        return b.op('ConcatFromSequence', [list], { axis: 0 })
      }),
    )
  })

  test('optionals hold what they were given', () =>
    agrees(modelOf((b) => b.op('Mul', [b.op('OptionalGetElement', [b.op('Optional', ['x'])]), 'w']), 18)))
})

test('a fused operator off the way to a weight stays as it is', async () => {
  const model = modelOf((b) => b.op('Mul', [b.op('Gelu', ['x'], {}, { domain: 'com.microsoft' }), 'w']))
  model.opsets.set('com.microsoft', 1)
  const options = { runtime: nodeRuntime, inputs: { x: [2, 3] }, loss: lossNamed('mse') }
  const { model: made } = await trainingGraph(model, { ...options, trainable: ['w'] })
  expect(made.graph.nodes.filter(({ domain }) => domain !== '')).toHaveLength(1)
})

test.each(fusedCases.map((c) => [`${c.op}: ${c.name}`, c] as const))(
  '%s has the gradient of its plain form',
  async (_, c) => {
    const one = oneNode(c, 'float32')
    const feeds = Object.fromEntries(one.drawn.map((name) => [name, one.values.get(name)!]))
    const loss = c.loss?.map((i) => one.node.outputs[i])
    if (loss) one.model.graph.outputs = one.model.graph.outputs.filter(({ name }) => loss.includes(name))
    const variables = c.checked ?? one.drawn
    const found = await checkDirections(one.model, feeds, { variables, type: 'float32' })
    expect(found.error, found.value).toBeLessThan(5e-3)
  },
)
