import { int32, int64, type Tensor } from '../../base/index.ts'
import { type AttributeInput, float, floats } from '../../onnx/index.ts'
import type { InputSpec, OperatorCase } from './types.ts'

type Attributes = Readonly<Record<string, AttributeInput>>

const microsoft = (
  op: string,
  name: string,
  inputs: Record<string, InputSpec | undefined>,
  attributes: Attributes = {},
  rest: Partial<OperatorCase> = {},
): OperatorCase => ({ op, domain: 'com.microsoft', name, inputs, attributes, ...rest })

const words: Tensor = int32([2, 3], [4, 0, 2, 1, 1, 3])
const lengths: Tensor = int32([2], [3, 1])
const seen: Tensor = int32([2, 3], [1, 1, 0, 1, 0, 0])

const activations: readonly OperatorCase[] = [
  microsoft('Gelu', 'exact', { X: [2, 5] }),
  microsoft('BiasGelu', 'a bias', { X: [2, 3, 4], B: [4] }),
  microsoft('FastGelu', 'no bias', { X: [2, 5] }),
  microsoft('FastGelu', 'a bias', { X: [2, 3, 4], B: [4] }),
  microsoft('QuickGelu', 'its own slope', { X: [2, 5] }),
  microsoft('QuickGelu', 'a given slope', { X: [2, 5] }, { alpha: float(0.7) }),
]

const products: readonly OperatorCase[] = [
  ...['Relu', 'Tanh', 'Sigmoid'].map((activation) =>
    microsoft(
      'FusedConv',
      activation,
      { X: [1, 2, 4, 4], W: [3, 2, 3, 3], B: [3] },
      { activation, pads: [1, 1, 1, 1] },
    ),
  ),
  microsoft(
    'FusedConv',
    'LeakyRelu',
    { X: [1, 2, 4, 4], W: [3, 2, 3, 3] },
    { activation: 'LeakyRelu', activation_params: floats([0.2]) },
  ),
  microsoft(
    'FusedConv',
    'HardSigmoid',
    { X: [1, 2, 4, 4], W: [3, 2, 3, 3], B: [3] },
    { activation: 'HardSigmoid', activation_params: floats([0.3, 0.4]) },
  ),
  microsoft(
    'FusedConv',
    'Clip',
    { X: [1, 2, 4, 4], W: [3, 2, 3, 3], B: [3] },
    { activation: 'Clip', activation_params: floats([-1, 2]) },
  ),
  microsoft(
    'FusedConv',
    'a sum before the activation',
    { X: [1, 2, 4, 4], W: [3, 2, 3, 3], B: [3], Z: [1, 3, 2, 2] },
    { activation: 'Relu' },
  ),
  microsoft(
    'FusedGemm',
    'LeakyRelu',
    { A: [2, 3], B: [4, 3], C: [4] },
    { transB: 1, activation: 'LeakyRelu', activation_alpha: float(0.3) },
  ),
  microsoft('FusedMatMul', 'both turned', { A: [2, 4, 3], B: [2, 5, 4] }, { transA: 1, transB: 1, alpha: float(0.5) }),
  microsoft('FusedMatMul', 'batches inside', { A: [3, 2, 4], B: [2, 4, 5] }, { transBatchA: 1 }),
  microsoft(
    'FusedMatMul',
    'batches inside both, turned',
    { A: [4, 2, 3], B: [5, 2, 4] },
    { transBatchA: 1, transA: 1, transBatchB: 1, transB: 1 },
  ),
  microsoft('TransposeMatMul', 'B turned', { A: [2, 3], B: [4, 3] }, { transB: 1 }),
  microsoft('Trilu', 'lower', { X: [3, 3] }, { upper: 0 }),
  microsoft('ExpandDims', 'from the end', { X: [2, 3], axis: int32([], [-1]) }),
  microsoft('GridSample', 'bilinear', { X: [1, 2, 3, 4], grid: { dims: [1, 2, 2, 2], low: -0.9, high: 0.9 } }),
]

const normalizations: readonly OperatorCase[] = [
  { op: 'SimplifiedLayerNormalization', name: 'last axis', inputs: { X: [2, 3, 4], scale: [4] } },
  {
    op: 'SimplifiedLayerNormalization',
    name: 'two axes',
    inputs: { X: [2, 3, 4], scale: [3, 4] },
    attributes: { axis: 1, epsilon: float(0.1) },
  },
  microsoft(
    'SkipLayerNormalization',
    'all inputs',
    { X: [2, 3, 4], skip: [2, 3, 4], gamma: [4], beta: [4], bias: [4] },
    { epsilon: float(1e-3) },
  ),
  microsoft('SkipLayerNormalization', 'no shift', { X: [2, 3, 4], skip: [2, 3, 4], gamma: [4] }),
  microsoft('SkipSimplifiedLayerNormalization', 'a bias', { X: [2, 3, 4], skip: [2, 3, 4], gamma: [4], bias: [4] }),
]

const tables = { words: [6, 4], places: [5, 4] }

