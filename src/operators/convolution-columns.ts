import { sizeOf } from '../base/index.ts'
import type { Convolution } from './convolution.ts'
import { laidOut, layoutOf, productOfLines } from './convolution-lines.ts'
import { concat, padZeros, range, reshape, slice, transpose } from './helpers.ts'
import type { GradientContext } from './types.ts'
import { offsetsOf } from './windows.ts'

/**
 * ∂L/∂w of a convolution with stride 1 and one group as a single product over positions q: with x_k what tap k reads there,
 *   ∂L/∂w[:,:,k] = Σ_q ∂L/∂y[:,q] · x_k[:,q]ᵀ.
 * Only x is copied: first for every tap of the last axis, so that rows of the kernel share those copies.
 */
export const byColumns = (g: GradientContext, c: Convolution, x: string, dy: string): string => {
  const { kernel, dilations, begin, end } = c.windows
  const [channels, outputs] = [c.x[1]!, c.y[1]!]
  const [last, layout] = [kernel.length - 1, layoutOf(c)]
  const positions = c.y.slice(2)
  const length = sizeOf(positions) * layout.together

  const whole = padZeros(g, laidOut(g, layout, x, c.x), [0, 0, ...begin, 0], [0, 0, ...end, 0])
  const padded = c.x.slice(2).map((size, i) => size + begin[i]! + end[i]!)
  /** What tap k of some axes reads. */
  const reads = (value: string, axes: readonly number[], tap: readonly number[]): string => {
    const cut = axes.filter((axis) => padded[axis] !== positions[axis])
    const starts = cut.map((axis) => tap[axis - axes[0]!]! * dilations[axis]!)
    if (cut.length === 0) return value
    const ends = cut.map((axis, i) => starts[i]! + positions[axis]!)
    return slice(g, value, { axes: cut.map((axis) => axis + 2), starts, ends })
  }
  const along = range(0, kernel[last]!).map((k) => reads(whole, [last], [k]))
  const row = concat(g, along, 1)
  const columns = offsetsOf(kernel.slice(0, last)).map((tap) => reads(row, range(0, last), tap))

  const side = (value: string, rows: number) => {
    const dims = [layout.apart, rows, length] as const
    return { value: reshape(g, value, dims), dims }
  }
  const taps = sizeOf(kernel)
  const found = productOfLines(
    g,
    side(laidOut(g, layout, dy, c.y), outputs),
    side(concat(g, columns, 1), taps * channels),
  )
  // Columns stand in the order (tap, channel).
  return reshape(g, transpose(g, reshape(g, found, [outputs, taps, channels]), [0, 2, 1]), [
    outputs,
    channels,
    ...kernel,
  ])
}
