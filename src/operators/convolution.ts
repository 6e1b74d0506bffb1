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

/** Products beat the convolution wherever there is one group; a kernel of many offsets would make too many of them. */
const prefersProducts = ({ windows, groups }: Convolution) => groups === 1 && sizeOf(windows.kernel) <= 121

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
 * ∂L/∂w as matrix products: with ∂L/∂y flattened to [O, P] over all P positions of the batch and x_k, [C, P], what offset k
 * of the kernel reads there,  ∂L/∂w[:,:,k] = ∂L/∂y · x_kᵀ. The offsets along the last axis are laid side by side first, so
 * that one product serves a row of the kernel (measured: 2.7 ms against 5.0 by convolution, 16 → 32 channels, 5×5), and
 * all of them where they are few. Other axes come before the batch: a slice of them copies long runs. One group only.
 */
export const weightByProducts = (g: GradientContext, c: Convolution, x: string, dy: string): string => {
  const { kernel, strides, dilations, begin, end } = c.windows
  const [n, channels, outputs] = [c.x[0]!, c.x[1]!, c.y[1]!]
  const last = c.x.length - 1
  const outer = range(2, last)
  const order = [1, ...outer, 0, last]
  const points = n * sizeOf(c.y.slice(2))

  const first = transpose(g, padZeros(g, x, [0, 0, ...begin], [0, 0, ...end]), order)
  const rows = reshape(g, transpose(g, dy, order), [outputs, points])

  /** What the taps `offset` of the kernel read, along axes of `value` that stand for `spatial` ones (0 is the first). */
  const read = (value: string, axes: readonly number[], spatial: readonly number[], offset: readonly number[]) => {
    const starts = spatial.map((d, i) => offset[i]! * dilations[d]!)
    const ends = spatial.map((d, i) => starts[i]! + (c.y[d + 2]! - 1) * strides[d]! + 1)
    const steps = spatial.map((d) => strides[d]!)
    const lengths = spatial.map((d) => c.x[d + 2]! + begin[d]! + end[d]!)
    const all = starts.every((start, i) => start === 0 && steps[i] === 1 && ends[i] === lengths[i])
    return all ? value : slice(g, value, { axes, starts, ends, steps })
  }

  const width = kernel.at(-1)!
  const row = concat(
    g,
    range(0, width).map((k) => read(first, [last], [last - 2], [k])),
    0,
  )
  const offsets = offsetsOf(kernel.slice(0, -1))
  const columns = offsets.map((offset) =>
    reshape(
      g,
      read(
        row,
        outer.map((axis) => axis - 1),
        outer.map((axis) => axis - 2),
        offset,
      ),
      [width * channels, points],
    ),
  )
  const product = (column: string) => g.b.op('Gemm', [rows, column], { transB: 1 })
  const found = channels * sizeOf(kernel) <= 128 ? product(concat(g, columns, 0)) : concat(g, columns.map(product), 1)
  // Columns stand in the order (offset, last tap, channel).
  const taps = reshape(g, found, [outputs, sizeOf(kernel), channels])
  return reshape(g, transpose(g, taps, [0, 2, 1]), [outputs, channels, ...kernel])
}
