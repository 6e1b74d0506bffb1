import { floatOf, intOf } from '../../onnx/index.ts'
import {
  anySign,
  keepsZero,
  largest,
  negated,
  negative,
  numberSign,
  positive,
  rounded,
  type SignRule,
  type SignRules,
  type Signs,
  same,
  smallest,
  zero,
} from './domain.ts'

/** |x| */
export const size: SignRule = (c) => (c.signs(0) & zero) | (c.signs(0) & (negative | positive) ? positive : 0)

/** eˣ and its kin: positive at 0 and above; far below they underflow to 0. */
const exponential: SignRule = (c) => (c.signs(0) & negative ? zero | positive : positive)

/** Defined around 0 only. */
const nearZero: SignRule = (c) => (c.signs(0) === zero ? zero : undefined)

const clipped: SignRule = (c) => {
  const bound = (position: number, name: string, absent: Signs): Signs => {
    if (c.node.inputs[position]) return c.signs(position)
    return c.node.attributes.has(name) ? numberSign(floatOf(c.node, name, 0)) : absent
  }
  const above = largest(c.signs(0), bound(1, 'min', negative))
  return smallest(above, bound(2, 'max', positive))
}

/** Whole numbers too large for their type come out with another sign. */
const cast: SignRule = (c) => {
  const to = c.type(c.node.outputs[0] ?? '')
  if (to === 'bool') return size(c)
  return to.startsWith('float') || to.startsWith('bfloat') ? rounded(c) : keepsZero(c)
}

/** Functions of one variable. */
export const functions: SignRules = {
  Dropout: rounded,
  Tanh: same,
  Erf: same,
  Softsign: same,
  Sinh: same,
  Asinh: same,
  Atan: same,
  Sign: same,
  Cast: cast,
  CastLike: cast,
  Floor: keepsZero,
  Ceil: keepsZero,
  Round: rounded,
  LeakyRelu: keepsZero,
  PRelu: keepsZero,
  Elu: keepsZero,
  Celu: keepsZero,
  Selu: keepsZero,
  Gelu: keepsZero,
  HardSwish: keepsZero,
  Mish: keepsZero,
  Sin: keepsZero,
  Tan: keepsZero,
  ThresholdedRelu: keepsZero,
  Shrink: (c) => (floatOf(c.node, 'lambd', 0.5) >= 0 ? keepsZero(c) : anySign),
  Asin: nearZero,
  Atanh: nearZero,
  Abs: size,
  Neg: (c) => negated(c.signs(0)),
  Relu: (c) => (c.signs(0) & negative ? zero : 0) | (c.signs(0) & (zero | positive)),
  Exp: exponential,
  Sigmoid: exponential,
  Softplus: exponential,
  Cosh: () => positive,
  Softmax: (c) => (c.signs(0) === zero ? positive : zero | positive),
  HardSigmoid: (c) => (c.signs(0) === zero ? largest(numberSign(floatOf(c.node, 'beta', 0.5)), zero) : zero | positive),
  Sqrt: (c) => (c.touched(0) && c.signs(0) & negative ? undefined : c.signs(0)),
  Log: (c) => (c.touched(0) && c.signs(0) !== positive ? undefined : anySign),
  Reciprocal: (c) => (c.touched(0) && c.signs(0) & zero ? undefined : c.signs(0)),
  Acos: (c) => (c.touched(0) && c.signs(0) !== zero ? undefined : anySign),
  Acosh: (c) => (c.touched(0) ? undefined : anySign),
  Clip: clipped,
  Trilu: rounded,
  CumSum: (c) => c.signs(0) | (c.signs(0) === (negative | positive) || intOf(c.node, 'exclusive', 0) ? zero : 0),
}
