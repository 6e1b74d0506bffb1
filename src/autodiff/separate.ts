import { copyModel, type Model, nodeLabel } from '../onnx/index.ts'

/**
 * Gives back what an exporter merged: equal tensors become one, so that a fresh BatchNormalization's scale is its running
 * variance too, and training one would move the other. Vectors read through an Identity become initializers under the
 * Identity's name, and running statistics that something else reads too get copies of their own. Larger weights read
 * through an Identity stay tied, as embeddings are.
 */
export const separateMerged = (model: Model): Model => {
  const copy = copyModel(model)
  const { graph } = copy
  const outputs = new Set(graph.outputs.map(({ name }) => name))
  graph.nodes = graph.nodes.filter((node) => {
    const [from = '', name = ''] = [node.inputs[0], node.outputs[0]]
    const tensor = graph.initializers.get(from)
    if (node.opType !== 'Identity' || node.domain !== '' || outputs.has(name)) return true
    if (tensor?.type !== 'float32' || tensor.dims.length !== 1) return true
    graph.initializers.set(name, tensor)
    return false
  })
  const reads = new Map<string, number>()
  for (const { inputs } of graph.nodes) for (const name of inputs) reads.set(name, (reads.get(name) ?? 0) + 1)
  for (const node of graph.nodes)
    if (node.opType === 'BatchNormalization' && node.domain === '')
      for (const [input, kind] of [
        [3, 'running_mean'],
        [4, 'running_var'],
      ] as const) {
        const name = node.inputs[input] ?? ''
        const tensor = graph.initializers.get(name)
        const own = `${nodeLabel(node)}.${kind}`
        if (!tensor || (reads.get(name) ?? 0) < 2 || graph.initializers.has(own)) continue
        reads.set(name, reads.get(name)! - 1)
        node.inputs[input] = own
        graph.initializers.set(own, tensor)
      }
  return copy
}
