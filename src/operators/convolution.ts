import { sizeOf } from '../base/index.ts'
import { concat, padZeros, range, reshape, slice, transpose } from './helpers.ts'
import type { GradientContext } from './types.ts'
import { leftoverOf, offsetsOf, spanOf, type Windows } from './windows.ts'

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

/** ∂L/∂w of y = x ∗ w:  ∂L/∂w[o,c,k] = Σ_{n,p} ∂L/∂y[n,o,p] · x[n,c,p·s + k·d − pad]. */
export const weightGradient = (g: GradientContext, c: Convolution, x: string, dy: string): string =>
  prefersProducts(c) ? weightByProducts(g, c, x, dy) : weightByConvolution(g, c, x, dy)

/** Products win once there are enough channels to fill them; a kernel of many offsets makes them many and thin. */
const prefersProducts = ({ windows, groups, x, y }: Convolution) =>
  groups === 1 && Math.min(x[1]!, y[1]!) >= 16 && sizeOf(windows.kernel) <= 49

/**
 * The sum over p is itself a convolution: of x over ∂L/∂y as the kernel, batch and channels exchanged, and stride exchanged
 * with dilation (the kernel's taps p lie s apart, and its outputs k lie d apart). Groups stay groups: the channels of the
 * swapped x are (group, n).
 */
export const weightByConvolution = (g: GradientContext, c: Convolution, x: string, dy: string): string => {
  const { kernel, strides, dilations, begin, end } = c.windows
  const [n, channels] = [c.x[0]!, c.x[1]!]
  const per = channels / c.groups
  const spatial = range(2, c.x.length)
  const swapped =
    c.groups === 1
      ? transpose(g, x, [1, 0, ...spatial])
      : reshape(
          g,
          transpose(g, reshape(g, x, [n, c.groups, per, ...c.x.slice(2)]), [2, 1, 0, ...spatial.map((a) => a + 1)]),
          [per, c.groups * n, ...c.x.slice(2)],
        )
  const leftover = leftoverOf(c.windows, c.x.slice(2), c.y.slice(2))
  const taken = end.map((pad, i) => Math.max(pad - leftover[i]!, 0))
  const found = g.b.op('Conv', [swapped, transpose(g, dy, [1, 0, ...spatial])], {
    kernel_shape: c.y.slice(2),
    strides: dilations,
    dilations: strides,
    group: c.groups,
    pads: [...begin, ...taken],
  })
  // Positions left unread that no padding could give back make outputs past the kernel's last tap.
  const extra = leftover.some((n, i) => n - end[i]! >= dilations[i]!)
  const cut = extra ? slice(g, found, { axes: spatial, starts: kernel.map(() => 0), ends: kernel }) : found
  return transpose(g, cut, [1, 0, ...spatial])
}

/**
 * One matrix product per kernel offset k, over the positions that offset reads: with x and ∂L/∂y flattened to
 * [channels, N·P],  ∂L/∂w[:,:,k] = ∂L/∂y · x_kᵀ. One group only.
 */
export const weightByProducts = (g: GradientContext, c: Convolution, x: string, dy: string): string => {
  const { kernel, strides, dilations, begin, end } = c.windows
  const [n, channels, outputs] = [c.x[0]!, c.x[1]!, c.y[1]!]
  const spatial = range(2, c.x.length)
  const points = n * sizeOf(c.y.slice(2))
  const padding = { begin: [0, 0, ...begin], end: [0, 0, ...end] }
  const first = transpose(g, padZeros(g, x, padding.begin, padding.end), [1, 0, ...spatial])
  const rows = reshape(g, transpose(g, dy, [1, 0, ...spatial]), [outputs, points])
  const whole = leftoverOf(c.windows, c.x.slice(2), c.y.slice(2)).every((n) => n === 0)
  const products = offsetsOf(kernel).map((offset) => {
    const starts = offset.map((k, i) => k * dilations[i]!)
    const ends = starts.map((start, i) => start + (c.y[i + 2]! - 1) * strides[i]! + 1)
    const all = whole && sizeOf(kernel) === 1 && strides.every((s) => s === 1)
    const shifted = all ? first : slice(g, first, { axes: spatial, starts, ends, steps: strides })
    const product = g.b.op('Gemm', [rows, reshape(g, shifted, [channels, points])], { transB: 1 })
    return sizeOf(kernel) === 1 ? product : reshape(g, product, [outputs, channels, 1])
  })
  return reshape(g, concat(g, products, 2), [outputs, channels, ...kernel])
}
