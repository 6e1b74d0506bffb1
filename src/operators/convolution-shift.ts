import { sizeOf } from '../base/index.ts'
import type { Convolution } from './convolution.ts'
import { type Lines, laidOut, layoutOf, productOfLines } from './convolution-lines.ts'
import { concat, filled, inputOf, padZeros, range, reshape, tensorLike, transpose } from './helpers.ts'
import type { GradientContext } from './types.ts'
import { offsetsOf } from './windows.ts'

/** Whether ∂L/∂y for every tap a and x for every tap b are fewer copies than x for every (a, b). */
export const prefersShifting = ({ windows: { kernel }, x, y }: Convolution): boolean => {
  const [rows, width] = [sizeOf(kernel.slice(0, -1)), kernel.at(-1)!]
  return y[1]! * rows + x[1]! * width < x[1]! * rows * width
}

/**
 * ∂L/∂w of a convolution with stride 1 and one group as a single product of all (o, a) with all (c, b), where the kernel's
 * tap is (a, b), b along the last axis. With positions numbered along one line, on which moving along axis i is moving by uᵢ
 * places, and x_b what tap b reads,
 *   ∂L/∂w[o,c,a,b] = Σ_q ∂L/∂y[o, q − s(a)] · x_b[c, q],   s(a) = Σᵢ (aᵢ·dᵢ − padᵢ)·uᵢ,
 * so that a copy that moves is a whole line at another place among zeros. What leaves the line meets zeros at either end of
 * it; what leaves an axis between the first and the last, zeros in padding.
 */
export const byShifting = (g: GradientContext, c: Convolution, x: string, dy: string): string => {
  const { kernel, dilations, begin, end } = c.windows
  const [channels, outputs] = [c.x[1]!, c.y[1]!]
  const [last, layout] = [kernel.length - 1, layoutOf(c)]
  // The last axis is as long as ∂L/∂y's, and those between as x and its padding.
  const grid = c.y
    .slice(2)
    .map((size, i) => (i < last ? Math.max(c.x[i + 2]! + Math.max(begin[i]!, end[i]!), size) : size))
  const unit = grid.map((_, i) => layout.together * sizeOf(grid.slice(i + 1)))
  const move = (k: number, axis: number) => k * dilations[axis]! - begin[axis]!
  const onGrid = (value: string, dims: readonly number[]): string => {
    const missing = grid.map((size, i) => (i === 0 || i === last ? 0 : size - dims[i + 2]!))
    return padZeros(g, laidOut(g, layout, value, dims), [0, 0, ...missing.map(() => 0), 0], [0, 0, ...missing, 0])
  }

  const gradient = onGrid(dy, c.y)
  const down = offsetsOf(kernel.slice(0, last)).map((tap) => ({
    value: gradient,
    start: tap.reduce((sum, k, axis) => sum + move(k, axis) * unit[axis]!, 0),
  }))
  const input = onGrid(x, c.x)
  const dims = [layout.apart, channels, c.x[2]!, ...grid.slice(1, last), c.x.at(-1)!, layout.together]
  const right = range(0, kernel[last]!).map((k) => readAlongLast(g, input, dims, grid[last]!, move(k, last)))
  const [gradients, inputs] = sideBySide(g, [
    { dims: [layout.apart, outputs, c.y[2]! * unit[0]!], copies: down },
    { dims: [layout.apart, channels, c.x[2]! * unit[0]!], copies: right },
  ])
  const taps = reshape(g, productOfLines(g, gradients, inputs), [outputs, down.length, channels, right.length])
  return reshape(g, transpose(g, taps, [0, 2, 1, 3]), [outputs, channels, ...kernel])
}

/** A copy of a value, and where on the line it starts. */
type Copy = { readonly value: string; readonly start: number }

/**
 * What a tap that moves by `move` along the last axis reads of x, [apart, C, positions…, together], at each of ∂L/∂y's `width`
 * positions there. Where x is as wide, its line moves, and what would go from one row into the next is made zero first: a
 * product with a mask takes every core, and cutting or padding rows takes one.
 */
const readAlongLast = (g: GradientContext, x: string, dims: readonly number[], width: number, move: number): Copy => {
  const [size, together] = [dims.at(-2)!, dims.at(-1)!]
  if (size === width)
    return move === 0 ? { value: x, start: 0 } : { value: masked(g, x, dims, move), start: -move * together }
  const none = dims.slice(0, -2).map(() => 0)
  return { value: padZeros(g, x, [...none, -move, 0], [...none, width + move - size, 0]), start: 0 }
}

/** x without the positions of the last axis that are read by none: p is by p − move. */
const masked = (g: GradientContext, x: string, dims: readonly number[], move: number): string => {
  const [width, together] = [dims.at(-2)!, dims.at(-1)!]
  // ONNX Runtime multiplies run by run of what is not broadcast: short runs take it twice the time.
  const axes = range(2, dims.length - 1).findLast((axis) => sizeOf(dims.slice(axis)) >= 512) ?? 2
  const over = dims.slice(axes)
  const kept = range(0, sizeOf(over)).map((i) => {
    const reader = (Math.floor(i / together) % width) - move
    return reader >= 0 && reader < width ? 1 : 0
  })
  return g.b.op('Mul', [x, g.b.constant(tensorLike(g.type(inputOf(g.node, 0)), over, kept))])
}

/** Values as lines, [apart, channels, length], and where on a longer line each copy of them starts. */
type Copies = {
  readonly dims: readonly [apart: number, channels: number, length: number]
  readonly copies: readonly Copy[]
}

/** Rows (channel, copy) as long as it takes for every copy of either to stand at its own place, zeros around it. */
const sideBySide = (g: GradientContext, both: readonly [Copies, Copies]): [Lines, Lines] => {
  const from = Math.min(...both.flatMap(({ copies }) => copies.map(({ start }) => start)))
  const to = Math.max(...both.flatMap(({ copies, dims }) => copies.map(({ start }) => start + dims[2])))
  const rows = ({ dims, copies }: Copies): Lines => {
    const [apart, channels, length] = dims
    const zeros = (count: number) => (count === 0 ? [] : [filled(g, inputOf(g.node, 0), [apart, channels, count], 0)])
    const parts = copies.flatMap(({ value, start }, i) => [
      ...zeros(start - from + (i === 0 ? 0 : to - copies[i - 1]!.start - length)),
      reshape(g, value, dims),
    ])
    const joined = concat(g, [...parts, ...zeros(to - copies.at(-1)!.start - length)], 2)
    const found = [apart, channels * copies.length, to - from] as const
    return { value: reshape(g, joined, found), dims: found }
  }
  // What is written down first ONNX Runtime runs last: copies of x then wait for no gradient.
  const second = rows(both[1])
  return [rows(both[0]), second]
}
