import { numbersOf, sizeOf } from '../base/index.ts'
import { convAxes, convMacs, resizeGroups } from './conv.ts'
import { at, freezeAxes, hasInput, inputOf, outputOf } from './helpers.ts'
import { matmulAxes } from './matmul.ts'
import { type AxisContext, type AxisRef, type NodeContext, type Operator, stops } from './types.ts'

// Convolutions and products of whole numbers, each standing for (q − z)·s. A stored q is masked by 0, which stands for 0 only
// where the zero point z is 0: then every term with a masked weight is 0 whatever it meets (and padding, which is the input's
// zero point, too), and the output of a masked unit is its own zero point. A scale or zero point per unit goes with its unit.

const shiftedWeights = 'a stored 0 does not stand for 0: the weights have another zero point'

/** Where the zero point of an operand is, and what is known of it. */
const isZero = (c: NodeContext, position: number): boolean => {
  if (!hasInput(c.node, position)) return true
  const tensor = c.constant(inputOf(c.node, position))
  return tensor !== undefined && numbersOf(tensor).every((value) => value === 0)
}

const isScalar = (c: NodeContext, position: number) => sizeOf(c.dims(inputOf(c.node, position))) === 1

/** Scales and zero points: one a unit of `axis` goes with it, one for all stays. */
const joinScales = (a: AxisContext, positions: readonly number[], axis: AxisRef | undefined): void => {
  for (const position of positions) {
    if (!hasInput(a.node, position)) continue
    const value = inputOf(a.node, position)
    if (isScalar(a, position)) freezeAxes(a, value, 'one scale or zero point serves all')
    else if (axis && a.dims(value).length === 1) a.join(at(value, 0), axis)
    else {
      const reason = 'scales or zero points of several axes'
      freezeAxes(a, value, reason)
      if (axis) a.freeze(axis, reason)
    }
  }
}

type ConvInputs = { kernel: number; zero: number; bias: number; shared: readonly number[]; own: readonly number[] }

const integerConv = ({ kernel, zero, bias, shared, own }: ConvInputs): Operator => ({
  gradient: stops,
  axes: (a) => {
    const w = inputOf(a.node, kernel)
    convAxes(a, false, kernel, bias)
    joinScales(a, shared, undefined)
    joinScales(a, own, at(w, 0))
    if (isZero(a, zero)) return
    a.freeze(at(w, 1), shiftedWeights)
    if (isScalar(a, zero)) a.freeze(at(w, 0), shiftedWeights)
  },
  macs: (m) => convMacs(m, kernel),
  resize: resizeGroups,
})

type ProductInputs = { b: number; zeroA: number; zeroB: number; a: readonly number[]; own: readonly number[] }

/** The sum over the contracted axis is safe where a factor that is stored has zero point 0. */
const integerProduct = (p: ProductInputs, shared: readonly number[]): Operator => ({
  gradient: stops,
  axes: (x) => {
    const [a, b] = [inputOf(x.node, 0), inputOf(x.node, p.b)]
    const [rows, columns] = [x.dims(a).length, x.dims(b).length]
    matmulAxes(x, { a, b })
    joinScales(x, shared, undefined)
    joinScales(x, p.a, rows > 1 ? at(a, rows - 2) : undefined)
    joinScales(x, p.own, columns > 1 ? at(b, columns - 1) : undefined)
    const stored = [
      { value: a, zero: p.zeroA, unit: rows > 1 ? rows - 2 : undefined },
      { value: b, zero: p.zeroB, unit: columns > 1 ? columns - 1 : undefined },
    ].filter(({ value }) => x.constant(value) !== undefined)
    for (const { value, zero, unit } of stored)
      if (unit !== undefined && !isZero(x, zero) && isScalar(x, zero)) x.freeze(at(value, unit), shiftedWeights)
    if (stored.length === 0) x.freeze(at(a, rows - 1), 'both factors are computed: neither is surely 0 where masked')
    else if (!stored.some(({ zero }) => isZero(x, zero))) x.freeze(at(a, rows - 1), shiftedWeights)
  },
  macs: (m) => sizeOf(m.dims(outputOf(m.node, 0))) * m.dims(inputOf(m.node, 0)).at(-1)!,
})

/** Operators of quantized models that compute in whole numbers. */
export const integer = {
  // x, its scale and zero point, w, its, y's scale and zero point, biases
  QLinearConv: integerConv({ kernel: 3, zero: 5, bias: 8, shared: [1, 2, 6, 7], own: [4, 5] }),
  // x, w, and their zero points
  ConvInteger: integerConv({ kernel: 1, zero: 3, bias: 4, shared: [2], own: [3] }),
  QLinearMatMul: integerProduct({ b: 3, zeroA: 2, zeroB: 5, a: [1, 2], own: [4, 5] }, [6, 7]),
  MatMulInteger: integerProduct({ b: 1, zeroA: 2, zeroB: 3, a: [2], own: [3] }, []),
} satisfies Record<string, Operator>
