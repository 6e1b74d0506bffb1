import { int32 } from '../../base/index.ts'
import { type Attribute, float, floats } from '../../onnx/index.ts'
import type { InputSpec, OperatorCase } from './types.ts'

const strings = (...names: string[]): Attribute => ({
  type: 'STRINGS',
  value: names.map((name) => new TextEncoder().encode(name)),
})

const gatesOf = { RNN: 1, GRU: 3, LSTM: 4 }

type Parts = {
  readonly attributes?: NonNullable<OperatorCase['attributes']>
  readonly directions?: 1 | 2
  readonly bias?: boolean
  readonly initial?: boolean
  readonly peepholes?: boolean
  readonly lengths?: readonly number[]
  readonly loss?: readonly number[]
  readonly seed?: number
  readonly size?: { readonly steps: number; readonly batch: number; readonly inputs: number; readonly hidden: number }
}

const layer = (op: keyof typeof gatesOf, name: string, parts: Parts = {}): OperatorCase => {
  const { steps, batch, inputs, hidden } = parts.size ?? { steps: 3, batch: 2, inputs: 2, hidden: 3 }
  const d = parts.directions ?? 1
  const rows = gatesOf[op] * hidden
  // Weights of a size that keeps the activations in their bent part.
  const small = (...dims: number[]): InputSpec => ({ dims, low: -0.8, high: 0.8 })
  const initial = parts.initial ? small(d, batch, hidden) : undefined
  return {
    op,
    name,
    inputs: {
      X: small(steps, batch, inputs),
      W: small(d, rows, inputs),
      R: small(d, rows, hidden),
      B: parts.bias === false ? undefined : small(d, 2 * rows),
      lengths: parts.lengths && int32([batch], parts.lengths),
      h0: initial,
      ...(op === 'LSTM' ? { c0: initial, P: parts.peepholes ? small(d, 3 * hidden) : undefined } : {}),
    },
    attributes: { hidden_size: hidden, ...(d === 2 ? { direction: 'bidirectional' } : {}), ...parts.attributes },
    outputs: op === 'LSTM' ? 3 : 2,
    ...(parts.loss ? { loss: parts.loss } : {}),
    ...(parts.seed ? { seed: parts.seed } : {}),
  }
}

const common = (op: keyof typeof gatesOf): readonly OperatorCase[] => [
  layer(op, 'forward'),
  layer(op, 'no bias', { bias: false }),
  layer(op, 'reverse', { attributes: { direction: 'reverse' } }),
  layer(op, 'both directions, initial states', { directions: 2, initial: true }),
  layer(op, 'initial states', { initial: true }),
  layer(op, 'one step', { initial: true, size: { steps: 1, batch: 2, inputs: 3, hidden: 2 } }),
  layer(op, 'only the last state used', { loss: [1] }),
  layer(op, 'only the sequence used', { loss: [0], initial: true }),
  layer(op, 'sequence lengths', { lengths: [2, 3], initial: true }),
  layer(op, 'sequence lengths, reverse', { lengths: [3, 1], initial: true, attributes: { direction: 'reverse' } }),
  layer(op, 'sequence lengths, both directions', { lengths: [2, 3], directions: 2 }),
  // Drawn so that no pre-activation lies where the clip bends.
  layer(op, 'clip', { attributes: { clip: float(0.3) }, seed: op === 'GRU' ? 18 : 1 }),
]

export const recurrentCases: readonly OperatorCase[] = [
  ...common('RNN'),
  layer('RNN', 'Relu', { attributes: { activations: strings('Relu') } }),
  layer('RNN', 'two activations', { directions: 2, attributes: { activations: strings('Sigmoid', 'Softsign') } }),
  layer('RNN', 'LeakyRelu', {
    seed: 2,
    attributes: { activations: strings('LeakyRelu'), activation_alpha: floats([0.1]) },
  }),
  layer('RNN', 'Elu, default α', { attributes: { activations: strings('Elu') } }),
  layer('RNN', 'ScaledTanh', {
    attributes: { activations: strings('ScaledTanh'), activation_alpha: floats([1.5]), activation_beta: floats([0.7]) },
  }),
  layer('RNN', 'Affine', {
    attributes: { activations: strings('Affine'), activation_alpha: floats([0.5]), activation_beta: floats([0.1]) },
  }),
  layer('RNN', 'HardSigmoid', {
    attributes: {
      activations: strings('HardSigmoid'),
      activation_alpha: floats([0.25]),
      activation_beta: floats([0.5]),
    },
  }),
  layer('RNN', 'Softplus', { attributes: { activations: strings('Softplus') } }),
  layer('RNN', 'ThresholdedRelu', {
    attributes: { activations: strings('ThresholdedRelu'), activation_alpha: floats([0.2]) },
  }),
  ...common('GRU'),
  layer('GRU', 'linear before reset', { attributes: { linear_before_reset: 1 }, initial: true }),
  layer('GRU', 'linear before reset, no bias, both directions', {
    attributes: { linear_before_reset: 1 },
    bias: false,
    directions: 2,
  }),
  layer('GRU', 'linear before reset, sequence lengths', { attributes: { linear_before_reset: 1 }, lengths: [1, 3] }),
  layer('GRU', 'other activations', { attributes: { activations: strings('HardSigmoid', 'Softplus') } }),
  ...common('LSTM'),
  layer('LSTM', 'peepholes', { peepholes: true, initial: true }),
  layer('LSTM', 'peepholes, both directions, sequence lengths', { peepholes: true, directions: 2, lengths: [2, 3] }),
  layer('LSTM', 'only the last cell used', { loss: [2], initial: true }),
  layer('LSTM', 'coupled gates', { attributes: { input_forget: 1 }, initial: true }),
  layer('LSTM', 'other activations', { attributes: { activations: strings('HardSigmoid', 'Softsign', 'Sigmoid') } }),
]
