import type { TensorType } from '../../base/index.ts'
import type { GraphBuilder } from '../../onnx/index.ts'

/** What a loss reads beside the network's output, by the name of the graph input it becomes. */
export type Targets = { readonly [name: string]: TensorType }

/** A loss: emits the nodes that turn the network's output into a scalar. */
export type Loss = {
  readonly name: string
  /**
   * Whether the loss of a batch is the mean of its samples' losses, so that a batch may be split into parts of which each is
   * weighed by its share of the samples. With class weights or an ignored label it is a mean over other weights.
   */
  readonly separable: boolean
  /** Whether a sample or pixel of this label counts; left out, all do. Where none of a batch does, the loss is 0 ÷ 0. */
  readonly counts?: (label: number) => boolean
  /** Whether it reads scores, from which it takes the softmax or sigmoid itself. */
  readonly scores: boolean
  /** The value of the network that is the loss itself; left out, the loss is made of the network's output. */
  readonly value?: string
  /** The inputs it adds for an output of shape `dims`: int64 class ids `labels`, a float32 `target`, a `teacher`'s output. */
  targets(dims: readonly number[]): Targets
  build(b: GraphBuilder, output: string, targets: { readonly [name: string]: string }, dims: readonly number[]): string
}

/** A loss but for its name, which the table of losses gives. */
export type Rule = Omit<Loss, 'name'>

export type LossOptions = {
  /** Distillation: softens both answers; 4. */
  readonly temperature?: number
  /** Distillation: the teacher's share of the loss, the labels have the rest; 0.7. */
  readonly weight?: number
  /** The share of each label that is spread evenly over all classes, 0 to 1; 0. Szegedy et al. 2016, §7. */
  readonly labelSmoothing?: number
  /** A weight for each class, by its number. */
  readonly classWeights?: readonly number[]
  /** The label of samples or pixels that do not count, such as 255. */
  readonly ignoreIndex?: number
  /** Huber: the difference from which it grows linearly; 1. */
  readonly delta?: number
}
