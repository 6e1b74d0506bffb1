import { bool, int64, numbersOf } from '../../base/index.ts'
import { GraphBuilder } from '../builder.ts'
import { readsOf } from '../graph.ts'
import { graphOf, intOf, makeNode, nodeLabel } from '../node.ts'
import type { Graph, Node } from '../types.ts'
import { splitInto, squeezed, unsqueezed } from './axes.ts'
import { aliases, instantiate } from './instantiate.ts'
import type { Known } from './types.ts'

/** What stands for a value that is no tensor: the tensors of a sequence, by name, or an optional that holds nothing. */
type Parts = readonly string[] | 'nothing'

export const sequenceOperators: ReadonlySet<string> = new Set([
  'SequenceEmpty',
  'SequenceConstruct',
  'SequenceInsert',
  'SequenceErase',
  'SequenceAt',
  'SequenceLength',
  'SequenceMap',
  'SplitToSequence',
  'ConcatFromSequence',
  'Optional',
  'OptionalGetElement',
  'OptionalHasElement',
])

/**
 * Follows sequences and optionals by their parts, so that whatever takes a tensor out of one takes the tensor itself. In place;
 * what depends on positions not known before the graph runs stays as it is.
 * @returns whether anything changed
 */
export const followSequences = (known: Known): boolean => {
  const { graph } = known
  const parts = new Map<string, Parts>()
  const old = new Set(graph.nodes)
  let changed = false
  graph.nodes = graph.nodes.flatMap((node) => {
    const nodes = follow(node, known, parts)
    if (nodes === undefined) return [node]
    changed ||= !nodes.includes(node)
    return nodes
  })
  if (parts.size > 0) dropUnread(graph, parts, old)
  return changed
}

/** Drops what nothing reads: nodes whose results were followed, and new ones that led nowhere. */
const dropUnread = (graph: Graph, parts: ReadonlyMap<string, Parts>, old: ReadonlySet<Node>): void => {
  const read = new Set(graph.outputs.map(({ name }) => name))
  const kept = graph.nodes.toReversed().filter((node) => {
    const goes = !old.has(node) || node.outputs.every((name) => parts.has(name))
    if (goes && !node.outputs.some((name) => read.has(name))) return false
    for (const name of readsOf(node)) read.add(name)
    return true
  })
  graph.nodes = kept.reverse()
}

/** @returns the nodes in the node's place; itself where only its parts were noted */
const follow = (node: Node, known: Known, parts: Map<string, Parts>): readonly Node[] | undefined => {
  const [first = '', second = ''] = node.inputs
  const output = node.outputs[0] ?? ''
  const list = parts.get(first)
  const noted = (found: Parts): Node[] => {
    parts.set(output, found)
    return [node]
  }
  /** An index, counted from the front; the last one where none is given. */
  const index = (input: string | undefined, size: number, absent: number): number | undefined => {
    if (!input) return absent
    const tensor = known.constant(input)
    if (!tensor) return undefined
    const given = numbersOf(tensor)[0]!
    const place = given < 0 ? given + size : given
    return place >= 0 && place <= size ? place : undefined
  }
  switch (node.domain === '' ? node.opType : '') {
    case 'Identity':
      return list === undefined ? undefined : noted(list)
    case 'SequenceEmpty':
      return noted([])
    case 'SequenceConstruct':
      return noted(node.inputs)
    case 'SequenceInsert': {
      if (!Array.isArray(list)) return undefined
      const at = index(node.inputs[2], list.length, list.length)
      return at === undefined ? undefined : noted(list.toSpliced(at, 0, second))
    }
    case 'SequenceErase': {
      if (!Array.isArray(list)) return undefined
      const at = index(node.inputs[1], list.length, list.length - 1)
      return at === undefined ? undefined : noted(list.toSpliced(at, 1))
    }
    case 'SequenceAt': {
      if (!Array.isArray(list)) return undefined
      const at = index(second, list.length, 0)
      return at === undefined || !list[at] ? undefined : aliases([list[at]], [output])
    }
    case 'SequenceLength':
      return Array.isArray(list) ? aliases([known.add(int64([], [list.length]))], [output]) : undefined
    case 'SplitToSequence':
      return splitUp(node, known, parts)
    case 'ConcatFromSequence':
      return Array.isArray(list) && list.length > 0 ? joined(node, known, list) : undefined
    case 'SequenceMap':
      return mapped(node, known, parts)
    case 'Optional':
      if (first === '') return noted('nothing')
      return list === undefined ? noted([first]) : noted(list)
    case 'OptionalHasElement':
      if (list === undefined && first !== '' && !known.types.has(first)) return undefined
      return aliases([known.add(bool([], [first !== '' && list !== 'nothing']))], [output])
    case 'OptionalGetElement':
      if (list === undefined) return known.types.has(first) ? aliases([first], [output]) : undefined
      if (list === 'nothing') return undefined
      // An optional tensor is its one part; of an optional sequence the parts go on.
      return known.types.has(output) ? aliases(list, [output]) : noted(list)
    default:
      return undefined
  }
}

