import { sizeOf } from '../base/index.ts'
import { range, slice, transpose } from './helpers.ts'
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

/** With stride 1 and one group the transpose is itself a plain convolution, which engines run faster. */
const flippable = ({ windows, groups }: Convolution) =>
  groups === 1 &&
  windows.strides.every((s) => s === 1) &&
  spanOf(windows).every((span, i) => span - 1 >= Math.max(windows.begin[i]!, windows.end[i]!))

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

/** ∂L/∂x[i] = Σ_k ∂L/∂y[i + pad − k·d] · w[k]: substitute k → K−1−k and it is a convolution padded by span − 1 − pad. */
export const inputByFlippedKernel = (g: GradientContext, c: Convolution, dy: string, w: string): string => {
  const { kernel, dilations, begin, end } = c.windows
  const span = spanOf(c.windows)
  const axes = range(2, c.x.length)
  const back = kernel.map(() => -1)
  const flipped =
    sizeOf(kernel) === 1 ? w : slice(g, w, { axes, starts: back, ends: kernel.map(() => -(2 ** 31)), steps: back })
  return g.b.op('Conv', [dy, transpose(g, flipped, [1, 0, ...axes])], {
    kernel_shape: kernel,
    dilations,
    pads: [...span.map((s, i) => s - 1 - begin[i]!), ...span.map((s, i) => s - 1 - end[i]!)],
  })
}
