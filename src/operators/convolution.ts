import { sizeOf } from '../base/index.ts'
import { inputOf, range, reshape, tensorLike, transpose } from './helpers.ts'
import type { GradientContext } from './types.ts'
import { leftoverOf, spanOf, type Windows } from './windows.ts'

/** A convolution y = x ∗ w: x [N, C, in…], w [O, C/groups, kernel…], y [N, O, out…]. */
export type Convolution = {
  readonly windows: Windows
  readonly groups: number
  /** Shapes of x and y. */
  readonly x: readonly number[]
  readonly y: readonly number[]
}

/**
 * ∂L/∂x of y = x ∗ w:  ∂L/∂x[n,c,i] = Σ_{o, p·s + k·d − pad = i} ∂L/∂y[n,o,p] · w[o,c,k], the transposed convolution of ∂L/∂y.
 * Positions left unread at the end get nothing: that is what `output_padding` adds.
 */
export const inputGradient = (g: GradientContext, c: Convolution, dy: string, w: string): string =>
  flippable(c) ? inputByFlippedKernel(g, c, dy, w) : inputByTransposition(g, c, dy, w)

/** With stride 1 the transpose is itself a plain convolution, which engines run faster. */
const flippable = (c: Convolution) => c.windows.strides.every((s) => s === 1) && flippedPads(c).every((pad) => pad >= 0)

export const inputByTransposition = (g: GradientContext, c: Convolution, dy: string, w: string): string => {
  const leftover = leftoverOf(c.windows, c.x.slice(2), c.y.slice(2))
  const { kernel, strides, dilations, begin, end } = c.windows
  return g.b.op('ConvTranspose', [dy, w], {
    kernel_shape: kernel,
    strides,
    dilations,
    group: c.groups,
    // A window that hangs over the edge (leftover < 0) reaches past the padding: crop that much more.
    pads: [...begin, ...end.map((n, i) => n + Math.max(-leftover[i]!, 0))],
    output_padding: leftover.map((n) => Math.max(n, 0)),
  })
}

/**
 * ∂L/∂x[i] = Σ_k ∂L/∂y[i + pad − k·d] · w[k]: substitute k → K−1−k and it is a convolution. Within each group, kernels' rows
 * and columns change places.
 */
export const inputByFlippedKernel = (g: GradientContext, c: Convolution, dy: string, w: string): string => {
  const { kernel, dilations } = c.windows
  return g.b.op('Conv', [dy, exchanged(g, c, flipped(g, c, w))], {
    kernel_shape: kernel,
    dilations,
    group: c.groups,
    pads: flippedPads(c),
  })
}

/**
 * Kernels read backwards along every axis: a product with the matrix that reverses a row of taps, since ONNX Runtime's
 * Slice copies backwards one number at a time and takes three times as long.
 */
const flipped = (g: GradientContext, { windows: { kernel }, x, y, groups }: Convolution, w: string): string => {
  const taps = sizeOf(kernel)
  if (taps === 1) return w
  const reversal = Array.from({ length: taps ** 2 }, (_, i) => (Math.floor(i / taps) + (i % taps) === taps - 1 ? 1 : 0))
  const matrix = g.b.constant(tensorLike(g.type(inputOf(g.node, 0)), [taps, taps], reversal))
  const backwards = g.b.op('MatMul', [reshape(g, w, [-1, taps]), matrix])
  return reshape(g, backwards, [y[1]!, x[1]! / groups, ...kernel])
}

/** span − 1 − pad. */
const flippedPads = ({ windows }: Convolution): number[] => {
  const span = spanOf(windows)
  return [...span.map((s, i) => s - 1 - windows.begin[i]!), ...span.map((s, i) => s - 1 - windows.end[i]!)]
}

/** Kernels [O, C/groups, …] as [C, O/groups, …]. */
const exchanged = (g: GradientContext, c: Convolution, w: string): string => {
  const { kernel } = c.windows
  const axes = range(2, c.x.length)
  if (c.groups === 1) return transpose(g, w, [1, 0, ...axes])
  const [made, per] = [c.y[1]! / c.groups, c.x[1]! / c.groups]
  if (made === 1 && per === 1) return w
  const grouped = transpose(g, reshape(g, w, [c.groups, made, per, ...kernel]), [0, 2, 1, ...axes.map((a) => a + 1)])
  return reshape(g, grouped, [c.x[1]!, made, ...kernel])
}
