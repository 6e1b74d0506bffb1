import { create } from '@bufbuild/protobuf'
import { AttributeProto_AttributeType as AttributeType, ModelProtoSchema } from 'onnx-buf'
import { describe, expect, it } from 'vitest'
import { bool, EspalierError, float32, messageOf, numbersOf, UnsupportedError, UsageError } from '../base/index.ts'

import { nodeRuntime } from '../runtime/node.ts'
import { GraphBuilder } from './builder.ts'
import { encodeModel } from './codec.ts'
import { fixDimensions, freeDimensions, parameterCount, renameValue, replaceUses } from './edit.ts'
import { functionNames, inlineFunctions } from './functions.ts'
import {
  capturesOf,
  consumersOf,
  copyModel,
  liftConstants,
  makeGraph,
  makeModel,
  producersOf,
  removeDead,
} from './graph.ts'
import { attribute, float, intOf, intsOf, makeNode, subgraph, subgraphsOf } from './node.ts'
import { topologicalSort } from './sort.ts'
import type { Graph, Model } from './types.ts'
import { validateModel } from './validate.ts'

const value = (name: string) => ({ name, type: 'float32' as const })

/** y = x + 1 in one branch and x in the other, times w; the branches read x from outside. */
const choice = (): Graph => {
  const plus: Graph = { ...makeGraph('then'), outputs: [value('p')] }
  plus.initializers.set('one', float32([], [1]))
  plus.nodes.push(makeNode('Add', ['x', 'one'], ['p']))
  const same: Graph = { ...makeGraph('else'), outputs: [value('q')], nodes: [makeNode('Identity', ['x'], ['q'])] }
  const graph: Graph = { ...makeGraph('g'), inputs: [{ ...value('x'), dims: ['N', 2] }], outputs: [value('y')] }
  graph.initializers.set('c', bool([], [true])).set('w', float32([2], [2, 3]))
  graph.nodes.push(
    makeNode('If', ['c'], ['z'], { then_branch: subgraph(plus), else_branch: subgraph(same) }),
    makeNode('Mul', ['z', 'w'], ['y']),
  )
  return graph
}

const run = async (model: Model, x: number[]): Promise<number[]> => {
  const session = await nodeRuntime.open(model, { threads: 1 })
  const { y } = await session.run({ x: float32([1, x.length], x) })
  await session.close()
  return numbersOf(y!)
}

/** The options hold more than a file, as `decodeModel`'s do. */
const messageOfSort = (graph: Graph): string => {
  const options = { file: 'm', external: () => new Uint8Array(0) }
  try {
    topologicalSort(graph, options)
  } catch (error) {
    return messageOf(error)
  }
  return ''
}

