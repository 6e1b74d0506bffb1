import { describe, expect, test } from 'vitest'
import { bool, float32, float32Of, int64 } from '../../base/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { copyModel, makeGraph, makeModel } from '../graph.ts'
import { makeNode, subgraph } from '../node.ts'
import type { Graph, Model, Node, ValueInfo } from '../types.ts'
import { validateModel } from '../validate.ts'
import { knownOf, unrollControl } from './index.ts'

const values = (...names: string[]): ValueInfo[] => names.map((name) => ({ name, type: 'float32' }))

const graphOf = (nodes: Node[], outputs: ValueInfo[], rest: Partial<Graph> = {}): Graph => ({
  ...makeGraph('g'),
  nodes,
  outputs,
  ...rest,
})

const modelOf = (nodes: Node[], initializers: Graph['initializers']): Model =>
  makeModel(graphOf(nodes, values('y'), { inputs: [{ name: 'x', type: 'float32', dims: [4, 2] }], initializers }))

const x = float32([4, 2], [1, 2, 3, 4, 5, 6, 7, 8])

const outputOf = async (model: Model) => {
  const session = await nodeRuntime.open(model)
  const { y } = await session.run({ x })
  await session.close()
  return { dims: y!.dims, values: [...float32Of(y!)] }
}

/** Unfolds a copy, which must compute what the model did, and gives the operators that are left. */
const unfolded = async (model: Model) => {
  const copy = copyModel(model)
  const { initializers, defaults = [] } = copy.graph
  const constant = (name: string) => (defaults.includes(name) ? undefined : initializers.get(name))
  const changed = unrollControl(knownOf(copy, { types: new Map(), constant }))
  validateModel(copy)
  expect(await outputOf(copy)).toEqual(await outputOf(model))
  return { changed, graph: copy.graph, operators: copy.graph.nodes.map(({ opType }) => opType) }
}

const branches = () => ({
  then_branch: subgraph(
    graphOf([makeNode('Mul', ['x', 'two'], ['p'])], values('p'), {
      initializers: new Map([['two', float32([], [2])]]),
    }),
  ),
  else_branch: subgraph(graphOf([makeNode('Identity', ['x'], ['q'])], values('q'))),
})

describe('control flow whose course is known is unfolded', () => {
  test.each([true, false])('an If of a constant %s becomes the branch taken', async (condition) => {
    const model = modelOf(
      [
        makeNode('If', ['c'], ['z'], branches()),
        makeNode('If', ['c'], ['w'], branches()),
        makeNode('Add', ['z', 'w'], ['y']),
      ],
      new Map([['c', bool([], [condition])]]),
    )
    const { changed, operators } = await unfolded(model)
    expect(changed).toBe(true)
    expect(operators.filter((operator) => operator !== 'Identity')).toEqual(condition ? ['Mul', 'Mul', 'Add'] : ['Add'])
  })

  test('an If of a condition that may be fed stays', async () => {
    const model = modelOf([makeNode('If', ['c'], ['y'], branches())], new Map([['c', bool([], [true])]]))
    model.graph.defaults = ['c']
    expect((await unfolded(model)).changed).toBe(false)
  })

  test('a Loop of known rounds that cuts a tensor into a list, as PyTorch writes tensor_split, becomes its slices', async () => {
    const body = graphOf(
      [
        makeNode('Gather', ['bounds', 'i'], ['from']),
        makeNode('Add', ['i', 'one'], ['next']),
        makeNode('Gather', ['bounds', 'next'], ['to']),
        makeNode('Slice', ['x', 'from', 'to', 'axis'], ['part']),
        makeNode('SequenceInsert', ['list', 'part'], ['longer']),
        makeNode('Identity', ['on'], ['still']),
      ],
      [{ name: 'still', type: 'bool', dims: [] }, ...values('longer')],
      { inputs: [{ name: 'i', type: 'int64', dims: [1] }, { name: 'on', type: 'bool', dims: [] }, ...values('list')] },
    )
    // Lists are no tensors: the type is inferred, so it is left out.
    for (const value of [body.inputs[2]!, body.outputs[1]!]) value.type = 'undefined'
    const model = modelOf(
      [
        makeNode('SequenceEmpty', [], ['none'], { dtype: 1 }),
        makeNode('Loop', ['rounds', 'true', 'none'], ['list_all'], { body: subgraph(body) }),
        makeNode('SequenceAt', ['list_all', 'last'], ['b']),
        makeNode('SequenceAt', ['list_all', 'zero'], ['a']),
        makeNode('SequenceLength', ['list_all'], ['n']),
        makeNode('Cast', ['n'], ['n_real'], { to: 1 }),
        makeNode('Concat', ['b', 'a'], ['both'], { axis: 0 }),
        makeNode('Mul', ['both', 'n_real'], ['y']),
      ],
      new Map([
        ['bounds', int64([3], [0, 3, 4])],
        ['one', int64([], [1])],
        ['zero', int64([], [0])],
        ['last', int64([], [-1])],
        ['axis', int64([1], [0])],
        ['rounds', int64([], [2])],
        ['true', bool([], [true])],
      ]),
    )
    const { operators } = await unfolded(model)
    expect(operators.filter((name) => /Loop|Sequence/.test(name))).toEqual([])
    expect(operators.filter((name) => name === 'Slice').length).toBe(2)
  })

  test('elements of a list put together again', async () => {
    const model = modelOf(
      [
        makeNode('SequenceConstruct', ['x', 'x', 'z'], ['s']),
        makeNode('SequenceErase', ['s', 'one'], ['t']),
        makeNode('ConcatFromSequence', ['t'], ['y'], { axis: 1 }),
      ],
      new Map([
        ['z', float32([4, 1], [9, 8, 7, 6])],
        ['one', int64([], [1])],
      ]),
    )
    expect((await unfolded(model)).operators).toEqual(['Concat'])
  })

  test.each([11, 12, 13, 17])(
    'what every step gives is stacked, and what it reads is split, as opset %i writes it',
    async (opset) => {
      const rows = [{ name: 'row', type: 'float32' as const }]
      const twice = graphOf([makeNode('Add', ['row', 'row'], ['sum'])], values('sum'), { inputs: rows })
      const counted = graphOf(
        [makeNode('Identity', ['go'], ['goes']), makeNode('Add', ['x', 'x'], ['round'])],
        [{ name: 'goes', type: 'bool' }, ...values('round')],
        {
          inputs: [
            { name: 'i', type: 'int64', dims: [] },
            { name: 'go', type: 'bool', dims: [] },
          ],
        },
      )
      const nodes = [
        makeNode('Scan', ['x'], ['rows'], { body: subgraph(twice), num_scan_inputs: 1 }),
        makeNode('Loop', ['rounds', 'true'], ['rounded'], { body: subgraph(counted) }),
        makeNode('Add', ['rounded', 'rows'], ['y']),
      ]
      const model = modelOf(
        nodes,
        new Map([
          ['rounds', int64([], [2])],
          ['true', bool([], [true])],
        ]),
      )
      model.opsets.set('', opset)
      const copy = copyModel(model)
      const constant = (name: string) => copy.graph.initializers.get(name)
      unrollControl(knownOf(copy, { types: new Map([['x', { type: 'float32', dims: [4, 2] }]]), constant }))
      const operators = copy.graph.nodes.map(({ opType }) => opType)
      expect(operators).toEqual(expect.arrayContaining(['Split', 'Squeeze', 'Unsqueeze']))
      expect(operators.filter((name) => /Loop|Scan/.test(name))).toEqual([])
      expect(await outputOf(copy)).toEqual(await outputOf(model))
    },
  )
})
