import { sizeOf } from '../base/index.ts'
import type { Convolution } from './convolution.ts'
import { concat, filled, inputOf, padZeros, range, reshape, sum, tensorLike, transpose } from './helpers.ts'
import type { GradientContext } from './types.ts'
import { offsetsOf } from './windows.ts'

/**
 * ∂L/∂w of a convolution with stride 1 and one group as a single product. With positions numbered along one line, on which
 * moving along axis i is moving by uᵢ places,
 *   ∂L/∂w[o,c,a,b] = Σ_q ∂L/∂y[o, q − s(a)] · x[c, q + s(b)],   s(k) = Σᵢ (kᵢ·dᵢ − padᵢ)·uᵢ,
 * where the kernel's tap is (a, b) and b what x moves by: along the last axis, or along all of them where that copies less.
 * A copy that moves is a whole line at another place among zeros. What leaves the line meets zeros at either end of it; what
 * leaves an axis between the first and the last, zeros in padding; {@link withinRows} sees to the last.
 */
export const byShifting = (g: GradientContext, c: Convolution, x: string, dy: string): string => {
  const { kernel, dilations, begin, end } = c.windows
  const [n, channels, outputs] = [c.x[0]!, c.x[1]!, c.y[1]!]
  const last = kernel.length - 1
  const grid = c.x.slice(2).map((size, i) => {
    const between = i > 0 && i < last
    return Math.max(between ? size + Math.max(begin[i]!, end[i]!) : size, c.y[i + 2]!)
  })
  const [apart, together] = eachSampleAlone(c) ? [n, 1] : [1, n]
  const unit = grid.map((_, i) => together * sizeOf(grid.slice(i + 1)))
  /** [apart, channels, grid…, together]. */
  const onGrid = (value: string, [, channels, ...positions]: readonly number[]): string => {
    const missing = positions.map((size, i) => (i === 0 ? 0 : grid[i]! - size))
    const moved = apart === n ? value : transpose(g, value, [...range(1, c.x.length), 0])
    const dims = reshape(g, moved, [apart, channels!, ...positions, together])
    return padZeros(g, dims, [0, 0, ...missing.map(() => 0), 0], [0, 0, ...missing, 0])
  }
  const move = (k: number, axis: number) => k * dilations[axis]! - begin[axis]!

  const places = (tap: readonly number[], first: number) =>
    tap.reduce((sum, k, i) => sum + move(k, first + i) * unit[first + i]!, 0)

  const axesOfGradient = movesBoth(c) ? last : 0
  const gradient = onGrid(dy, c.y)
  const down = offsetsOf(kernel.slice(0, axesOfGradient)).map((tap) => ({ value: gradient, start: places(tap, 0) }))
  const input = onGrid(x, c.x)
  const columns = range(0, kernel[last]!).map((k) =>
    last === 0 ? input : withinRows(g, c, input, [apart, channels, c.x[2]!, ...grid.slice(1), together], move(k, last)),
  )
  const right = offsetsOf(kernel.slice(axesOfGradient)).map((tap) => ({
    value: columns[tap.at(-1)!]!,
    start: -places(tap, axesOfGradient),
  }))
  const [gradients, inputs] = sideBySide(g, [
    { dims: [apart, outputs, c.y[2]! * unit[0]!], copies: down },
    { dims: [apart, channels, c.x[2]! * unit[0]!], copies: right },
  ])
  const taps = reshape(g, productOfRows(g, gradients, inputs), [outputs, down.length, channels, right.length])
  return reshape(g, transpose(g, taps, [0, 2, 1, 3]), [outputs, channels, ...kernel])
}

/** Whether ∂L/∂y for every tap a and x for every b are fewer copies than x for every tap. */
const movesBoth = ({ windows: { kernel }, x, y }: Convolution): boolean => {
  const [rows, width] = [sizeOf(kernel.slice(0, -1)), kernel.at(-1)!]
  return y[1]! * rows + x[1]! * width < x[1]! * rows * width
}

/** Whether a sum of N products, one for each sample, is little beside moving the samples last. */
const eachSampleAlone = ({ windows: { kernel }, x, y }: Convolution): boolean =>
  sizeOf(kernel) * x[1]! * y[1]! * 2 <= sizeOf(x.slice(1)) + sizeOf(y.slice(1))

/**
 * x, [apart, C, positions…, together], without what moving along the last axis would bring to another row's ∂L/∂y: position
 * p meets p − move, which must be one of ∂L/∂y's own. A product with a mask takes every core, a row of padding takes one.
 */
const withinRows = (g: GradientContext, c: Convolution, x: string, dims: readonly number[], move: number): string => {
  const [width, together] = [dims.at(-2)!, dims.at(-1)!]
  const outputs = c.y.at(-1)!
  const enters = outputs + move > width || c.x.at(-1)! > width + move
  if (!enters) return x
  // ONNX Runtime multiplies run by run of what is not broadcast: short runs cost it twice the time.
  const from = range(0, dims.length - 1).findLast((axis) => axis < 3 || sizeOf(dims.slice(axis)) >= 512)!
  const over = dims.slice(Math.min(Math.max(from, 2), dims.length - 2))
  const kept = range(0, sizeOf(over)).map((i) => {
    const met = (Math.floor(i / together) % width) - move
    return met >= 0 && met < outputs ? 1 : 0
  })
  return g.b.op('Mul', [x, g.b.constant(tensorLike(g.type(inputOf(g.node, 0)), over, kept))])
}

/** Values as lines, [apart, channels, length], and where on a longer line each copy of them starts. */
type Copies = {
  readonly dims: readonly [apart: number, channels: number, length: number]
  readonly copies: readonly { readonly value: string; readonly start: number }[]
}
type Rows = { readonly value: string; readonly dims: readonly [apart: number, rows: number, length: number] }

/** Rows (channel, copy) as long as it takes for every copy of either to stand at its own place, zeros around it. */
const sideBySide = (g: GradientContext, both: readonly [Copies, Copies]): [Rows, Rows] => {
  const from = Math.min(...both.flatMap(({ copies }) => copies.map(({ start }) => start)))
  const to = Math.max(...both.flatMap(({ copies, dims }) => copies.map(({ start }) => start + dims[2])))
  const rows = ({ dims, copies }: Copies): Rows => {
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
  return [rows(both[0]), rows(both[1])]
}

/**
 * Σ A·Bᵀ over what stands apart. ONNX Runtime's product shares rows among threads, each of which then packs all of B; where
 * rows are far longer than they are many, packing is half the work, and two products of half a row each do it once.
 */
const productOfRows = (g: GradientContext, a: Rows, b: Rows): string => {
  const [apart, rows, length] = a.dims
  const product = (left: string, right: string) => sum(g, g.b.op('MatMul', [left, right]), [0])
  if (apart > 1) return product(a.value, transpose(g, b.value, [0, 2, 1]))
  const as = (side: Rows, dims: readonly number[]) => reshape(g, side.value, [side.dims[1], ...dims])
  const halved = length % 2 === 0 && length >= 8 * Math.max(rows, b.dims[1])
  if (!halved) return g.b.op('Gemm', [as(a, [length]), as(b, [length])], { transB: 1 })
  const halves = (side: Rows, perm: readonly number[]) => transpose(g, as(side, [2, length / 2]), perm)
  return product(halves(a, [1, 0, 2]), halves(b, [1, 2, 0]))
}
