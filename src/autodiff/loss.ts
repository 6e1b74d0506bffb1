import { UsageError } from '../base/index.ts'
import type { GraphBuilder } from '../onnx/index.ts'

/** A loss: emits the nodes that turn the network's output into a scalar. */
export type Loss = {
  readonly name: LossName
  /** The input the loss adds to the graph: int64 class ids [N, ...] or a float32 target shaped like the output. */
  readonly target: 'labels' | 'target'
  build(b: GraphBuilder, output: string, target: string, dims: readonly number[]): string
}

export type LossName = 'cross-entropy' | 'mse'

/** L = −1/N Σ_n log softmax(z_n)[y_n]; z is [N, C] or [N, C, d…], y the class ids [N] or [N, d…]. */
const crossEntropy: Loss = {
  name: 'cross-entropy',
  target: 'labels',
  build: (b, output, labels) => b.ops('SoftmaxCrossEntropyLoss', [output, labels], 2, { reduction: 'mean' })[0]!,
}

/** L = 1/K Σ_k (z_k − t_k)² over all K elements. */
const meanSquaredError: Loss = {
  name: 'mse',
  target: 'target',
  build: (b, output, target, dims) => {
    const difference = b.op('Sub', [output, target])
    const total = b.op('ReduceSum', [b.op('Mul', [difference, difference])], { keepdims: 0 })
    return b.op('Mul', [total, b.scalar(1 / dims.reduce((size, dim) => size * dim, 1))])
  },
}

export const losses: Record<LossName, Loss> = { 'cross-entropy': crossEntropy, mse: meanSquaredError }

/** The loss of a name. @throws UsageError listing the names there are. */
export const lossNamed = (name: string): Loss => {
  const loss = Object.values(losses).find((candidate) => candidate.name === name)
  if (!loss)
    throw new UsageError(`there is no loss '${name}'`, { remedy: `use one of ${Object.keys(losses).join(', ')}` })
  return loss
}