const embeddings: readonly OperatorCase[] = [
  microsoft(
    'EmbedLayerNormalization',
    'all inputs',
    {
      ids: words,
      segments: int32([2, 3], [0, 1, 1, 0, 0, 1]),
      ...tables,
      parts: [2, 4],
      gamma: [4],
      beta: [4],
      mask: seen,
      positions: int32([2, 3], [2, 0, 1, 4, 3, 2]),
    },
    {},
    { outputs: 2, loss: [0] },
  ),
  microsoft(
    'EmbedLayerNormalization',
    'no segments',
    { ids: words, segments: undefined, ...tables, parts: undefined, gamma: [4], beta: [4] },
    {},
    { outputs: 2, loss: [0] },
  ),
  ...[0, 1].flatMap((interleaved) => [
    microsoft(
      'RotaryEmbedding',
      `three axes, interleaved ${interleaved}`,
      { X: [2, 3, 8], at: int64([2, 3], [0, 1, 2, 3, 1, 0]), cos: [5, 2], sin: [5, 2] },
      { interleaved },
      { checked: ['X'] },
    ),
    microsoft(
      'RotaryEmbedding',
      `heads apart, one offset, interleaved ${interleaved}`,
      { X: [1, 2, 3, 4], at: int64([1], [1]), cos: [5, 2], sin: [5, 2] },
      { interleaved },
      { checked: ['X'] },
    ),
  ]),
  microsoft(
    'RotaryEmbedding',
    'part of the features',
    { X: [1, 3, 12], at: int64([1, 3], [0, 1, 2]), cos: [5, 2], sin: [5, 2] },
    { num_heads: 2, rotary_embedding_dim: 4 },
    { checked: ['X'] },
  ),
]

const attention = (name: string, more: Record<string, InputSpec | undefined> = {}, attributes: Attributes = {}) =>
  microsoft('Attention', name, { X: [2, 3, 4], W: [4, 12], B: [12], ...more }, { num_heads: 2, ...attributes })

const apart = { Q: [2, 3, 4], K: [2, 5, 4], V: [2, 5, 6] }

const attentions: readonly OperatorCase[] = [
  attention('plain'),
  attention('a scale', {}, { scale: float(0.4) }),
  attention('of the past alone', {}, { unidirectional: 1 }),
  attention('lengths', { mask: lengths }),
  attention('a mask', { mask: seen }, { mask_filter_value: float(-50) }),
  attention('a mask of pairs', { mask: int32([2, 3, 3], [1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1]) }),
  attention('a bias of scores', { mask: undefined, past: undefined, scores: [2, 2, 3, 3] }),
  microsoft(
    'Attention',
    'sizes of its own',
    { X: [2, 3, 4], W: [4, 14], B: [14] },
    { num_heads: 2, qkv_hidden_sizes: [4, 4, 6] },
  ),
  microsoft('MultiHeadAttention', 'apart', apart, { num_heads: 2 }),
  microsoft('MultiHeadAttention', 'biases', { ...apart, B: [14] }, { num_heads: 2 }),
  microsoft(
    'MultiHeadAttention',
    'a mask, of scores too',
    { ...apart, B: undefined, mask: int32([2, 5], [1, 1, 1, 1, 0, 1, 0, 1, 1, 1]), scores: [1, 2, 3, 5] },
    { num_heads: 2 },
  ),
]

const deform = (
  name: string,
  inputs: Record<string, InputSpec | undefined>,
  attributes: Attributes = {},
): OperatorCase => ({
  op: 'DeformConv',
  name,
  inputs,
  attributes,
  opset: 19,
  type: 'float32',
})

const deformations: readonly OperatorCase[] = [
  deform('plain', { X: [1, 2, 4, 4], W: [3, 2, 2, 2], offset: [1, 8, 3, 3] }),
  deform('a bias and a mask', { X: [2, 1, 4, 4], W: [2, 1, 2, 2], offset: [2, 8, 3, 3], B: [2], mask: [2, 4, 3, 3] }),
  deform(
    'strides, pads, dilations, groups',
    { X: [1, 4, 5, 5], W: [2, 2, 2, 2], offset: [1, 16, 3, 3], B: undefined, mask: [1, 8, 3, 3] },
    { strides: [2, 2], pads: [1, 1, 1, 1], dilations: [2, 1], group: 2, offset_group: 2 },
  ),
]

/** Operators that are lowered to plainer ones. */
export const fusedCases: readonly OperatorCase[] = [
  ...activations,
  ...products,
  ...normalizations,
  ...embeddings,
  ...attentions,
  ...deformations,
]

const grouped = (name: string, attributes: Attributes = {}) =>
  microsoft(
    'GroupQueryAttention',
    name,
    {
      Q: [1, 3, 32],
      K: [1, 3, 16],
      V: [1, 3, 16],
      pastKeys: undefined,
      pastValues: undefined,
      lengths: int32([1], [2]),
      total: int32([], [3]),
    },
    { num_heads: 4, kv_num_heads: 2, ...attributes },
    { outputs: 3, loss: [], type: 'float32' },
  )

/** Operators with rows for pruning and no plainer form. */
export const fusedPruningCases: readonly OperatorCase[] = [
  grouped('four query heads, two of keys and values'),
  grouped('a scale', { scale: float(0.3) }),
  microsoft(
    'GroupQueryAttention',
    'past words',
    {
      Q: [1, 1, 32],
      K: [1, 1, 16],
      V: [1, 1, 16],
      pastKeys: [1, 2, 2, 8],
      pastValues: [1, 2, 2, 8],
      lengths: int32([1], [2]),
      total: int32([], [3]),
    },
    { num_heads: 4, kv_num_heads: 2 },
    { outputs: 3, loss: [], type: 'float32' },
  ),
]
