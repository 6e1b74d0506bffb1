import { numbersOf, sizeOf } from '../base/index.ts'
import { floatOf, intOf, type Node, stringOf } from '../onnx/index.ts'
import type { NodeContext } from './types.ts'

/**
 * The signs a number may have, as a set of three: what is left of an interval when only its position around 0 matters
 * (the sign domain of abstract interpretation, Cousot and Cousot 1977, §5). It answers whether a value is exactly 0 at a
 * unit whose parameters are set to zero.
 */
export type Signs = number

export const negative: Signs = 1
export const zero: Signs = 2
export const positive: Signs = 4
export const anySign: Signs = 7

/** What is known of a node's inputs at one unit. */
export type SignContext = NodeContext & {
  /** The signs input `position` may have there; of an input that does not have the unit, the signs of all of it. */
  signs(position: number): Signs
  /** Whether the input has the unit, so that masking changes it. */
  touched(position: number): boolean
}

/**
 * The signs of the output, undefined when it may not be a number at all (the logarithm of a masked unit), or in words why the
 * unit has a say in the others' values.
 */
export type SignRule = (c: SignContext) => Signs | undefined | string

const parts = (signs: Signs): Signs[] => [negative, zero, positive].filter((sign) => (signs & sign) !== 0)

/** The union of what a function of two signs gives. */
const pairs = (a: Signs, b: Signs, combine: (a: Signs, b: Signs) => Signs): Signs =>
  parts(a).reduce((all, x) => all | parts(b).reduce((some, y) => some | combine(x, y), 0), 0)

const negated = (signs: Signs): Signs => ((signs & negative) << 2) | (signs & zero) | ((signs & positive) >> 2)

const sum = (a: Signs, b: Signs): Signs => pairs(a, b, (x, y) => (x === zero ? y : y === zero || x === y ? x : anySign))

const product = (a: Signs, b: Signs): Signs =>
  pairs(a, b, (x, y) => (x === zero || y === zero ? zero : x === y ? positive : negative))

const numberSign = (value: number): Signs =>
  value > 0 ? positive : value < 0 ? negative : value === 0 ? zero : anySign

/** The signs of a tensor's elements; large ones are not looked through. */
export const signsOf = (tensor: Parameters<typeof numbersOf>[0]): Signs =>
  tensor.strings || sizeOf(tensor.dims) > 4096 ? anySign : numbersOf(tensor).reduce((all, n) => all | numberSign(n), 0)

// Functions of one variable

const same: SignRule = (c) => c.signs(0)
/** Signs stay, but what is small may become 0. */
const rounded: SignRule = (c) => c.signs(0) | (c.signs(0) === zero ? 0 : zero)
/** f(0) = 0; of the rest nothing is said. */
const keepsZero: SignRule = (c) => (c.signs(0) === zero ? zero : anySign)
const size: SignRule = (c) => (c.signs(0) & zero) | (c.signs(0) & (negative | positive) ? positive : 0)
const neverNegative: SignRule = (c) =>
  c.signs(0) === zero ? zero : c.signs(0) === positive ? positive : zero | positive
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

// Functions of several

const largest = (a: Signs, b: Signs): Signs => pairs(a, b, (x, y) => Math.max(x, y))
const smallest = (a: Signs, b: Signs): Signs => pairs(a, b, (x, y) => Math.min(x, y))

const all =
  (combine: (a: Signs, b: Signs) => Signs): SignRule =>
  (c) =>
    c.node.inputs.map((_, i) => c.signs(i)).reduce(combine)

/** What the inputs that have the unit hold there. */
const carried: SignRule = (c) =>
  c.node.inputs.reduce((signs, _, i) => (c.touched(i) ? signs | c.signs(i) : signs), 0) || anySign

/** What was there, or what is written over it. */
const overwritten: SignRule = (c) =>
  stringOf(c.node, 'reduction', 'none') === 'none' ? c.signs(0) | (c.touched(2) ? c.signs(2) : 0) : anySign

/** A divisor that masking does not touch is what it was before: not 0. */
const quotient: SignRule = (c) => {
  const divisor = c.signs(1)
  if (c.touched(1) && divisor & zero) return undefined
  return product(c.signs(0), divisor & (negative | positive) || anySign)
}

