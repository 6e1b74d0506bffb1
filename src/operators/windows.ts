import { intsOf, type Node, stringOf } from '../onnx/index.ts'
import { range } from './helpers.ts'

/**
 * Where a sliding window reads, per spatial axis: output p looks at positions p·stride + k·dilation − begin,
 * k = 0 … kernel − 1. Convolutions and pools share it.
 */
export type Windows = {
  readonly kernel: readonly number[]
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  /** Padding before and after, `auto_pad` resolved. */
  readonly begin: readonly number[]
  readonly end: readonly number[]
}

/** The positions a dilated kernel spans: (kernel − 1)·dilation + 1. */
export const spanOf = ({ kernel, dilations }: Windows): number[] => kernel.map((k, i) => (k - 1) * dilations[i]! + 1)

/**
 * The windows of a convolution or pool over `input` positions (spatial axes only).
 * SAME pads so that output = ⌈input / stride⌉, the odd one at the end (UPPER) or the beginning (LOWER).
 */
export const windowsOf = (node: Node, kernel: readonly number[], input: readonly number[]): Windows => {
  const bare = bareWindows(node, kernel)
  const auto = stringOf(node, 'auto_pad', 'NOTSET')
  if (auto !== 'SAME_UPPER' && auto !== 'SAME_LOWER') return auto === 'VALID' ? bare : padded(node, bare)
  const span = spanOf(bare)
  const total = input.map((size, i) => {
    const stride = bare.strides[i]!
    return Math.max((Math.ceil(size / stride) - 1) * stride + span[i]! - size, 0)
  })
  return shared(bare, total, auto === 'SAME_LOWER')
}

/**
 * The windows of a transposed convolution: those of the convolution it is the transpose of, whose input is this one's
 * `output`. With `output_shape`, or SAME's output = input · stride, the padding is what is left over.
 */
export const transposedWindowsOf = (
  node: Node,
  kernel: readonly number[],
  input: readonly number[],
  output: readonly number[],
): Windows => {
  const bare = bareWindows(node, kernel)
  const auto = stringOf(node, 'auto_pad', 'NOTSET')
  if (auto === 'VALID') return bare
  const same = auto === 'SAME_UPPER' || auto === 'SAME_LOWER'
  if (!same && !node.attributes.has('output_shape')) return padded(node, bare)
  const span = spanOf(bare)
  const more = intsOf(node, 'output_padding', undefined)
  const total = input.map((size, i) =>
    Math.max(bare.strides[i]! * (size - 1) + (more?.[i] ?? 0) + span[i]! - output[i]!, 0),
  )
  return shared(bare, total, auto !== 'SAME_UPPER')
}

const bareWindows = (node: Node, kernel: readonly number[]): Windows => {
  const ones = kernel.map(() => 1)
  const zeros = kernel.map(() => 0)
  return {
    kernel,
    strides: intsOf(node, 'strides', ones),
    dilations: intsOf(node, 'dilations', ones),
    begin: zeros,
    end: zeros,
  }
}

const padded = (node: Node, bare: Windows): Windows => {
  const n = bare.kernel.length
  const pads = intsOf(node, 'pads', undefined)
  return pads ? { ...bare, begin: pads.slice(0, n), end: pads.slice(n) } : bare
}

const shared = (bare: Windows, total: readonly number[], moreInFront: boolean): Windows => {
  const less = total.map((n) => Math.floor(n / 2))
  const more = total.map((n) => Math.ceil(n / 2))
  return { ...bare, begin: moreInFront ? more : less, end: moreInFront ? less : more }
}

/** Every offset (k₁, k₂, …) of a kernel in row-major order. */
export const offsetsOf = (kernel: readonly number[]): number[][] =>
  kernel.reduce<number[][]>((offsets, size) => offsets.flatMap((o) => range(0, size).map((k) => [...o, k])), [[]])

/**
 * Positions left unread at the end, per axis: input + padding − span − (output − 1)·stride. Negative when `ceil_mode`
 * lets the last window hang over the edge.
 */
export const leftoverOf = (w: Windows, input: readonly number[], output: readonly number[]): number[] => {
  const span = spanOf(w)
  return input.map((size, i) => size + w.begin[i]! + w.end[i]! - span[i]! - (output[i]! - 1) * w.strides[i]!)
}
