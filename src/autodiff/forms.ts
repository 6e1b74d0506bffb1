import { consumersOf, float, floatOf, type Graph, intOf, type Node } from '../onnx/index.ts'

/** An initializer the forward pass of training replaces (a running statistic), and the value that replaces it. */
export type Update = { readonly initializer: string; readonly value: string }

/**
 * Turns a graph into its training form, in place: BatchNormalization uses the statistics of the batch and reports the
 * running ones it would go on with (opset ≥ 14, `training_mode`).
 * A node exported in training mode already is left as it is.
 */
export const trainForm = (graph: Graph, fresh: (hint: string) => string): Update[] =>
  graph.nodes
    .filter(isBatchNormalization)
    .map((node) => {
      node.attributes.set('training_mode', { type: 'INT', value: 1n })
      node.attributes.set('momentum', float(floatOf(node, 'momentum', 0.9)))
      for (const output of [1, 2]) node.outputs[output] ||= fresh(['', 'running_mean', 'running_var'][output]!)
      return node
    })
    .flatMap(updatesOf)

/** Turns a graph into its inference form, in place: BatchNormalization uses the running statistics. */
export const evalForm = (graph: Graph): void => {
  for (const node of graph.nodes)
    if (isBatchNormalization(node) && intOf(node, 'training_mode', 0) !== 0) {
      node.attributes.delete('training_mode')
      node.outputs.length = 1
    }
}

const isBatchNormalization = (node: Node) => node.opType === 'BatchNormalization' && node.domain === ''

const updatesOf = (node: Node): Update[] =>
  [1, 2].map((output) => ({ initializer: node.inputs[output + 2]!, value: node.outputs[output]! }))

/**
 * MaxPool(Relu(x)) = Relu(MaxPool(x)), since ReLU keeps order: the second does ReLU's work, forward and backward, on a
 * fraction of the values. In place, wherever nothing else reads the Relu's output.
 */
export const poolBeforeRelu = (graph: Graph): void => {
  const readers = consumersOf(graph)
  const named = new Set(graph.outputs.map((output) => output.name))
  for (const relu of graph.nodes) {
    const [x, y] = [relu.inputs[0]!, relu.outputs[0]!]
    const [pool, ...others] = readers.get(y) ?? []
    if (relu.opType !== 'Relu' || others.length > 0 || named.has(y) || !isPlainMaxPool(pool)) continue
    const pooled = pool.outputs[0]!
    Object.assign(relu, { ...pool, inputs: [x], outputs: [y] })
    Object.assign(pool, { ...plainRelu, inputs: [y], outputs: [pooled], attributes: new Map() })
  }
}

const plainRelu = { opType: 'Relu', domain: '', name: '' }

const isPlainMaxPool = (node: Node | undefined): node is Node =>
  node?.opType === 'MaxPool' && node.domain === '' && !node.outputs[1]
