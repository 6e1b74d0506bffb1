import { numbersOf } from '../base/index.ts'
import { type Graph, type Node, readsOf } from '../onnx/index.ts'

/** Operators that only move what they are given. */
const movers = new Set(['Slice', 'Transpose', 'Reshape', 'Squeeze', 'Unsqueeze', 'Identity', 'Expand', 'Tile', 'Split'])

const recurrent = new Set(['LSTM', 'GRU', 'RNN'])

/**
 * Leaves out initial states that are zeros made for the occasion, which is what their absence means. Exporters slice the
 * states of all layers from one tensor of zeros, which would couple the hidden units of every layer, and compute its size
 * from the batch's. In place.
 */
export const dropZeroStates = (graph: Graph): void => {
  const zeros = new Set<string>()
  const dropped: string[] = []
  for (const node of graph.nodes) {
    if (node.domain !== '') continue
    if (makesZeros(node) || (movers.has(node.opType) && zeros.has(node.inputs[0]!)))
      for (const name of node.outputs) zeros.add(name)
    if (!recurrent.has(node.opType)) continue
    for (const i of [5, 6])
      if (zeros.has(node.inputs[i] ?? '')) {
        dropped.push(node.inputs[i]!)
        node.inputs[i] = ''
      }
    while (node.inputs.at(-1) === '') node.inputs.pop()
  }
  if (dropped.length > 0) dropUnreadNodes(graph)
}

const makesZeros = ({ opType, attributes }: Node): boolean => {
  if (opType !== 'ConstantOfShape') return false
  const value = attributes.get('value')
  return value === undefined || (value.type === 'TENSOR' && numbersOf(value.value).every((n) => n === 0))
}

/** Removes nodes nothing reads. */
export const dropUnreadNodes = (graph: Graph): void => {
  const read = new Set(graph.outputs.map((output) => output.name))
  const kept: Node[] = []
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => read.has(name))) continue
    kept.push(node)
    for (const name of readsOf(node)) read.add(name)
  }
  graph.nodes = kept.reverse()
}
