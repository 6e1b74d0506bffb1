/**
 * What an operator does with the units of its values' axes. 'joins': index i of one axis lives and dies with index i of
 * another; 're-maps': indices of one axis belong to other indices of another, or sizes written in the node change with them;
 * 'freezes': nothing of what it touches may go. An operator that joins or re-maps may still freeze single axes, with a reason.
 */
export type Treatment = 'joins' | 're-maps' | 'freezes'

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

const remaps = words(`
  Conv ConvTranspose ConvInteger QLinearConv DeformConv FusedConv GroupNormalization
  Concat Split Slice Gather ScatterND Pad Expand Tile ConstantOfShape CenterCropPad Col2Im
  Reshape Flatten DepthToSpace SpaceToDepth Resize Upsample RNN GRU LSTM
  Attention MultiHeadAttention GroupQueryAttention RotaryEmbedding
`)

const freezes = words(`
  Shape Size AffineGrid Bernoulli RandomNormal RandomNormalLike RandomUniform RandomUniformLike Multinomial
  Constant EyeLike Range BlackmanWindow HammingWindow HannWindow MelWeightMatrix
  NonMaxSuppression NonZero OneHot Unique MaxUnpool SoftmaxCrossEntropyLoss NegativeLogLikelihoodLoss
`)

/** Those that join their features too, though a normalization's statistics of fewer features are others than when masked. */
const approximate = words(`
  LayerNormalization RMSNormalization SimplifiedLayerNormalization LpNormalization ReduceMean
  SkipLayerNormalization SkipSimplifiedLayerNormalization EmbedLayerNormalization
`)

/** How pruning treats an operator that has a row; `approximate` where it joins some axis only on request. */
export const treatmentOf = (opType: string): { readonly treatment: Treatment; readonly approximate: boolean } => ({
  treatment: remaps.has(opType) ? 're-maps' : freezes.has(opType) ? 'freezes' : 'joins',
  approximate: approximate.has(opType),
})
