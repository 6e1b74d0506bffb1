import { int64, numbersOf, sizeOf, type Tensor } from '../base/index.ts'
import { intOf, makeNode } from './node.ts'
import type { Graph, Node } from './types.ts'

type Known = (name: string) => Tensor | undefined

/** The elements of each list of tensors, by the list's name. */
type Lists = Map<string, readonly string[]>

/**
 * Reads elements of lists of tensors straight from where they come from, wherever the positions are known, and drops list
 * nodes that nothing reads any more. In place.
 * @returns whether anything was replaced
 */
export const forwardSequences = (graph: Graph, known: Known): boolean => {
  if (!graph.nodes.some(({ opType }) => makers.has(opType))) return false
  const lists: Lists = new Map()
  const nodes = graph.nodes.flatMap((node) => {
    const list = node.domain === '' ? listOf(node, lists, known) : undefined
    if (list) lists.set(node.outputs[0]!, list)
    return readerOf(node, lists, graph, known) ?? [node]
  })
  const changed = nodes.some((node, i) => node !== graph.nodes[i])
  const read = new Set(graph.outputs.map(({ name }) => name))
  const kept = nodes.toReversed().filter((node) => {
    if (node.outputs.every((name) => lists.has(name) && !read.has(name))) return false
    for (const name of node.inputs) read.add(name)
    return true
  })
  graph.nodes = kept.reverse()
  return changed
}

const makers = new Set(['SequenceEmpty', 'SequenceConstruct', 'SequenceInsert', 'SequenceErase'])

/** The place a position names, counted from the end when negative; undefined where it is not known or not there. */
const placeOf = (name: string | undefined, length: number, known: Known): number | undefined => {
  const tensor = name ? known(name) : undefined
  if (!tensor || sizeOf(tensor.dims) !== 1) return undefined
  const position = numbersOf(tensor)[0]!
  const place = position < 0 ? position + length : position
  return place >= 0 && place <= length ? place : undefined
}

/** The elements of the list a node makes. */
const listOf = (node: Node, lists: Lists, known: Known): readonly string[] | undefined => {
  if (node.opType === 'SequenceEmpty') return []
  if (node.opType === 'SequenceConstruct') return node.inputs
  const list = lists.get(node.inputs[0] ?? '')
  if (!list) return undefined
  if (node.opType === 'Identity') return list
  if (node.opType === 'SequenceInsert') {
    const place = node.inputs[2] ? placeOf(node.inputs[2], list.length, known) : list.length
    return place === undefined ? undefined : list.toSpliced(place, 0, node.inputs[1]!)
  }
  if (node.opType === 'SequenceErase') {
    const place = node.inputs[1] ? placeOf(node.inputs[1], list.length, known) : list.length - 1
    return place === undefined ? undefined : list.toSpliced(place, 1)
  }
  return undefined
}

/** What stands in the place of a node that reads a list. */
const readerOf = (node: Node, lists: Lists, graph: Graph, known: Known): Node[] | undefined => {
  const list = node.domain === '' ? lists.get(node.inputs[0] ?? '') : undefined
  if (!list) return undefined
  const { name } = node
  if (node.opType === 'SequenceAt') {
    const element = list[placeOf(node.inputs[1], list.length, known) ?? -1]
    return element === undefined ? undefined : [makeNode('Identity', [element], node.outputs, {}, { name })]
  }
  if (node.opType === 'SequenceLength') {
    graph.initializers.set(node.outputs[0]!, int64([], [list.length]))
    return []
  }
  if (node.opType === 'ConcatFromSequence' && intOf(node, 'new_axis', 0) === 0 && list.length > 0)
    return [makeNode('Concat', list, node.outputs, { axis: intOf(node, 'axis', 0) }, { name })]
  return undefined
}
