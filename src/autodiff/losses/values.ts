import { sizeOf } from '../../base/index.ts'
import type { GraphBuilder } from '../../onnx/index.ts'
import { perClass } from './classes.ts'
import type { LossOptions, Rule } from './types.ts'

/** A mean over all K elements of what `term` makes of each output and its target. */
const meanOf = (term: (b: GraphBuilder, output: string, target: string, dims: readonly number[]) => string): Rule => ({
  scores: false,
  separable: true,
  targets: (dims) => ({ target: { type: 'float32', dims } }),
  build: (b, output, { target }, dims) => {
    const total = b.op('ReduceSum', [term(b, output, target!, dims)], { keepdims: 0 })
    return b.op('Mul', [total, b.scalar(1 / sizeOf(dims))])
  },
})

/** L = 1/K Σ_k (z_k − t_k)² */
export const meanSquaredError = (): Rule =>
  meanOf((b, output, target) => {
    const difference = b.op('Sub', [output, target])
    return b.op('Mul', [difference, difference])
  })

/**
 * L = 1/K Σ_k h(|z_k − t_k|), h(a) = a²/2 up to δ and δ·(a − δ/2) from there. With q = min(a, δ) both are q·(a − q/2).
 * Huber 1964; PyTorch's `HuberLoss`.
 */
export const huber = ({ delta = 1 }: LossOptions): Rule =>
  meanOf((b, output, target) => {
    const size = b.op('Abs', [b.op('Sub', [output, target])])
    const capped = b.op('Min', [size, b.scalar(delta)])
    return b.op('Mul', [capped, b.op('Sub', [size, b.op('Mul', [capped, b.scalar(0.5)])])])
  })

/**
 * L = 1/K Σ_k w·(log(1 + e^z_k) − z_k·t_k): −t·log σ(z) − (1−t)·log(1−σ(z)) without overflow; w weighs the classes of axis
 * 1, and smoothing moves each target towards ½. PyTorch's `BCEWithLogitsLoss`.
 */
export const binaryCrossEntropy = ({ classWeights, labelSmoothing = 0 }: LossOptions): Rule => ({
  ...meanOf((b, output, target, dims) => {
    const smooth = () =>
      b.op('Add', [b.op('Mul', [target, b.scalar(1 - labelSmoothing)]), b.scalar(labelSmoothing / 2)])
    const wanted = labelSmoothing === 0 ? target : smooth()
    const terms = b.op('Sub', [b.op('Softplus', [output]), b.op('Mul', [output, wanted])])
    return classWeights ? b.op('Mul', [terms, b.constant(perClass(classWeights, dims), 'class_weights')]) : terms
  }),
  scores: true,
})
