import type { Dimension } from '../../../onnx/index.ts'
import type { SizeNet } from './net.ts'

/** What a model's free axes are in one run. */
export type Sizes = { readonly [axis: string]: number }

/** A pattern of size arithmetic, as a small network. */
export type SizeCase = {
  readonly name: string
  /** Dims of the input `x`; free axes by name. */
  readonly dims: readonly Dimension[]
  /** Adds the network's nodes and returns its outputs. */
  readonly write: (net: SizeNet) => string | readonly string[]
  /** Sizes the network runs at. */
  readonly sizes: readonly Sizes[]
  /** Layers that can lose output channels exactly when the arithmetic is kept. */
  readonly prunable: readonly string[]
  /** Layers that cannot: their channels pass through what is decided by sizes. */
  readonly frozen?: readonly string[]
}

/** Square and not, odd and even, smaller and larger than 64, of several batches. */
export const images: readonly Sizes[] = [
  { N: 1, H: 64, W: 64 },
  { N: 1, H: 50, W: 61 },
  { N: 2, H: 33, W: 20 },
  { N: 3, H: 9, W: 10 },
  { N: 5, H: 24, W: 24 },
  { N: 2, H: 97, W: 70 },
]

/** Lengths of sequences. */
export const lengths: readonly Sizes[] = [
  { N: 1, T: 16 },
  { N: 3, T: 24 },
  { N: 2, T: 7 },
  { N: 1, T: 1 },
  { N: 5, T: 31 },
]