const power: SignRule = (c) => {
  const base = c.signs(0)
  const constant = c.touched(1) ? undefined : c.constant(c.node.inputs[1] ?? '')
  const exponents = constant && sizeOf(constant.dims) === 1 ? numbersOf(constant) : []
  const exponent = exponents[0]
  if (base === positive) return positive
  if (exponent === undefined) return c.touched(0) ? undefined : anySign
  if (exponent === 0) return positive
  if (c.touched(0) && exponent < 0 && base & zero) return undefined
  if (c.touched(0) && !Number.isInteger(exponent) && base & negative) return undefined
  return exponent % 2 === 0 ? size(c) : base
}

/** A sum of products over other axes: 0 where one factor is. `bias` is added. */
const contraction =
  (factors: readonly number[], bias: number): SignRule =>
  (c) => {
    const vanishes = factors.some((i) => c.touched(i) && c.signs(i) === zero)
    if (!vanishes) return anySign
    return c.node.inputs[bias] ? c.signs(bias) : zero
  }

const einsum: SignRule = (c) => (c.node.inputs.some((_, i) => c.touched(i) && c.signs(i) === zero) ? zero : anySign)

/** γ·x̂ + β with γ = 0; where every unit has its own statistics x = 0 gives x̂ = 0 too. */
const normalized =
  (ownStatistics: boolean): SignRule =>
  (c) => {
    const vanishes = c.signs(1) === zero || (ownStatistics && c.signs(0) === zero)
    if (!vanishes) return anySign
    return c.node.inputs[2] ? c.signs(2) : zero
  }

/** y = γ(x − μ)/√(σ² + ε) + β, where a masked σ² is 0. */
const batchNormalized: SignRule = (c) => (floatOf(c.node, 'epsilon', 1e-5) > 0 ? normalized(false)(c) : undefined)

/** With no weights, bias and state left, every gate's candidate is tanh 0 = 0 and the state stays 0. */
const recurrent: SignRule = (c) => {
  const rests = [1, 2, 3, 5, 6].every((i) => !c.node.inputs[i] || c.signs(i) === zero)
  return rests && !c.node.attributes.has('activations') ? zero : anySign
}

/** A real number in whole ones: 0 becomes the zero point, which stands for 0. */
const quantized: SignRule = keepsZero

