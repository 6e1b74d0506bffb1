import { bool, float32, float64, int64 } from '../../base/index.ts'
import { float } from '../../onnx/index.ts'
import type { InputSpec, OperatorCase } from './types.ts'

const binary = (
  op: string,
  name: string,
  a: InputSpec,
  b: InputSpec,
  more: Partial<OperatorCase> = {},
): OperatorCase => ({
  op,
  name,
  inputs: { A: a, B: b },
  ...more,
})

const positive = (dims: readonly number[]) => ({ dims, low: 0.5, high: 2 })

/** The ways two shapes can meet. */
const meetings: readonly (readonly [string, readonly number[], readonly number[]])[] = [
  ['equal shapes', [2, 3], [2, 3]],
  ['a bias', [2, 3, 2], [2]],
  ['a scalar', [2, 3], []],
  ['a scalar first', [], [2, 3]],
  ['a channel axis', [2, 3, 2, 2], [3, 1, 1]],
  ['both stretched', [3, 1, 2], [2, 1, 4, 1]],
]

const variadic = (op: string): OperatorCase[] => [
  { op, name: 'one input', inputs: { A: [2, 3] } },
  {
    op,
    name: 'three inputs, broadcast',
    inputs: { A: [2, 3], B: { dims: [3], apart: 0.7 }, C: { dims: [2, 1], apart: 0.9 } },
  },
]

export const elementwiseCases: readonly OperatorCase[] = [
  ...['Add', 'Sub', 'Mul'].flatMap((op) => meetings.map(([name, a, b]) => binary(op, name, a, b))),
  ...meetings.map(([name, a, b]) => binary('Div', name, a, positive(b))),
  ...meetings.map(([name, a, b]) => binary('Pow', name, positive(a), b)),
  // A constant exponent has its own form; it must hold for negative bases.
  binary('Pow', 'a constant square', [2, 3], float64([], [2])),
  binary('Pow', 'a constant cube', [2, 3], float64([1], [3])),
  binary('Pow', 'a constant square root', positive([2, 3]), float64([], [0.5])),
  binary('Pow', 'whole exponents', positive([2, 3]), int64([3], [0, 1, 3])),
  binary(
    'Mod',
    'fmod',
    { dims: [2, 3], low: 5.1, high: 5.9 },
    { dims: [3], low: 1.8, high: 1.9 },
    { attributes: { fmod: 1 } },
  ),
  binary(
    'Mod',
    'fmod of negatives',
    { dims: [4], low: -5.9, high: -5.1 },
    { dims: [4], low: 1.8, high: 1.9 },
    {
      attributes: { fmod: 1 },
    },
  ),
  ...[[2, 3, 2], [3, 1], [1], []].map((slope) =>
    binary('PRelu', `slope [${slope}]`, { dims: [2, 3, 2], apart: 0.3 }, slope),
  ),
  ...variadic('Sum'),
  ...variadic('Mean'),
  ...variadic('Max'),
  ...variadic('Min'),
  binary('Max', 'with a constant', { dims: [2, 3], apart: 0.4 }, float64([], [0.1])),
  {
    op: 'Where',
    name: 'equal shapes',
    inputs: { C: bool([2, 2], [true, false, false, true]), A: [2, 2], B: [2, 2] },
  },
  {
    op: 'Where',
    name: 'everything stretched',
    inputs: { C: bool([2, 1], [true, false]), A: [3], B: [4, 1, 1] },
  },
]

const kinked = { dims: [3, 4], apart: 0.37 }
const smooth = [3, 4]

const unary = (
  op: string,
  input: InputSpec = smooth,
  attributes: Record<string, number> = {},
  opset = 17,
): OperatorCase => ({
  op,
  name:
    Object.entries(attributes)
      .map(([key, value]) => `${key} ${value}`)
      .join(', ') || 'defaults',
  inputs: { X: input },
  attributes: Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, float(value)])),
  opset,
})

export const activationCases: readonly OperatorCase[] = [
  unary('Relu', kinked),
  unary('LeakyRelu', kinked),
  unary('LeakyRelu', kinked, { alpha: 0.3 }),
  unary('ThresholdedRelu', kinked),
  unary('ThresholdedRelu', kinked, { alpha: 0.45 }),
  unary('Elu', kinked),
  unary('Elu', kinked, { alpha: 1.7 }),
  unary('Celu', kinked),
  unary('Celu', kinked, { alpha: 1.7 }),
  unary('Selu', kinked),
  unary('Selu', kinked, { alpha: 1.5, gamma: 2 }),
  unary('Sigmoid'),
  unary('HardSigmoid', kinked),
  unary('HardSigmoid', { dims: [3, 4], apart: 0.4 }, { alpha: 0.3, beta: 0.4 }),
  unary('HardSwish', { dims: [4, 6], apart: 0.37 }),
  unary('Mish', smooth, {}, 18),
  unary('Gelu', smooth, {}, 20),
  { op: 'Gelu', name: 'tanh', inputs: { X: smooth }, attributes: { approximate: 'tanh' }, opset: 20 },
  // The engine shrinks doubles in single precision.
  { ...unary('Shrink', kinked), type: 'float32' },
  { ...unary('Shrink', kinked, { lambd: 0.8, bias: 0.3 }), type: 'float32' },
  unary('Softplus'),
  unary('Softsign', kinked),
  unary('Tanh'),
  { op: 'Clip', name: 'no bounds', inputs: { X: kinked } },
  { op: 'Clip', name: 'both bounds', inputs: { X: kinked, low: float64([], [-1]), high: float64([], [0.7]) } },
  { op: 'Clip', name: 'above only', inputs: { X: kinked, low: undefined, high: float64([], [0.7]) } },
  {
    op: 'Clip',
    name: 'bounds that vary',
    inputs: { X: kinked, low: { dims: [], low: -1.1, high: -1 }, high: { dims: [], low: 0.6, high: 0.7 } },
  },
  { op: 'Clip', name: 'attributes', inputs: { X: kinked }, attributes: { min: float(-1), max: float(0.7) }, opset: 10 },
  { op: 'Dropout', name: 'inference', inputs: { X: smooth } },
  {
    op: 'Dropout',
    name: 'inference, said so',
    inputs: { X: smooth, ratio: float32([], [0.3]), training: bool([], [false]) },
  },
  { op: 'Dropout', name: 'old', inputs: { X: smooth }, attributes: { ratio: float(0.3) }, opset: 10 },
  { op: 'Identity', name: 'defaults', inputs: { X: smooth } },
  { op: 'Cast', name: 'to the same type', inputs: { X: smooth }, attributes: { to: 11 } },
  { op: 'CastLike', name: 'to the same type', inputs: { X: smooth, like: float64([1], [0]) } },
]

export const functionCases: readonly OperatorCase[] = [
  unary('Abs', kinked),
  ...['Neg', 'Exp', 'Erf', 'Sin', 'Cos', 'Atan', 'Sinh', 'Cosh', 'Asinh'].map((op) => unary(op)),
  unary('Tan', { dims: smooth, low: -1, high: 1 }),
  ...['Log', 'Sqrt', 'Reciprocal'].map((op) => unary(op, positive(smooth))),
  ...['Asin', 'Acos', 'Atanh'].map((op) => unary(op, { dims: smooth, low: -0.8, high: 0.8 })),
  unary('Acosh', { dims: smooth, low: 1.5, high: 3 }),
]
