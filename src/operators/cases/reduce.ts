import { int64 } from '../../base/index.ts'
import type { InputSpec, OperatorCase } from './types.ts'

const positive = { dims: [2, 3, 2], low: 0.5, high: 2 }
const apart = { dims: [2, 3, 2], apart: 0.3 }

const inputs: Record<string, InputSpec> = {
  ReduceSum: [2, 3, 2],
  ReduceMean: [2, 3, 2],
  ReduceMax: apart,
  ReduceMin: apart,
  ReduceProd: positive,
  ReduceL1: apart,
  ReduceL2: [2, 3, 2],
  ReduceLogSum: positive,
  ReduceLogSumExp: [2, 3, 2],
  ReduceSumSquare: [2, 3, 2],
}

/** All forms of one reduction: axes as an attribute until opset 17 (ReduceSum: 12), as an input from 18 (13). */
const reductions = (op: string): OperatorCase[] => {
  const X = inputs[op]!
  const opset = op === 'ReduceSum' ? 17 : 18
  const given = (name: string, axes: number[], attributes: Record<string, number>): OperatorCase => ({
    op,
    name,
    inputs: { X, axes: int64([axes.length], axes) },
    attributes,
    opset,
  })
  const attributed: OperatorCase[] =
    op === 'ReduceSum'
      ? []
      : [
          {
            op,
            name: 'axes attribute, no keepdims',
            inputs: { X },
            attributes: { axes: [0, -1], keepdims: 0 },
            opset: 17,
          },
        ]
  return [
    { op, name: 'all axes', inputs: { X }, opset },
    { op, name: 'all axes, no keepdims', inputs: { X }, attributes: { keepdims: 0 }, opset },
    given('axes input', [1], { keepdims: 1 }),
    given('axes input, no keepdims', [-1, 0], { keepdims: 0 }),
    ...attributed,
    ...(op === 'ReduceLogSum' || op === 'ReduceL1'
      ? []
      : [{ op, name: 'nothing to reduce', inputs: { X }, attributes: { noop_with_empty_axes: 1 }, opset }]),
  ]
}

const cumulative = (exclusive: number, reverse: number, axis: number): OperatorCase => ({
  op: 'CumSum',
  name: `exclusive ${exclusive}, reverse ${reverse}, axis ${axis}`,
  inputs: { X: [2, 3, 2], axis: int64([], [axis]) },
  attributes: { exclusive, reverse },
})

const softmaxes = ['Softmax', 'LogSoftmax'].flatMap((op): OperatorCase[] => [
  { op, name: 'defaults', inputs: { X: [2, 3, 4] } },
  { op, name: 'axis 1', inputs: { X: [2, 3, 4] }, attributes: { axis: 1 } },
  { op, name: 'defaults, flattened', inputs: { X: [2, 3, 4] }, opset: 11 },
  { op, name: 'axis -1, flattened', inputs: { X: [2, 3, 4] }, attributes: { axis: -1 }, opset: 11 },
])

const losses = ['SoftmaxCrossEntropyLoss', 'NegativeLogLikelihoodLoss'].flatMap((op): OperatorCase[] => {
  const base = { op, inputs: { X: [3, 4], labels: int64([3], [1, 0, 3]) } }
  const weights = { dims: [4], low: 0.5, high: 2 }
  const checked = ['X']
  return [
    { ...base, name: 'mean' },
    { ...base, name: 'sum', attributes: { reduction: 'sum' } },
    { ...base, name: 'each', attributes: { reduction: 'none' } },
    { ...base, name: 'a label left out', attributes: { ignore_index: 0 } },
    {
      ...base,
      name: 'a label of no class left out, per pixel',
      inputs: { X: [2, 3, 2, 1], labels: int64([2, 2, 1], [1, -100, 2, 0]) },
      attributes: { ignore_index: -100 },
    },
    ...['mean', 'sum', 'none'].map((reduction) => ({
      ...base,
      name: `weights, ${reduction}`,
      inputs: { ...base.inputs, weights },
      attributes: { reduction, ignore_index: 3 },
      checked,
    })),
  ]
})

export const reduceCases: readonly OperatorCase[] = [
  ...Object.keys(inputs).flatMap(reductions),
  ...[0, 1].flatMap((exclusive) => [0, 1].map((reverse) => cumulative(exclusive, reverse, reverse - exclusive))),
]

export const softmaxCases: readonly OperatorCase[] = [
  ...softmaxes,
  ...losses,
  {
    op: 'SoftmaxCrossEntropyLoss',
    name: 'with log probabilities',
    inputs: { X: [2, 3, 2], labels: int64([2, 2], [1, 0, 2, 0]) },
    outputs: 2,
  },
]
