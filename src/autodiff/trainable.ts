import { sizeOf, UsageError } from '../base/index.ts'
import type { Graph, Node } from '../onnx/index.ts'

/**
 * The initializers that training would change: floating-point ones that some node uses as a weight. Left out are running
 * statistics, which the forward pass updates by itself, and lone numbers used as factors or bounds (a √d, an epsilon).
 */
export const trainableInitializers = (graph: Graph): string[] => {
  const statistics = new Set<string>()
  const weights = new Set<string>()
  for (const node of graph.nodes)
    for (const [position, name] of node.inputs.entries()) {
      const tensor = graph.initializers.get(name)
      if (tensor?.type !== 'float32') continue
      if (isStatistic(node, position)) statistics.add(name)
      else if (sizeOf(tensor.dims) > 1 || learnsScalars.has(node.opType)) weights.add(name)
    }
  return [...weights].filter((name) => !statistics.has(name))
}

const isStatistic = (node: Node, position: number) => node.opType === 'BatchNormalization' && position >= 3

/** Operators whose parameters are learnt even when they are a single number. */
const learnsScalars = new Set(['Conv', 'ConvTranspose', 'Gemm', 'PRelu', 'BatchNormalization', 'LayerNormalization'])

/** @throws UsageError when one of `names` is not a float32 initializer of the graph. */
export const checkTrainable = (graph: Graph, names: readonly string[]): void => {
  for (const name of names) {
    const tensor = graph.initializers.get(name)
    if (tensor?.type === 'float32') continue
    throw new UsageError(
      tensor ? `'${name}' is ${tensor.type} and only float32 can be trained` : `the model has no initializer '${name}'`,
      { remedy: `trainable are ${trainableInitializers(graph).slice(0, 8).join(', ')}…` },
    )
  }
}
