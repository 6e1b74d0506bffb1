import { numbersOf, sizeOf } from '../../base/index.ts'
import { floatOf } from '../../onnx/index.ts'
import {
  anySign,
  keepsZero,
  largest,
  negated,
  negative,
  positive,
  product,
  type SignRule,
  type SignRules,
  type Signs,
  smallest,
  sum,
  zero,
} from './domain.ts'
import { size } from './functions.ts'

const all =
  (combine: (a: Signs, b: Signs) => Signs): SignRule =>
  (c) =>
    c.node.inputs.map((_, i) => c.signs(i)).reduce(combine)

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

/** A sum of products over other axes: 0 where one factor is. `bias` is added, Gemm's times β. */
export const contraction =
  (factors: readonly number[], bias: number): SignRule =>
  (c) => {
    const vanishes = factors.some((i) => c.touched(i) && c.signs(i) === zero)
    if (!vanishes) return anySign
    const added = c.node.inputs[bias] ? c.signs(bias) : zero
    return floatOf(c.node, 'beta', 1) > 0 || added === zero ? added : anySign
  }

const einsum: SignRule = (c) => (c.node.inputs.some((_, i) => c.touched(i) && c.signs(i) === zero) ? zero : anySign)

/**
 * γ(x − μ)/√(σ² + ε) + β with γ = 0; where every unit has its own statistics x = 0 gives x − μ = 0 too. A masked σ² is 0, which
 * without ε makes 0 ÷ 0.
 */
const normalized =
  (ownStatistics: boolean): SignRule =>
  (c) => {
    if (!(floatOf(c.node, 'epsilon', 1e-5) > 0)) return undefined
    const vanishes = c.signs(1) === zero || (ownStatistics && c.signs(0) === zero)
    if (!vanishes) return anySign
    return c.node.inputs[2] ? c.signs(2) : zero
  }

/**
 * With no weights, bias and state left, every gate's candidate is tanh 0 = 0 and the state stays 0. A state that does not is
 * read by the other units unless its column of R is 0.
 */
const recurrent: SignRule = (c) => {
  const rests = [1, 2, 3, 5, 6].every((i) => !c.node.inputs[i] || c.signs(i) === zero)
  if (rests && !c.node.attributes.has('activations')) return zero
  return c.signs(2) === zero ? anySign : 'other units read its state, which is not surely 0 where it is masked'
}

/** Functions of several variables, sums of products and normalizations. */
export const combinations: SignRules = {
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
  DeformConv: contraction([0, 1], 3),
  Gemm: contraction([0, 1], 2),
  MatMul: contraction([0, 1], 2),
  Einsum: einsum,
  BatchNormalization: normalized(false),
  InstanceNormalization: normalized(true),
  GroupNormalization: normalized(true),
  LayerNormalization: normalized(false),
  RMSNormalization: normalized(true),
  // A constant channel is 0 ÷ 0: there is no ε.
  MeanVarianceNormalization: (c) => (c.touched(0) ? undefined : anySign),
  RNN: recurrent,
  GRU: recurrent,
  LSTM: recurrent,
}