/** Pieces of an axis: of the sizes given, of one size and a shorter last, or single ones. */
const splitUp = (node: Node, known: Known, parts: Map<string, Parts>): readonly Node[] | undefined => {
  const [x = '', split = ''] = node.inputs
  const dims = known.types.get(x)?.dims
  const given = split ? known.constant(split) : undefined
  if (!dims || (split && !given)) return undefined
  const named = intOf(node, 'axis', 0)
  const axis = named < 0 ? named + dims.length : named
  const size = dims[axis]!
  const each = given ? numbersOf(given) : [1]
  const piece = given?.dims.length ? undefined : each[0]!
  const sizes =
    piece === undefined
      ? each
      : Array.from({ length: Math.ceil(size / piece) }, (_, i) => Math.min(piece, size - i * piece))
  const nodes: Node[] = []
  const b = new GraphBuilder(known.graph, known.fresh('sequence'), nodes)
  const pieces = sizes.length === 1 ? [x] : splitInto(b, known, x, sizes, axis)
  const squeezes = !split && intOf(node, 'keepdims', 1) === 0
  parts.set(node.outputs[0]!, squeezes ? pieces.map((one) => squeezed(b, known, one, axis)) : pieces)
  return [...nodes, node]
}

const joined = (node: Node, known: Known, list: readonly string[]): readonly Node[] => {
  const nodes: Node[] = []
  const b = new GraphBuilder(known.graph, known.fresh('sequence'), nodes)
  const axis = intOf(node, 'axis', 0)
  const fresh = intOf(node, 'new_axis', 0) === 1
  const pieces = fresh ? list.map((one) => unsqueezed(b, known, one, axis)) : list
  return [...nodes, makeNode('Concat', pieces, node.outputs, { axis })]
}

/** The body once for every element of the first sequence; further inputs are sequences of as many, or tensors. */
const mapped = (node: Node, known: Known, parts: Map<string, Parts>): readonly Node[] | undefined => {
  const body: Graph | undefined = graphOf(node, 'body')
  const list = parts.get(node.inputs[0] ?? '')
  const others = node.inputs.slice(1).map((name) => parts.get(name) ?? (known.types.has(name) ? name : undefined))
  if (!body || !Array.isArray(list) || others.some((one) => one === undefined || one === 'nothing')) return undefined
  const instances = list.map((element: string, i: number) => {
    const inputs = others.map((one) => (Array.isArray(one) ? one[i]! : String(one)))
    return instantiate(body, [element, ...inputs], `${nodeLabel(node)}/${i}`, known)
  })
  node.outputs.forEach((name, k) => {
    if (name)
      parts.set(
        name,
        instances.map((instance) => instance.outputs[k]!),
      )
  })
  return [...instances.flatMap((instance) => instance.nodes), node]
}
