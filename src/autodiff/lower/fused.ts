import { aliases, GraphBuilder, type Known, type Node } from '../../onnx/index.ts'
import { type Emitter, loweringOf } from '../../operators/index.ts'

/**
 * Writes the fused operators among the nodes that vary with a wanted value in plain ones. In place.
 * @returns whether anything changed
 */
export const unfuse = (known: Known, varying: ReadonlySet<string>): boolean => {
  let changed = false
  known.graph.nodes = known.graph.nodes.flatMap((node) => {
    const lower = node.inputs.some((name) => varying.has(name)) ? loweringOf(node) : undefined
    const type = (name: string) => known.types.get(name)
    if (!lower || [...node.inputs, ...node.outputs.slice(0, 1)].some((name) => name && !type(name))) return [node]
    const nodes: Node[] = []
    const e: Emitter = {
      node,
      opset: known.opset,
      dims: (name) => type(name)!.dims,
      type: (name) => type(name)!.type,
      constant: known.constant,
      b: new GraphBuilder(known.graph, known.fresh(node.opType), nodes),
    }
    const found = lower(e)
    changed = true
    return [
      ...nodes,
      ...aliases(
        found.map((name) => name ?? ''),
        node.outputs,
      ),
    ]
  })
  return changed
}