describe('a graph', () => {
  it('knows who makes and who reads each value, subgraphs included', () => {
    const graph = choice()
    expect(producersOf(graph).get('z')?.opType).toBe('If')
    expect(
      consumersOf(graph)
        .get('x')
        ?.map((node) => node.opType),
    ).toEqual(['If'])
    expect(subgraphsOf(graph.nodes[0]!).map(capturesOf)).toEqual([['x'], ['x']])
  })

  it('is copied so that neither sees the other change', () => {
    const model = makeModel(choice())
    const copy = copyModel(model)
    expect(copy).toEqual(model)
    renameValue(copy.graph, 'x', 'in')
    expect(model.graph).toEqual(choice())
  })

  it('loses what nothing reads', () => {
    const graph = choice()
    graph.nodes.splice(1, 0, makeNode('Relu', ['x'], ['dead']), makeNode('Relu', ['dead'], ['deader']))
    graph.initializers.set('unread', float32([], [1]))
    graph.valueInfo.set('dead', value('dead')).set('z', value('z'))
    removeDead(graph)
    expect(graph.nodes.map((node) => node.opType)).toEqual(['If', 'Mul'])
    expect([...graph.initializers.keys()]).toEqual(['c', 'w'])
    expect([...graph.valueInfo.keys()]).toEqual(['z'])
  })

  it('has constants lifted in subgraphs too, but not those that are a subgraph’s output', () => {
    const graph = choice()
    const [plus, same] = subgraphsOf(graph.nodes[0]!)
    plus!.initializers.clear()
    plus!.nodes.unshift(makeNode('Constant', [], ['one'], { value_float: float(1) }))
    same!.nodes = [makeNode('Constant', [], ['q'], { value: float32([1], [7]) })]
    liftConstants(graph)
    expect([...plus!.initializers.keys()]).toEqual(['one'])
    expect(same!.nodes).toHaveLength(1)
  })

  it('is sorted in linear time, however deep', () => {
    const graph: Graph = { ...makeGraph('g'), inputs: [value('v0')], outputs: [value('v20000')] }
    for (let i = 20_000; i > 0; i--) graph.nodes.push(makeNode('Relu', [`v${i - 1}`], [`v${i}`]))
    topologicalSort(graph)
    expect(graph.nodes[0]!.outputs).toEqual(['v1'])
    validateModel(makeModel(graph))
  })

  it('with a cycle through a subgraph is refused', () => {
    const graph = choice()
    const inner = subgraphsOf(graph.nodes[0]!)[0]!
    inner.nodes[0]!.inputs[0] = 'y'
    expect(() => topologicalSort(graph)).toThrow(/part of a cycle/)
  })

  it('names the nodes and values of a cycle, in the order in which they flow', () => {
    const graph: Graph = { ...makeGraph('g'), inputs: [value('x')], outputs: [value('y')] }
    const node = (name: string, inputs: string[], output: string) => makeNode('Add', inputs, [output], {}, { name })
    // b is needed by y's node and by a, so that the walk meets it twice.
    graph.nodes.push(node('last', ['b', 'a'], 'y'), node('A', ['x', 'b'], 'a'), node('B', ['c', 'x'], 'b'))
    graph.nodes.push(node('C', ['x', 'a'], 'c'))
    expect(messageOfSort(graph)).toContain("itself: 'C' → 'c' → 'B' → 'b' → 'A' → 'a' → 'C';")
  })

  it('shortens a long cycle, and long names', () => {
    const graph: Graph = { ...makeGraph('g'), inputs: [value('x')], outputs: [value('v0')] }
    const long = 'n'.repeat(5000)
    const size = 1000
    for (let i = 0; i < size; i++) {
      const inputs = [`v${(i + size - 1) % size}`]
      graph.nodes.push(makeNode('Relu', inputs, [`v${i}`], {}, { name: `${long}${i}` }))
    }
    const message = messageOfSort(graph)
    expect(message).toContain('… 992 more nodes …')
    expect(message.length).toBeLessThan(1600)
  })

  it('names a node that reads what it makes', () => {
    const graph: Graph = { ...makeGraph('g'), inputs: [value('x')], outputs: [value('y')] }
    graph.nodes.push(makeNode('Add', ['x', 'y'], ['y'], {}, { name: 'self' }))
    expect(messageOfSort(graph)).toBe(
      "file 'm', node 'self', operator 'Add': the node is part of a cycle, so what it makes depends on itself: 'self' → 'y' → 'self'; export the model again",
    )
  })

  it('is refused when a subgraph reads a value from nowhere, or one is shadowed at the top', () => {
    const graph = choice()
    subgraphsOf(graph.nodes[0]!)[0]!.nodes[0]!.inputs[0] = 'nowhere'
    expect(() => validateModel(makeModel(graph), { file: 'm' })).toThrow(
      /file 'm', node 'p', operator 'Add': it reads 'nowhere'/,
    )
    const other = choice()
    other.initializers.set('x', float32([], [1]))
    expect(() => validateModel(makeModel(other))).toThrow(/an initializer is also an input/)
    other.initializers.delete('x')
    other.initializers.set('w', { ...float32([2], [1, 2]), dims: [3] })
    expect(() => validateModel(makeModel(other))).toThrow(/takes 12 bytes and has 8/)
  })
})

