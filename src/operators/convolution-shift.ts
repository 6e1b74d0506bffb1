import { sizeOf } from '../base/index.ts'
import type { Convolution } from './convolution.ts'
import { concat, filled, inputOf, padZeros, range, reshape, transpose } from './helpers.ts'
import type { GradientContext } from './types.ts'
import { offsetsOf } from './windows.ts'

/** Values as [channels, positions…, N]: whatever moves along any axis of positions then copies runs of at least N values. */
export const samplesLast = (g: GradientContext, c: Convolution, value: string): string =>
  transpose(g, value, [...range(1, c.x.length), 0])

/** Whether moving both sides, see {@link byShiftingBoth}, applies and copies less than moving x for every tap. */
export const prefersShiftingBoth = ({ windows: { kernel, strides }, x, y }: Convolution): boolean => {
  const [rows, width] = [sizeOf(kernel.slice(0, -1)), kernel.at(-1)!]
  return strides.every((stride) => stride === 1) && y[1]! * rows + x[1]! * width < x[1]! * rows * width
}

/**
 * ∂L/∂w of a convolution with stride 1 and one group as a single product of all (o, a) with all (c, b), where the kernel's
 * tap is (a, b), b along the last axis: copies of x for every b and of ∂L/∂y for every a are far fewer than of x for every
 * tap. With positions numbered along one line, on which moving along axis i is moving by uᵢ places,
 *   ∂L/∂w[o,c,a,b] = Σ_q ∂L/∂y[o, q − s(a)] · x[c, q + s(b)],   s(k) = Σᵢ (kᵢ·dᵢ − padᵢ)·uᵢ,
 * so that a copy that moves is a whole line at another place among zeros. Every axis but the first is as long as x and its
 * wider padding: what leaves x at either end of it then meets zeros.
 */
export const byShiftingBoth = (g: GradientContext, c: Convolution, x: string, dy: string): string => {
  const { kernel, dilations, begin, end } = c.windows
  const [n, channels, outputs] = [c.x[0]!, c.x[1]!, c.y[1]!]
  const grid = c.x.slice(2).map((size, i) => Math.max(size + Math.max(begin[i]!, end[i]!), c.y[i + 2]!))
  const unit = grid.map((_, i) => n * sizeOf(grid.slice(i + 1)))
  const line = (value: string, dims: readonly number[]): Line => {
    const missing = dims.slice(2).map((size, i) => (i === 0 ? 0 : grid[i]! - size))
    const padded = padZeros(g, samplesLast(g, c, value), [0, ...missing.map(() => 0), 0], [0, ...missing, 0])
    const length = dims[2]! * unit[0]!
    return { value: reshape(g, padded, [dims[1]!, length]), channels: dims[1]!, length }
  }
  const moves = (taps: readonly (readonly number[])[], first: number) =>
    taps.map((tap) =>
      tap.reduce((sum, k, i) => sum + (k * dilations[first + i]! - begin[first + i]!) * unit[first + i]!, 0),
    )
  const last = kernel.length - 1
  const down = moves(offsetsOf(kernel.slice(0, last)), 0)
  const right = moves(offsetsOf(kernel.slice(last)), last).map((move) => -move)

  const [gradient, input] = [line(dy, c.y), line(x, c.x)]
  const from = Math.min(...down, ...right)
  const to = Math.max(...down.map((move) => move + gradient.length), ...right.map((move) => move + input.length))
  const zeros = (channels: number, count: number) =>
    count === 0 ? [] : [filled(g, inputOf(g.node, 0), [channels, count], 0)]
  /** Rows (channel, copy), each copy at its own place in its row and zeros around it. */
  const rows = ({ value, channels, length }: Line, moves: readonly number[]): string => {
    const starts = moves.map((move, row) => row * (to - from) + move - from)
    const gaps = [...starts, moves.length * (to - from)].map(
      (start, i) => start - (i === 0 ? 0 : starts[i - 1]! + length),
    )
    const parts = gaps.flatMap((gap, i) => [...zeros(channels, gap), ...(i < starts.length ? [value] : [])])
    return reshape(g, concat(g, parts, 1), [channels * moves.length, to - from])
  }
  const found = g.b.op('Gemm', [rows(gradient, down), rows(input, right)], { transB: 1 })
  const taps = reshape(g, found, [outputs, down.length, channels, right.length])
  return reshape(g, transpose(g, taps, [0, 2, 1, 3]), [outputs, channels, ...kernel])
}

/** Values [channels, length]. */
type Line = { readonly value: string; readonly channels: number; readonly length: number }
