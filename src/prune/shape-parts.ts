import { numbersOf, type Tensor } from '../base/index.ts'
import { attribute, consumersOf, copyNode, type Graph, intOf, type Node } from '../onnx/index.ts'

/**
 * A Shape node hands out all sizes of its input, but most are asked for one: `x.shape[0]` is Shape → Gather 0. Only sizes
 * somebody reads tie the axis down. The node is given back as one Shape of each stretch of axes that is read (the attributes
 * `start` and `end` say which); any other node as itself.
 */
export const shapeParts = (
  graph: Graph,
  constant: (name: string) => Tensor | undefined,
): ((node: Node) => readonly Node[]) => {
  const consumers = consumersOf(graph)
  const outputs = new Set(graph.outputs.map((output) => output.name))
  const gathered = (reader: Node, value: string): readonly number[] | undefined => {
    if (reader.opType !== 'Gather' || reader.inputs[0] !== value || intOf(reader, 'axis', 0) !== 0) return undefined
    const indices = constant(reader.inputs[1] ?? '')
    return indices && numbersOf(indices)
  }
  return (node) => {
    const value = node.outputs[0] ?? ''
    const whole = node.attributes.has('start') || node.attributes.has('end') || outputs.has(value)
    if (node.opType !== 'Shape' || node.domain !== '' || whole) return [node]
    const reads = (consumers.get(value) ?? []).map((reader) => gathered(reader, value))
    // A negative index counts from the end: `start` and `end` of a part may too.
    if (!reads.every((indices) => indices !== undefined)) return [node]
    const read = [...new Set(reads.flat())]
    return read.length === 0 ? [part(node, 0, 0)] : read.map((index) => part(node, index, index + 1))
  }
}

const part = (node: Node, start: number, end: number): Node => {
  const copy = copyNode(node)
  copy.attributes.set('start', attribute(start))
  // Counted from the end there is no number for "to the end".
  if (start >= 0 || end < 0) copy.attributes.set('end', attribute(end))
  return copy
}
