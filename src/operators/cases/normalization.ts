import { float } from '../../onnx/index.ts'
import type { OperatorCase } from './types.ts'

type Attributes = NonNullable<OperatorCase['attributes']>

const batch = (name: string, dims: readonly number[], attributes: Attributes = {}): OperatorCase => {
  const channels = [dims[1] ?? 1]
  const training = attributes.training_mode === 1
  return {
    op: 'BatchNormalization',
    name,
    inputs: {
      X: dims,
      scale: channels,
      B: channels,
      mean: channels,
      var: { dims: channels, low: 0.5, high: 2 },
    },
    attributes,
    outputs: training ? 3 : 1,
    loss: [0],
    // In training the recorded statistics do not take part.
    ...(training ? { checked: ['X', 'scale', 'B'] } : {}),
  }
}

const layer = (
  name: string,
  dims: readonly number[],
  scale: readonly number[],
  attributes: Attributes = {},
  more: Partial<OperatorCase> = {},
): OperatorCase => ({
  op: 'LayerNormalization',
  name,
  inputs: { X: dims, Scale: scale, B: scale },
  attributes,
  type: 'float32',
  ...more,
})

const channelwise = (
  op: string,
  name: string,
  dims: readonly number[],
  parameters: number,
  attributes: Attributes = {},
  opset = 17,
): OperatorCase => ({
  op,
  name,
  inputs: { X: dims, scale: [parameters], B: [parameters] },
  attributes,
  opset,
  ...(op === 'GroupNormalization' ? { type: 'float32' } : {}),
})

const plain = (op: string, name: string, dims: readonly number[], attributes: Attributes = {}): OperatorCase => ({
  op,
  name,
  inputs: { X: dims },
  attributes,
})

export const normalizationCases: readonly OperatorCase[] = [
  batch('recorded statistics, images', [2, 3, 2, 2]),
  batch('recorded statistics, vectors', [3, 2]),
  batch('recorded statistics, epsilon', [2, 2, 3], { epsilon: float(0.1) }),
  batch('batch statistics, images', [3, 2, 2, 2], { training_mode: 1 }),
  batch('batch statistics, vectors', [5, 3], { training_mode: 1 }),
  {
    ...batch('batch statistics, and the running ones they become', [3, 2, 2], {
      training_mode: 1,
      momentum: float(0.7),
    }),
    loss: [0, 1, 2],
    checked: ['X', 'scale', 'B', 'mean', 'var'],
  },
  batch('batch statistics, volumes, epsilon, momentum', [2, 2, 2, 1, 2], {
    training_mode: 1,
    epsilon: float(0.01),
    momentum: float(0.5),
  }),
  layer('last axis', [2, 3, 4], [4]),
  layer('last two axes, epsilon', [2, 3, 4], [3, 4], { axis: 1, epsilon: float(0.1) }),
  layer('negative axis', [2, 3, 4], [3, 4], { axis: -2 }),
  layer('a scalar for each row axis', [2, 3, 4], [1, 4], { axis: 1 }),
  layer('with mean and deviation', [3, 4], [4], {}, { outputs: 3 }),
  layer('only the deviation used', [3, 4], [4], {}, { outputs: 3, loss: [2], checked: ['X'] }),
  { op: 'LayerNormalization', name: 'no bias', inputs: { X: [3, 4], Scale: [4] }, type: 'float32' },
  { op: 'RMSNormalization', name: 'last axis', inputs: { X: [2, 3, 4], scale: [4] }, opset: 23 },
  {
    op: 'RMSNormalization',
    name: 'last two axes, epsilon',
    inputs: { X: [2, 3, 4], scale: [3, 4] },
    attributes: { axis: 1, epsilon: float(0.1) },
    opset: 23,
  },
  channelwise('InstanceNormalization', 'images', [2, 3, 2, 3], 3),
  channelwise('InstanceNormalization', '1-D, epsilon', [2, 2, 5], 2, { epsilon: float(0.1) }),
  channelwise('GroupNormalization', 'two groups', [2, 4, 3, 2], 4, { num_groups: 2 }, 21),
  channelwise('GroupNormalization', 'one group, epsilon', [2, 4, 3], 4, { num_groups: 1, epsilon: float(0.1) }, 21),
  channelwise('GroupNormalization', 'a scale per group (opset 18)', [2, 4, 3, 2], 2, { num_groups: 2 }, 18),
  plain('LpNormalization', 'p 2', [2, 3, 4]),
  plain('LpNormalization', 'p 2, axis 1', [2, 3, 4], { axis: 1 }),
  { ...plain('LpNormalization', 'p 1', [3, 4], { p: 1, axis: 0 }), inputs: { X: { dims: [3, 4], apart: 0.3 } } },
  plain('MeanVarianceNormalization', 'batch and positions', [2, 3, 2, 3]),
  plain('MeanVarianceNormalization', 'channels', [2, 3, 2, 3], { axes: [1] }),
  plain('LRN', 'size 3', [2, 5, 2, 2], { size: 3, alpha: float(0.5), beta: float(0.75), bias: float(1.5) }),
  plain('LRN', 'wider than the channels', [1, 3, 2, 2], { size: 7, alpha: float(1) }),
]
