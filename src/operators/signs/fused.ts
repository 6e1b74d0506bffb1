import { stringOf } from '../../onnx/index.ts'
import { contraction } from './combinations.ts'
import { anySign, keepsZero, type SignRule, type SignRules, zero } from './domain.ts'

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
export const fused: SignRules = {
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
  RotaryEmbedding: keepsZero,
  EmbedLayerNormalization: scaledTo(5, 6),
}
