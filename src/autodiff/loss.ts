import { sizeOf, type TensorType, UsageError } from '../base/index.ts'
import type { GraphBuilder } from '../onnx/index.ts'

/** What a loss reads beside the network's output, by the name of the graph input it becomes. */
export type Targets = { readonly [name: string]: TensorType }

/** A loss: emits the nodes that turn the network's output into a scalar. */
export type Loss = {
  readonly name: LossName
  /** The inputs it adds for an output of shape `dims`: int64 class ids `labels`, a float32 `target`, a `teacher`'s output. */
  targets(dims: readonly number[]): Targets
  build(b: GraphBuilder, output: string, targets: { readonly [name: string]: string }, dims: readonly number[]): string
}

export type LossName = keyof typeof makers

export type LossOptions = {
  /** Distillation: softens both answers; 4. */
  readonly temperature?: number
  /** Distillation: the teacher's share of the loss, the labels have the rest; 0.7. */
  readonly weight?: number
}

const labelsOf = (dims: readonly number[]): TensorType => ({
  type: 'int64',
  dims: dims.filter((_, axis) => axis !== 1),
})

/** L = −1/N Σ_n log softmax(z_n)[y_n]; z is [N, C] or [N, C, d…], y the class ids [N] or [N, d…]. */
const crossEntropy = (): Omit<Loss, 'name'> => ({
  targets: (dims) => ({ labels: labelsOf(dims) }),
  build: (b, output, { labels }) => b.ops('SoftmaxCrossEntropyLoss', [output, labels!], 2, { reduction: 'mean' })[0]!,
})

/** L = 1/K Σ_k (z_k − t_k)² over all K elements. */
const meanSquaredError = (): Omit<Loss, 'name'> => ({
  targets: (dims) => ({ target: { type: 'float32', dims } }),
  build: (b, output, { target }, dims) => {
    const difference = b.op('Sub', [output, target!])
    const total = b.op('ReduceSum', [b.op('Mul', [difference, difference])], { keepdims: 0 })
    return b.op('Mul', [total, b.scalar(1 / sizeOf(dims))])
  },
})

/**
 * L = w·T²·KL(softmax(t/T) ‖ softmax(z/T)) + (1−w)·cross-entropy(z, y): the teacher's answer t, softened by T, says more
 * than the label alone; T² keeps the two gradients in proportion. Hinton, Vinyals and Dean 2015, §2.
 */
const distillation = ({ temperature = 4, weight = 0.7 }: LossOptions): Omit<Loss, 'name'> => ({
  targets: (dims) => ({ labels: labelsOf(dims), teacher: { type: 'float32', dims } }),
  build: (b, output, targets, dims) => {
    const cooled = (value: string) => b.op('Mul', [value, b.scalar(1 / temperature)])
    const student = b.op('LogSoftmax', [cooled(output)], { axis: 1 })
    const teacher = b.op('LogSoftmax', [cooled(targets.teacher!)], { axis: 1 })
    const divergence = b.op('Mul', [b.op('Exp', [teacher]), b.op('Sub', [teacher, student])])
    const share = (weight * temperature ** 2 * (dims[1] ?? 1)) / sizeOf(dims)
    const soft = b.op('Mul', [b.op('ReduceSum', [divergence], { keepdims: 0 }), b.scalar(share)])
    const hard = crossEntropy().build(b, output, targets, dims)
    return b.op('Add', [soft, b.op('Mul', [hard, b.scalar(1 - weight)])])
  },
})

const makers = { 'cross-entropy': crossEntropy, mse: meanSquaredError, distillation }

const isLossName = (name: string): name is LossName => Object.hasOwn(makers, name)

/** The losses there are. */
export const lossNames: readonly string[] = Object.keys(makers)

/** The loss of a name. @throws UsageError listing the names there are. */
export const lossNamed = (name: string, options: LossOptions = {}): Loss => {
  if (!isLossName(name))
    throw new UsageError(`there is no loss '${name}'`, { remedy: `use one of ${lossNames.join(', ')}` })
  return { name, ...makers[name](options) }
}
