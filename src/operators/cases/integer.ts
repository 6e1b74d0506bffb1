import { float32, int32, sizeOf, type Tensor } from '../../base/index.ts'
import type { InputSpec, OperatorCase } from './types.ts'

/** Whole numbers that look random: small ones, so that no engine's 16-bit sums overflow. */
const whole = (type: 'int8' | 'uint8', dims: readonly number[]): Tensor => ({
  type,
  dims,
  bytes: Uint8Array.from({ length: sizeOf(dims) }, (_, i) => ((37 * i + 11) % 61) + (type === 'int8' ? -30 : 3)),
})

const point = (type: 'int8' | 'uint8', ...values: number[]): Tensor => ({
  type,
  dims: values.length === 1 ? [] : [values.length],
  bytes: Uint8Array.from(values),
})

const scale = (...values: number[]): Tensor => float32(values.length === 1 ? [] : [values.length], values)

type Rest = Partial<OperatorCase>

const given = (
  op: string,
  name: string,
  inputs: Record<string, InputSpec | undefined>,
  masked: readonly string[],
  rest: Rest = {},
): OperatorCase => ({ op, name, inputs, masked, loss: [], ...rest })

const weights = ['w', 'wScale', 'wZero', 'B']

/** Inputs have zero point 7 and outputs 90: what a masked unit then holds. */
const linearConv = (
  name: string,
  x: readonly number[],
  w: readonly number[],
  parts: { wScale?: Tensor; wZero?: Tensor; wType?: 'int8' | 'uint8'; B?: Tensor } = {},
  attributes: NonNullable<OperatorCase['attributes']> = {},
) => {
  const type = parts.wType ?? 'int8'
  const inputs = {
    x: whole('uint8', x),
    xScale: scale(0.1),
    xZero: point('uint8', 7),
    w: whole(type, w),
    wScale: parts.wScale ?? scale(0.05),
    wZero: parts.wZero ?? point(type, 0),
    yScale: scale(1.3),
    yZero: point('uint8', 90),
    B: parts.B,
  }
  return given('QLinearConv', name, inputs, weights, { attributes })
}

const padded = { pads: [1, 1, 1, 1] }
const perChannel = (n: number) => scale(...Array.from({ length: n }, (_, i) => 0.02 + 0.01 * i))

export const integerCases: readonly OperatorCase[] = [
  linearConv('one scale, padding', [2, 3, 4, 4], [4, 3, 3, 3], {}, padded),
  linearConv('a scale per channel and biases', [1, 3, 4, 4], [4, 3, 3, 3], {
    wScale: perChannel(4),
    wZero: point('int8', 0, 0, 0, 0),
    B: int32([4], [40, -50, 60, 7]),
  }),
  linearConv('zero points of weights per channel', [1, 3, 4, 4], [4, 3, 1, 1], {
    wScale: perChannel(4),
    wZero: point('uint8', 5, 0, 9, 2),
    wType: 'uint8',
  }),
  linearConv('another zero point of all weights', [1, 3, 4, 4], [4, 3, 1, 1], {
    wZero: point('uint8', 30),
    wType: 'uint8',
  }),
  linearConv('two groups', [1, 4, 3, 3], [6, 2, 2, 2], { B: int32([6], [1, 2, -3, 4, 5, -6]) }, { group: 2 }),
  linearConv('depthwise, padding', [1, 4, 3, 3], [4, 1, 3, 3], { wScale: perChannel(4) }, { group: 4, ...padded }),
  linearConv('depthwise, two outputs a channel', [1, 3, 3, 3], [6, 1, 2, 2], {}, { group: 3 }),

  given(
    'ConvInteger',
    'zero points, padding',
    {
      x: whole('uint8', [1, 3, 4, 4]),
      w: whole('int8', [4, 3, 3, 3]),
      xZero: point('uint8', 7),
      wZero: point('int8', 0),
    },
    ['w', 'wZero'],
    { attributes: padded },
  ),
  given('ConvInteger', 'groups', { x: whole('uint8', [1, 4, 3, 3]), w: whole('uint8', [4, 2, 2, 2]) }, ['w'], {
    attributes: { group: 2 },
  }),
  given(
    'QLinearMatMul',
    'a matrix of weights',
    {
      a: whole('uint8', [2, 3, 4]),
      aScale: scale(0.1),
      aZero: point('uint8', 7),
      w: whole('int8', [4, 5]),
      wScale: perChannel(5),
      wZero: point('int8', 0, 0, 0, 0, 0),
      yScale: scale(0.7),
      yZero: point('uint8', 100),
    },
    weights,
  ),
  given(
    'QLinearMatMul',
    'weights with another zero point',
    {
      a: whole('uint8', [3, 4]),
      aScale: scale(0.1),
      aZero: point('uint8', 7),
      w: whole('uint8', [4, 5]),
      wScale: scale(0.2),
      wZero: point('uint8', 31),
      yScale: scale(0.7),
      yZero: point('uint8', 100),
    },
    weights,
  ),
  given(
    'MatMulInteger',
    'a matrix of weights',
    { a: whole('uint8', [2, 3, 4]), w: whole('int8', [4, 5]), aZero: point('uint8', 7) },
    ['w'],
  ),
  given(
    'MatMulInteger',
    'a zero point per column',
    {
      a: whole('uint8', [3, 4]),
      w: whole('uint8', [4, 3]),
      aZero: point('uint8', 7),
      wZero: point('uint8', 1, 2, 3),
    },
    ['w', 'wZero'],
  ),
  given('MatMulInteger', 'no zero points', { a: whole('uint8', [3, 4]), w: whole('int8', [4, 2]) }, ['w']),
  { op: 'DynamicQuantizeLinear', name: 'a range with 0', inputs: { x: [3, 4] }, outputs: 3, loss: [], type: 'float32' },
]
