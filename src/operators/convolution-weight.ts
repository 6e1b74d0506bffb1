import { sizeOf } from '../base/index.ts'
import type { Convolution } from './convolution.ts'
import { byShiftingBoth, prefersShiftingBoth, samplesLast } from './convolution-shift.ts'
import { concat, padZeros, range, reshape, slice, sum, transpose } from './helpers.ts'
import type { GradientContext } from './types.ts'
import { leftoverOf, offsetsOf } from './windows.ts'

/** ∂L/∂w of y = x ∗ w:  ∂L/∂w[o,c,k] = Σ_{n,p} ∂L/∂y[n,o,p] · x[n,c,p·s + k·d − pad]. */
export const weightGradient = (g: GradientContext, c: Convolution, x: string, dy: string): string =>
  prefersProducts(c)
    ? weightByProducts(g, c, x, dy)
    : c.groups > 1 && c.groups === c.x[1]
      ? weightBySamples(g, c, x, dy)
      : weightByConvolution(g, c, x, dy)

/** Products beat the convolution wherever there is one group; a kernel of many offsets would make too many of them. */
const prefersProducts = ({ windows, groups }: Convolution) => groups === 1 && sizeOf(windows.kernel) <= 121

/**
 * The sum over p is itself a convolution: of x over ∂L/∂y as the kernel, batch and channels exchanged, and stride exchanged
 * with dilation (the kernel's taps p lie s apart, and its outputs k lie d apart). Groups stay groups: the channels of the
 * swapped x are (group, n).
 */
export const weightByConvolution = (g: GradientContext, c: Convolution, x: string, dy: string): string => {
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
  const found = overGradient(g, c, swapped, transpose(g, dy, [1, 0, ...spatial]), c.groups)
  return transpose(g, found, [1, 0, ...spatial])
}

/**
 * Where each channel is a group of its own, so is each sample's channel: one depthwise convolution finds every sample's
 * share, [N, O, kernel…], without moving a value, and the sum over samples is left.
 */
export const weightBySamples = (g: GradientContext, c: Convolution, x: string, dy: string): string => {
  const [n, channels, outputs] = [c.x[0]!, c.x[1]!, c.y[1]!]
  const apart = reshape(g, x, [1, n * channels, ...c.x.slice(2)])
  const kernels = reshape(g, dy, [n * outputs, 1, ...c.y.slice(2)])
  const found = overGradient(g, c, apart, kernels, n * channels)
  return sum(g, reshape(g, found, [n, outputs, 1, ...c.windows.kernel]), [0])
}

/** The convolution of x over ∂L/∂y as the kernel, its outputs cut to the taps there are. */
const overGradient = (g: GradientContext, c: Convolution, x: string, dy: string, group: number): string => {
  const { kernel, strides, dilations, begin, end } = c.windows
  const leftover = leftoverOf(c.windows, c.x.slice(2), c.y.slice(2))
  const taken = end.map((pad, i) => Math.max(pad - leftover[i]!, 0))
  const found = g.b.op('Conv', [x, dy], {
    kernel_shape: c.y.slice(2),
    strides: dilations,
    dilations: strides,
    group,
    pads: [...begin, ...taken],
  })
  // Positions left unread that no padding could give back make outputs past the kernel's last tap.
  const extra = leftover.some((n, i) => n - end[i]! >= dilations[i]!)
  const axes = range(2, c.x.length)
  return extra ? slice(g, found, { axes, starts: kernel.map(() => 0), ends: kernel }) : found
}

/**
 * ∂L/∂w as matrix products over the P positions of the batch: with ∂L/∂y as rows [O, P] and x_k, [C, P], what offset k of
 * the kernel reads there,  ∂L/∂w[:,:,k] = ∂L/∂y · x_kᵀ. One group only.
 */
export const weightByProducts = (g: GradientContext, c: Convolution, x: string, dy: string): string =>
  prefersShiftingBoth(c) ? byShiftingBoth(g, c, x, dy) : byShiftingInput(g, c, x, dy)

/**
 * Only x moves: the offsets along the last axis are laid side by side first, so that one product serves a row of the
 * kernel, and all of them where they are few.
 */
const byShiftingInput = (g: GradientContext, c: Convolution, x: string, dy: string): string => {
  const { kernel, strides, dilations, begin, end } = c.windows
  const [n, channels, outputs] = [c.x[0]!, c.x[1]!, c.y[1]!]
  const width = kernel.at(-1)!
  const outer = range(0, kernel.length - 1)
  const points = n * sizeOf(c.y.slice(2))

  const [before, after] = [begin.slice(0, -1), end.slice(0, -1)]
  const padded = padZeros(g, samplesLast(g, c, x), [0, ...before, 0, 0], [0, ...after, 0, 0])
  const row = concat(g, tapsAlongLast(g, c, padded), 0)
  const columns = offsetsOf(kernel.slice(0, -1)).map((offset) => {
    const reads = outer.map((axis) => {
      const start = offset[axis]! * dilations[axis]!
      const length = c.x[axis + 2]! + begin[axis]! + end[axis]!
      return { axis: axis + 1, start, ...reading(start, strides[axis]!, c.y[axis + 2]!, length) }
    })
    return reshape(g, sliced(g, row, reads), [width * channels, points])
  })
  const rows = reshape(g, samplesLast(g, c, dy), [outputs, points])
  const product = (column: string) => g.b.op('Gemm', [rows, column], { transB: 1 })
  const found = channels * sizeOf(kernel) <= 128 ? product(concat(g, columns, 0)) : concat(g, columns.map(product), 1)
  // Columns stand in the order (offset, last tap, channel).
  const taps = reshape(g, found, [outputs, sizeOf(kernel), channels])
  return reshape(g, transpose(g, taps, [0, 2, 1]), [outputs, channels, ...kernel])
}

/** What every tap along the last axis reads of [channels, …, last axis, N]; the edges are read as zeros. */
const tapsAlongLast = (g: GradientContext, c: Convolution, value: string): string[] => {
  const { kernel, strides, dilations, begin } = c.windows
  const [stride, dilation, pad] = [strides.at(-1)!, dilations.at(-1)!, begin.at(-1)!]
  const [from, to] = [c.x.at(-1)!, c.y.at(-1)!]
  const span = (to - 1) * stride + 1
  const none = range(0, c.x.length - 2).map(() => 0)
  return range(0, kernel.at(-1)!).map((k) => {
    // Padding and, where it is negative, cutting in one go, so that what is left starts with the tap's first reading.
    const before = pad - k * dilation
    const cut = padZeros(g, value, [...none, before, 0], [...none, span - from - before, 0])
    return sliced(g, cut, [{ axis: c.x.length - 2, start: 0, ...reading(0, stride, to, span) }])
  })
}

type Reading = {
  readonly axis: number
  readonly start: number
  readonly end: number
  readonly step: number
  readonly whole: boolean
}

/** `count` readings a stride apart. */
const reading = (start: number, step: number, count: number, length: number) => {
  const end = start + (count - 1) * step + 1
  return { end, step, whole: start === 0 && step === 1 && end === length }
}

const sliced = (g: GradientContext, value: string, readings: readonly Reading[]): string =>
  readings.every((r) => r.whole)
    ? value
    : slice(g, value, {
        axes: readings.map((r) => r.axis),
        starts: readings.map((r) => r.start),
        ends: readings.map((r) => r.end),
        steps: readings.map((r) => r.step),
      })