describe('editing', () => {
  it('renames a value everywhere and changes nothing else', async () => {
    const model = makeModel(choice())
    for (const name of ['z', 'w', 'c']) renameValue(model.graph, name, `${name}'`)
    validateModel(model)
    expect(await run(model, [1, 2])).toEqual([4, 9])
    expect(() => renameValue(model.graph, 'x', 'one')).toThrow(UsageError)
    expect(() => renameValue(model.graph, 'x', 'y')).toThrow(/already is a value 'y'/)
  })

  it('replaces the reads of a value, also inside subgraphs that do not have their own', () => {
    const graph = choice()
    replaceUses(graph, 'x', 'other')
    expect(subgraphsOf(graph.nodes[0]!).map((inner) => inner.nodes[0]!.inputs[0])).toEqual(['other', 'other'])
    replaceUses(graph, 'one', 'elsewhere')
    expect(subgraphsOf(graph.nodes[0]!)[0]!.nodes[0]!.inputs[1]).toBe('one')
    expect(graph.outputs).toEqual([value('y')])
  })

  it('counts parameters and fixes free dimensions', () => {
    const model = makeModel(choice())
    expect(parameterCount(model.graph)).toBe(3)
    expect(freeDimensions(model.graph)).toEqual(['N'])
    expect(() => fixDimensions(model, { M: 1 })).toThrow(/no input has a dimension 'M'; the free dimensions are N/)
    expect(() => fixDimensions(model, { N: 1.5 })).toThrow(UsageError)
    fixDimensions(model, { N: 4 })
    expect(model.graph.inputs[0]!.dims).toEqual([4, 2])
  })
})

describe('the builder', () => {
  it('gives names nothing has, subgraphs included', () => {
    const b = new GraphBuilder(choice())
    expect([b.fresh('one'), b.fresh('p'), b.fresh('new'), b.fresh('new')]).toEqual(['one_1', 'p_1', 'new', 'new_1'])
  })

  it('shares equal constants, and only those', () => {
    const b = new GraphBuilder(makeGraph('g'))
    const strings = (s: string) => ({
      type: 'string' as const,
      dims: [1],
      bytes: new Uint8Array(0),
      strings: [new TextEncoder().encode(s)],
    })
    expect(b.scalar(1)).toBe(b.scalar(1))
    expect(b.ints([1])).not.toBe(b.ints([1, 1]))
    expect(b.constant(strings('a'))).not.toBe(b.constant(strings('b')))
  })

  it('wants fractions marked', () => {
    expect(() => attribute(0.5)).toThrow(EspalierError)
    expect(() => attribute([1, 0.5])).toThrow(/write float/)
    const node = makeNode('A', [], [], { far: { type: 'INT', value: 2n ** 63n - 1n }, alpha: float(1) })
    expect(intOf(node, 'far', 0)).toBe(Number.MAX_SAFE_INTEGER)
    expect(intsOf(node, 'absent', undefined)).toBeUndefined()
    expect(() => intOf(node, 'alpha', 0)).toThrow(/attribute 'alpha' is FLOAT where INT is expected/)
  })
})

