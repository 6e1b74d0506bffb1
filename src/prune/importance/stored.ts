import { float32, numbersOf, own, sizeOf, type Tensor } from '../../base/index.ts'
import type { Node } from '../../onnx/index.ts'

/**
 * Operators that read quantized weights and compute in whole numbers: for each operand that may be weights its position,
 * that of its scale (there may be none) and zero point, and the axis these are given along.
 */
const readers: Record<string, readonly { weight: number; scale?: number; zero: number; axis: 'first' | 'last' }[]> = {
  QLinearConv: [{ weight: 3, scale: 4, zero: 5, axis: 'first' }],
  ConvInteger: [{ weight: 1, zero: 3, axis: 'first' }],
  QLinearMatMul: [{ weight: 3, scale: 4, zero: 5, axis: 'last' }],
  MatMulInteger: [{ weight: 1, zero: 3, axis: 'last' }],
}

/** (q − z)·s of weights a node reads in whole numbers; with no scale of its own, (q − z). Undefined where it reads no such. */
export const storedWeights = (
  node: Node,
  name: string,
  tensor: Tensor,
  constant: (name: string) => Tensor | undefined,
): Tensor | undefined => {
  const reader = own(readers, node.opType)?.find(({ weight }) => node.inputs[weight] === name)
  if (!reader) return undefined
  const read = (position: number | undefined, absent: number): ((index: number) => number) => {
    const given = constant(node.inputs[position ?? -1] ?? '')
    const values = given ? numbersOf(given) : [absent]
    const axis = reader.axis === 'first' ? 0 : tensor.dims.length - 1
    const [size, step] = [tensor.dims[axis]!, sizeOf(tensor.dims.slice(axis + 1))]
    return (i) => values[values.length === 1 ? 0 : Math.floor(i / step) % size]!
  }
  const [scale, zero] = [read(reader.scale, 1), read(reader.zero, 0)]
  const real = (q: number, i: number) => (q - zero(i)) * scale(i)
  return float32(tensor.dims, Float32Array.from(numbersOf(tensor), real))
}
