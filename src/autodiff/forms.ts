import { consumersOf, float, floatOf, type Graph, GraphBuilder, intOf, makeNode, type Node } from '../onnx/index.ts'

/**
 * An initializer the forward pass of training replaces (a running statistic), the value that replaces it, and the value that
 * holds the batch's own statistic.
 */
export type Update = { readonly initializer: string; readonly value: string; readonly batch: string }

/**
 * Turns a graph into its training form, in place: BatchNormalization uses the statistics of the batch (opset ≥ 14,
 * `training_mode`), and the running ones go on as r′ = ρ·r + (1 − ρ)·batch. The operator is given momentum 0, so that it tells
 * the batch's own statistics, which its gradient needs; and blank statistics of its own, since ONNX Runtime writes over them.
 */
export const trainForm = (graph: Graph): Update[] => {
  const nodes: Node[] = []
  const b = new GraphBuilder(graph, 'statistics', nodes)
  const updates = graph.nodes.flatMap((node): Update[] => {
    if (!isBatchNormalization(node)) {
      nodes.push(node)
      return []
    }
    const momentum = floatOf(node, 'momentum', 0.9)
    const statistics = ([3, 4] as const).map((input) => {
      const initializer = node.inputs[input]!
      const value = node.outputs[input - 2] || b.fresh('running')
      const batch = b.fresh('batch')
      node.inputs[input] = b.op('Sub', [initializer, initializer])
      node.outputs[input - 2] = batch
      return { initializer, value, batch }
    })
    node.attributes.set('training_mode', { type: 'INT', value: 1n })
    node.attributes.set('momentum', float(0))
    nodes.push(node)
    for (const { initializer, value, batch } of statistics) {
      const kept = b.op('Mul', [initializer, b.scalar(momentum)])
      nodes.push(makeNode('Add', [kept, b.op('Mul', [batch, b.scalar(1 - momentum)])], [value]))
    }
    return statistics
  })
  graph.nodes = nodes
  return updates
}

/** Turns a graph into its inference form, in place: BatchNormalization uses the running statistics. */
export const evalForm = (graph: Graph): void => {
  for (const node of graph.nodes)
    if (isBatchNormalization(node) && intOf(node, 'training_mode', 0) !== 0) {
      node.attributes.delete('training_mode')
      node.outputs.length = 1
    }
}

const isBatchNormalization = (node: Node) => node.opType === 'BatchNormalization' && node.domain === ''

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
