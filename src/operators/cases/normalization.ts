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

export const normalizationCases: readonly OperatorCase[] = [
  batch('recorded statistics, images', [2, 3, 2, 2]),
  batch('recorded statistics, vectors', [3, 2]),
  batch('recorded statistics, epsilon', [2, 2, 3], { epsilon: float(0.1) }),
  batch('batch statistics, images', [3, 2, 2, 2], { training_mode: 1 }),
  batch('batch statistics, vectors', [5, 3], { training_mode: 1 }),
  batch('batch statistics, volumes, epsilon, momentum', [2, 2, 2, 1, 2], {
    training_mode: 1,
    epsilon: float(0.01),
    momentum: float(0.5),
  }),
]
