import { sizeOf } from '../base/index.ts'
import type { Convolution } from './convolution.ts'
import { byColumns } from './convolution-columns.ts'
import { fromPhases, phasesOf, toPhases } from './convolution-phases.ts'
import { byShifting, prefersShifting } from './convolution-shift.ts'
import { range, reshape, slice, sum, transpose } from './helpers.ts'
import type { GradientContext } from './types.ts'
import { leftoverOf } from './windows.ts'

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

/** As a matrix product over the positions of the batch, whatever the stride. One group only. */
export const weightByProducts = (g: GradientContext, c: Convolution, x: string, dy: string): string => {
  const phases = phasesOf(c)
  const form = prefersShifting(phases.plain) ? byShifting : byColumns
  return fromPhases(g, c, phases, form(g, phases.plain, toPhases(g, c, phases, x), dy))
}