describe('functions', () => {
  /** outer(a; slope) = inner(LeakyRelu(a)) + k with k = 1 unless given; inner(a) = 2·a. */
  const withFunctions = (): Model => {
    const node = (opType: string, input: string[], output: string[], more: object = {}) => ({
      opType,
      input,
      output,
      ...more,
    })
    const extra = create(ModelProtoSchema, {
      functions: [
        {
          name: 'outer',
          domain: 'own',
          input: ['a'],
          output: ['b'],
          attribute: ['slope'],
          attributeProto: [{ name: 'k', type: AttributeType.FLOAT, f: 1 }],
          opsetImport: [{ version: 17n }, { domain: 'own', version: 1n }],
          node: [
            node('LeakyRelu', ['a'], ['t'], {
              attribute: [{ name: 'alpha', type: AttributeType.FLOAT, refAttrName: 'slope' }],
            }),
            node('inner', ['t'], ['u'], { domain: 'own' }),
            node('Constant', [], ['one'], {
              attribute: [{ name: 'value_float', type: AttributeType.FLOAT, refAttrName: 'k' }],
            }),
            node('Add', ['u', 'one'], ['b']),
          ],
        },
        {
          name: 'inner',
          domain: 'own',
          input: ['a'],
          output: ['b'],
          opsetImport: [{ version: 17n }],
          node: [node('Add', ['a', 'a'], ['b'])],
        },
      ],
    })
    const graph: Graph = { ...makeGraph('g'), inputs: [{ ...value('x'), dims: [1, 2] }], outputs: [value('y')] }
    graph.nodes.push(
      makeNode('outer', ['x'], ['t'], { slope: float(0.5) }, { domain: 'own' }),
      makeNode('outer', ['t'], ['y'], { slope: float(0.25), k: float(10) }, { domain: 'own' }),
    )
    const model = { ...makeModel(graph), extra }
    model.opsets.set('own', 1)
    return model
  }

  it('are replaced by their nodes, and ONNX Runtime computes the same', async () => {
    const model = withFunctions()
    expect(functionNames(model)).toEqual(['own.outer', 'own.inner'])
    const before = await run(model, [3, -8])
    inlineFunctions(model)
    validateModel(model)
    expect(functionNames(model)).toEqual([])
    expect(new Set(model.graph.nodes.map((node) => node.domain))).toEqual(new Set(['']))
    expect(before).toEqual([24, 6.5])
    expect(await run(model, [3, -8])).toEqual(before)
    expect(encodeModel(model).length).toBeGreaterThan(0)
  })

  it('for another version of an operator set are not supported', () => {
    const model = withFunctions()
    model.opsets.set('', 18)
    expect(() => inlineFunctions(model)).toThrow(UnsupportedError)
  })

  it('that call themselves, or each other without end, are refused', () => {
    const endless = create(ModelProtoSchema, {
      functions: [
        {
          name: 'f',
          domain: 'own',
          input: ['a'],
          output: ['b'],
          node: [{ opType: 'f', domain: 'own', input: ['a'], output: ['b'] }],
        },
      ],
    })
    const graph: Graph = { ...makeGraph('g'), inputs: [value('x')], outputs: [value('y')] }
    graph.nodes.push(makeNode('f', ['x'], ['y'], {}, { domain: 'own' }))
    expect(() => inlineFunctions({ ...makeModel(graph), extra: endless })).toThrow(/the function calls itself/)
    // Each calls the next a hundred times: a hundred to the fifth power.
    const call = (name: string) =>
      Array.from({ length: 100 }, (_, i) => ({
        opType: name,
        domain: 'own',
        input: ['a'],
        output: [i ? `b${i}` : 'b'],
      }))
    const explosive = create(ModelProtoSchema, {
      functions: ['f', 'f1', 'f2', 'f3', 'f4'].map((name, i) => ({
        name,
        domain: 'own',
        input: ['a'],
        output: ['b'],
        node: call(`f${i + 1}`),
      })),
    })
    expect(() => inlineFunctions({ ...makeModel(graph), extra: explosive })).toThrow(/makes 10000000000 nodes/)
    const deep = create(ModelProtoSchema, {
      functions: Array.from({ length: 10_000 }, (_, i) => ({
        name: i === 0 ? 'f' : `f${i}`,
        domain: 'own',
        node: [{ opType: `f${i + 1}`, domain: 'own' }],
      })),
    })
    expect(() => inlineFunctions({ ...makeModel(graph), extra: deep })).toThrow(/more than 100 deep/)
  })
})
