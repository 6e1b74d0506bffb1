import { float32, sizeOf, type TensorType, UsageError } from '../../base/index.ts'
import type { GraphBuilder } from '../../onnx/index.ts'
import type { LossOptions, Rule } from './types.ts'

const labelsOf = (dims: readonly number[]): TensorType => ({
  type: 'int64',
  dims: dims.filter((_, axis) => axis !== 1),
})

/** A tensor of one number per class, shaped to go along axis 1 of `dims`. */
export const perClass = (values: readonly number[], dims: readonly number[]) => {
  const classes = dims[1] ?? 1
  if (values.length !== classes)
    throw new UsageError(`${values.length} class weights for ${classes} outputs`, {
      remedy: 'give one weight for each class',
    })
  return float32([classes, ...dims.slice(2).map(() => 1)], values)
}

const sumOf = (b: GraphBuilder, value: string) => b.op('ReduceSum', [value], { keepdims: 0 })

/**
 * Scores z are [N, C] or [N, C, d…], labels y the class ids [N] or [N, d…]; n runs over all positions.
 *
 *   L = (1−ε)·Σ_n w[y_n]·(−log p_n[y_n]) / W + ε/C·Σ_n Σ_c w[c]·(−log p_n[c]) / W,   p = softmax(z), W = Σ_n w[y_n]
 *
 * with w = 1 without class weights; positions of the ignored label count in no sum. The definition of PyTorch's
 * `CrossEntropyLoss`.
 */
export const crossEntropy = ({ labelSmoothing = 0, classWeights, ignoreIndex }: LossOptions): Rule => ({
  scores: true,
  separable: classWeights === undefined && ignoreIndex === undefined,
  counts: (label) => label !== ignoreIndex && classWeights?.[label] !== 0,
  targets: (dims) => ({ labels: labelsOf(dims) }),
  build: (b, output, targets, dims) => {
    const labels = targets.labels!
    const shaped = classWeights && perClass(classWeights, dims)
    const weights = shaped && b.constant({ ...shaped, dims: [classWeights.length] }, 'class_weights')
    const inputs = [output, labels, ...(weights === undefined ? [] : [weights])]
    const attributes = { reduction: 'mean', ...(ignoreIndex !== undefined && { ignore_index: ignoreIndex }) }
    if (labelSmoothing === 0) return b.ops('SoftmaxCrossEntropyLoss', inputs, 2, attributes)[0]!
    const [hard, logs] = b.ops('SoftmaxCrossEntropyLoss', inputs, 2, attributes)
    const counted = weightOf(b, labels, weights, ignoreIndex)
    const total = counted === undefined ? b.scalar(sizeOf(labelsOf(dims).dims)) : sumOf(b, counted)
    const weighed = shaped ? b.op('Mul', [logs!, b.constant(shaped, 'class_weights')]) : logs!
    const everyClass = b.op('ReduceSum', [weighed, b.ints([1])], { keepdims: 0 })
    const kept = ignoreIndex === undefined ? everyClass : b.op('Mul', [everyClass, kindOf(b, labels, ignoreIndex).kept])
    const even = b.op('Div', [sumOf(b, kept), total])
    return b.op('Sub', [
      b.op('Mul', [hard!, b.scalar(1 - labelSmoothing)]),
      b.op('Mul', [even, b.scalar(labelSmoothing / (dims[1] ?? 1))]),
    ])
  },
})

/** Where the label is the ignored one: class 0 in its place, and 1 or 0 for whether it counts. */
const kindOf = (b: GraphBuilder, labels: string, ignoreIndex: number) => {
  const id = (value: number) => b.constant({ ...wholeNumber(value), dims: [] })
  const skipped = b.op('Equal', [labels, id(ignoreIndex)])
  return {
    classes: b.op('Where', [skipped, id(0), labels]),
    kept: b.op('Cast', [b.op('Not', [skipped])], { to: 1 }),
  }
}

const wholeNumber = (value: number) => ({
  type: 'int64' as const,
  bytes: new Uint8Array(BigInt64Array.of(BigInt(value)).buffer),
})

/** w[y_n], 0 where the label is ignored; undefined where all are 1. */
const weightOf = (b: GraphBuilder, labels: string, weights: string | undefined, ignoreIndex: number | undefined) => {
  const kind = ignoreIndex === undefined ? undefined : kindOf(b, labels, ignoreIndex)
  const given = weights && b.op('Gather', [weights, kind?.classes ?? labels], { axis: 0 })
  return given && kind ? b.op('Mul', [given, kind.kept]) : (given ?? kind?.kept)
}

/**
 * L = T²·1/N Σ_n KL(softmax(t_n/T) ‖ softmax(z_n/T)): the teacher's answer t, softened by T, says more than a label alone;
 * T² keeps the size of the gradient whatever the temperature. Hinton, Vinyals and Dean 2015, §2.
 */
export const divergence = ({ temperature = 4 }: LossOptions): Rule => ({
  scores: true,
  separable: true,
  targets: (dims) => ({ teacher: { type: 'float32', dims } }),
  build: (b, output, targets, dims) => {
    const cooled = (value: string) => b.op('Mul', [value, b.scalar(1 / temperature)])
    const student = b.op('LogSoftmax', [cooled(output)], { axis: 1 })
    const teacher = b.op('LogSoftmax', [cooled(targets.teacher!)], { axis: 1 })
    const terms = b.op('Mul', [b.op('Exp', [teacher]), b.op('Sub', [teacher, student])])
    return b.op('Mul', [sumOf(b, terms), b.scalar((temperature ** 2 * (dims[1] ?? 1)) / sizeOf(dims))])
  },
})

/** L = w·divergence(z, t) + (1−w)·cross-entropy(z, y): taught by a network and by the labels. */
export const distillation = (options: LossOptions): Rule => {
  const { weight = 0.7 } = options
  const [soft, hard] = [divergence(options), crossEntropy(options)]
  return {
    scores: true,
    separable: hard.separable,
    ...(hard.counts && { counts: hard.counts }),
    targets: (dims) => ({ ...hard.targets(dims), ...soft.targets(dims) }),
    build: (b, output, targets, dims) =>
      b.op('Add', [
        b.op('Mul', [soft.build(b, output, targets, dims), b.scalar(weight)]),
        b.op('Mul', [hard.build(b, output, targets, dims), b.scalar(1 - weight)]),
      ]),
  }
}
