import { numbersOf, own, sizeOf } from '../../base/index.ts'
import type { NodeContext } from '../types.ts'
import {
  anySign,
  keepsZero,
  numberSign,
  type SignContext,
  type SignRule,
  type SignRules,
  type Signs,
  type ZeroPoint,
  zero,
} from './domain.ts'
import { movers } from './moves.ts'

// A whole number q stands for (q − z)·s. What is 0 becomes z and is 0 again only where the same z is taken away, whatever the
// scale. So signs of quantized values are those of q − z, and with them goes which z it is.

/** The zero point an input holds. One per index of an axis, unless all are 0, is like no other: it goes with its axis. */
const heldIn = (c: NodeContext, position: number): ZeroPoint => {
  const name = c.node.inputs[position]
  if (!name) return '0'
  const tensor = c.constant(name)
  const numbers = tensor ? numbersOf(tensor) : []
  if (tensor && numbers.every((n) => n === 0)) return '0'
  if (sizeOf(c.dims(name)) !== 1) return `${name} read by ${c.node.outputs[0]}`
  return tensor ? String(numbers[0]) : name
}

/** Where operators that make whole numbers of real ones are given the zero point of their results. */
const given: { readonly [opType: string]: number } = { QuantizeLinear: 2, QLinearConv: 7, QLinearMatMul: 7 }

const isOwn = (domain: string) => domain === '' || domain === 'ai.onnx'

/** What the numbers of a node's output are counted from. */
export const zeroPointOf = (c: Omit<SignContext, 'signs' | 'touched'>, output: number): ZeroPoint => {
  const { domain, opType, inputs, outputs } = c.node
  if (!isOwn(domain)) return '0'
  const position = own(given, opType)
  if (position !== undefined) return heldIn(c, position)
  if (opType === 'DynamicQuantizeLinear' && output === 0) return outputs[2] ?? '0'
  if (!Object.hasOwn(movers, opType) || (output > 0 && opType !== 'Split')) return '0'
  const first = c.zeroPoint(0)
  const agree = opType !== 'Concat' || inputs.every((_, i) => c.zeroPoint(i) === first)
  return agree ? first : `several in ${outputs[0]}`
}

/** The signs of the whole numbers themselves. */
const numbersOnly = (signs: Signs, point: ZeroPoint): Signs => {
  if (point === '0') return signs
  const number = Number(point)
  return signs === zero && !Number.isNaN(number) ? numberSign(number) : anySign
}

/** A rule of numbers that are what they stand for, applied to quantized ones: the whole numbers. */
export const ofNumbers =
  (rule: SignRule): SignRule =>
  (c) =>
    rule({ ...c, signs: (i) => numbersOnly(c.signs(i), c.zeroPoint(i)), zeroPoint: () => '0' })

/** A real number in whole ones: 0 becomes the zero point. With its scale masked it is divided by 0. */
const quantized: SignRule = (c) => (c.touched(1) && c.signs(1) & zero ? anySign : keepsZero(c))

const dequantized: SignRule = (c) => {
  if (c.touched(1) && c.signs(1) === zero) return zero
  return c.signs(0) === zero && c.zeroPoint(0) === heldIn(c, 2) ? zero : anySign
}

/** Only 0 is sure to lie inside the range that the other values span with it. */
const scaledByAll: SignRule = (c) =>
  c.touched(0) && c.signs(0) !== zero ? "it scales by the largest of all values, a masked unit's among them" : zero

/** Σ(q − z)·w over whole numbers: 0 where a stored weight is masked, the rows of the table seeing to its zero point. */
const integers =
  (factors: readonly number[], bias: number): SignRule =>
  (c) =>
    factors.some((i) => c.touched(i) && c.constant(c.node.inputs[i] ?? '') !== undefined && c.signs(i) === zero)
      ? c.node.inputs[bias]
        ? c.signs(bias)
        : zero
      : anySign

/** Operators that read whole numbers as what they stand for. */
export const quantizedRules: SignRules = {
  QuantizeLinear: quantized,
  DequantizeLinear: dequantized,
  DynamicQuantizeLinear: scaledByAll,
  ConvInteger: integers([1], 4),
  MatMulInteger: integers([0, 1], 4),
  QLinearConv: integers([3], 8),
  QLinearMatMul: integers([0, 3], 8),
}
