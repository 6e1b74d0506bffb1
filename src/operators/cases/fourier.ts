import { int64, type Tensor } from '../../base/index.ts'
import type { InputSpec, OperatorCase } from './types.ts'

const one = (value: number): Tensor => int64([], [value])

type Rest = Omit<OperatorCase, 'op' | 'name' | 'inputs'>

const dft = (name: string, inputs: Record<string, InputSpec | undefined>, rest: Rest = {}): OperatorCase => ({
  op: 'DFT',
  name,
  inputs,
  ...rest,
})

const ways = [0, 1].flatMap((inverse) => [0, 1].map((onesided) => ({ inverse, onesided })))
const named = ({ inverse, onesided }: { inverse: number; onesided: number }) =>
  `${inverse ? 'inverse' : 'forward'}${onesided ? ', one side' : ''}`

/** A one-sided forward transform takes real numbers only. */
const numbers = ({ inverse, onesided }: { inverse: number; onesided: number }) => (onesided && !inverse ? 1 : 2)

// No STFT of a complex signal: ONNX Runtime 1.30 reads past its end.

export const fourierCases: readonly OperatorCase[] = [
  ...ways.flatMap((way) => [
    dft(named(way), { X: [2, 6, numbers(way)] }, { attributes: way }),
    dft(`${named(way)}, cut to 5`, { X: [2, 6, numbers(way)], length: one(5) }, { attributes: way }),
    dft(`${named(way)}, padded to 8`, { X: [1, 5, numbers(way)], length: one(8) }, { attributes: way }),
  ]),
  dft(
    'inverse, one side, some mirror images given',
    { X: [1, 4, 2], length: one(5) },
    { attributes: { inverse: 1, onesided: 1 } },
  ),
  dft('a real signal', { X: [2, 5, 1] }),
  dft('another axis', { X: [4, 3, 2] }, { attributes: { axis: 0 } }),
  dft('opset 20, its own axis', { X: [2, 3, 4, 1] }, { opset: 20 }),
  dft('opset 20, given axis', { X: [2, 3, 2], length: undefined, axis: one(0) }, { opset: 20 }),
  dft(
    'opset 20, one side back',
    { X: [2, 4, 2], length: one(7), axis: one(1) },
    { attributes: { inverse: 1, onesided: 1 }, opset: 20 },
  ),
  { op: 'STFT', name: 'overlapping frames', inputs: { X: [2, 11, 1], step: one(3), window: [5] } },
  {
    op: 'STFT',
    name: 'both sides, a length',
    inputs: { X: [1, 8, 1], step: one(2), window: [4], length: one(4) },
    attributes: { onesided: 0 },
  },
  { op: 'STFT', name: 'no window', inputs: { X: [1, 9, 1], step: one(4), window: undefined, length: one(4) } },
]