/** (q − z)·s. A stored q is 0 itself when masked, which stands for 0 only if z is 0. */
const dequantized: SignRule = (c) => {
  if (c.touched(1) && c.signs(1) === zero) return zero
  const stored = c.constant(c.node.inputs[0] ?? '') !== undefined
  const centred = !c.node.inputs[2] || c.signs(2) === zero
  return c.signs(0) === zero && (!stored || centred) ? zero : anySign
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

/** A result given a zero point stands for 0 where it is that zero point; as a number it is 0 only if the point is. */
const requantized =
  (rule: SignRule, zeroPoint: number): SignRule =>
  (c) =>
    c.node.inputs[zeroPoint] && c.signs(zeroPoint) !== zero ? anySign : rule(c)

const padded: SignRule = (c) => {
  if (stringOf(c.node, 'mode', 'constant') !== 'constant') return same(c)
  const value = c.node.inputs[2] ? c.signs(2) : numberSign(floatOf(c.node, 'value', 0))
  return c.signs(0) | value
}

const resized: SignRule = (c) =>
  stringOf(c.node, 'coordinate_transformation_mode', '') === 'tf_crop_and_resize' ? anySign : keepsZero(c)

const rules: { readonly [opType: string]: SignRule } = {
  Identity: same,
  Dropout: rounded,
  Tanh: same,
  Erf: same,
  Softsign: same,
  Sinh: same,
  Asinh: same,
  Atan: same,
  Sign: same,
  Cast: rounded,
  CastLike: rounded,
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

  Add: all(sum),
  Sum: all(sum),
  Mean: all(sum),
  Sub: (c) => sum(c.signs(0), negated(c.signs(1))),
  Mul: all(product),
  Max: all(largest),
  Min: all(smallest),
  Div: quotient,
  Pow: power,
  Mod: (c) => (c.touched(1) ? undefined : keepsZero(c)),
  Where: (c) => c.signs(1) | c.signs(2),

  Conv: contraction([0, 1], 2),
  ConvTranspose: contraction([0, 1], 2),
  Gemm: contraction([0, 1], 2),
  MatMul: contraction([0, 1], 2),
  Einsum: einsum,
  BatchNormalization: batchNormalized,
  InstanceNormalization: normalized(true),
  GroupNormalization: normalized(true),
  LayerNormalization: normalized(false),
  RMSNormalization: normalized(true),
  // A constant channel is 0 ÷ 0: there is no ε.
  MeanVarianceNormalization: (c) => (c.touched(0) ? undefined : anySign),
  RNN: recurrent,
  GRU: recurrent,
  LSTM: recurrent,
  QuantizeLinear: quantized,
  DequantizeLinear: dequantized,
  DynamicQuantizeLinear: scaledByAll,
  ConvInteger: integers([1], 4),
  MatMulInteger: integers([0, 1], 4),
  QLinearConv: requantized(integers([3], 8), 7),
  QLinearMatMul: requantized(integers([0, 3], 8), 7),

  ReduceSum: same,
  ReduceMean: same,
  ReduceMax: same,
  ReduceMin: same,
  ReduceProd: keepsZero,
  ReduceL1: neverNegative,
  ReduceL2: neverNegative,
  ReduceSumSquare: neverNegative,
  ReduceLogSum: (c) => (c.touched(0) && c.signs(0) !== positive ? undefined : anySign),
  CumSum: (c) => c.signs(0) | (intOf(c.node, 'exclusive', 0) ? zero : 0),

  MaxPool: same,
  GlobalMaxPool: same,
  GlobalAveragePool: same,
  AveragePool: rounded,
  LpPool: neverNegative,
  GlobalLpPool: neverNegative,

  Transpose: same,
  Reshape: same,
  Flatten: same,
  Squeeze: same,
  Unsqueeze: same,
  Expand: same,
  Tile: same,
  Slice: same,
  Split: same,
  Gather: same,
  GatherElements: same,
  DepthToSpace: same,
  SpaceToDepth: same,
  ReverseSequence: same,
  Concat: carried,
  ScatterND: overwritten,
  Trilu: rounded,
  Pad: padded,
  Resize: resized,
  Upsample: keepsZero,
  GridSample: keepsZero,
  RoiAlign: keepsZero,
}

/** A bias, if any, added to x before f with f(0) = 0. */
const biased: SignRule = (c) => (c.signs(0) === zero && (!c.node.inputs[1] || c.signs(1) === zero) ? zero : anySign)

/** f(x ∗ w + b + z): of the activations an engine fuses, these keep 0. */
const activated =
  (rule: SignRule): SignRule =>
  (c) => {
    const keeps = ['', 'Relu', 'Tanh', 'LeakyRelu', 'Softsign', 'Elu', 'ThresholdedRelu']
    if (!keeps.includes(stringOf(c.node, 'activation', ''))) return anySign
    return rule(c) === zero && (c.node.opType !== 'FusedConv' || !c.node.inputs[3] || c.signs(3) === zero)
      ? zero
      : anySign
  }

/** Weighted sums of values, which are 0 where the masked head's values are. */
const attended =
  (values: number, bias: number): SignRule =>
  (c) =>
    c.touched(values) && c.signs(values) === zero && (!c.node.inputs[bias] || c.signs(bias) === zero) ? zero : anySign

/** γ·n + β with γ = β = 0. */
const scaledTo =
  (scale: number, shift: number): SignRule =>
  (c) =>
    c.touched(scale) && c.signs(scale) === zero && (!c.node.inputs[shift] || c.signs(shift) === zero) ? zero : anySign

/** Of the domain com.microsoft. */
const fused: { readonly [opType: string]: SignRule } = {
  Gelu: keepsZero,
  QuickGelu: keepsZero,
  BiasGelu: biased,
  FastGelu: biased,
  FusedConv: activated(contraction([0, 1], 2)),
  FusedGemm: activated(contraction([0, 1], 2)),
  FusedMatMul: contraction([0, 1], 2),
  TransposeMatMul: contraction([0, 1], 2),
  SkipLayerNormalization: scaledTo(2, 3),
  SkipSimplifiedLayerNormalization: scaledTo(2, 9),
  Attention: attended(1, 2),
  MultiHeadAttention: attended(2, 3),
  GroupQueryAttention: attended(2, 9),
}

/** Operators all of whose outputs are alike; of others, second outputs are masks, statistics and indices. */
const alike = new Set(['Split', 'RNN', 'GRU', 'LSTM'])

/**
 * The signs a node's output may have at a unit, from those of its inputs. Of an operator without a rule here nothing is
 * known but that it gives numbers.
 */
export const signRuleOf = ({ domain, opType }: Node, output = 0): SignRule => {
  const known = domain === '' || domain === 'ai.onnx' ? rules : domain === 'com.microsoft' ? fused : {}
  return (output === 0 || alike.has(opType) ? known[opType] : undefined) ?? (() => anySign)
}
