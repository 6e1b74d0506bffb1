import { sizeOf } from '../base/index.ts'
import { intOf, intsOf } from '../onnx/index.ts'
import { expand, filled, inputOf, outputOf, padZeros, range, reshape, tensorLike } from './helpers.ts'
import type { GradientContext, NodeContext } from './types.ts'
import { leftoverOf, spanOf, type Windows, windowsOf } from './windows.ts'

/** A pool's windows over what it reads and writes. */
export type Pool = {
  readonly windows: Windows
  readonly x: readonly number[]
  readonly y: readonly number[]
  /** Positions left unread at the end; negative where windows hang over the edge. */
  readonly leftover: readonly number[]
}

export const poolOf = (c: NodeContext): Pool => {
  const [x, y] = [c.dims(inputOf(c.node, 0)), c.dims(outputOf(c.node, 0))]
  const windows = windowsOf(c.node, intsOf(c.node, 'kernel_shape', []), x.slice(2))
  return { windows, x, y, leftover: leftoverOf(windows, x.slice(2), y.slice(2)) }
}

/** Windows that stand side by side, none over the edge: every input is read by one window at most. */
const tiles = ({ windows: w, leftover }: Pool): boolean =>
  w.kernel.every((k, i) => k === w.strides[i] && w.dilations[i] === 1 && w.begin[i] === 0 && leftover[i]! >= w.end[i]!)

/** No input is read by two windows; some may be read by none, and windows may hang over the edge. */
const standApart = ({ windows }: Pool): boolean => spanOf(windows).every((span, i) => span <= windows.strides[i]!)

/** Gives each input of a window its window's value, summed over the windows that read it: the transpose of a sum pool. */
export const spread = (g: GradientContext, p: Pool, values: string): string => {
  const spatial = range(2, p.x.length)
  const { kernel, strides, dilations, begin, end } = p.windows
  const [n, c] = [p.x[0]!, p.x[1]!]
  if (tiles(p)) {
    // [oh, ow] → [oh, kh, ow, kw], copied along the new axes; what no window read is 0.
    const apart = p.y.slice(2).flatMap((size) => [size, 1])
    const tiled = p.y.slice(2).flatMap((size, i) => [size, kernel[i]!])
    const read = p.y.slice(2).map((size, i) => size * kernel[i]!)
    const copies = expand(g, reshape(g, values, [n * c, ...apart]), [n * c, ...tiled])
    const unread = spatial.map((axis, i) => p.x[axis]! - read[i]!)
    return padZeros(
      g,
      reshape(g, copies, [n, c, ...read]),
      p.x.map(() => 0),
      [0, 0, ...unread],
    )
  }
  const ones = filled(g, inputOf(g.node, 0), [1, 1, ...kernel], 1)
  const found = g.b.op('ConvTranspose', [reshape(g, values, [n * c, 1, ...p.y.slice(2)]), ones], {
    kernel_shape: kernel,
    strides,
    dilations,
    pads: [...begin, ...end.map((pad, i) => pad + Math.max(-p.leftover[i]!, 0))],
    output_padding: p.leftover.map((left) => Math.max(left, 0)),
  })
  return reshape(g, found, p.x)
}

/**
 * How many inputs each average divides by, [1, 1, out…]: those within the input, or within input and padding when
 * `count_include_pad`. A window that `ceil_mode` lets hang over the padding never counts what lies beyond it.
 */
export const countsOf = (p: Pool, includePad: boolean): number[] => {
  const { kernel, strides, dilations, begin, end } = p.windows
  const perAxis = kernel.map((k, i) => {
    const [from, to] = includePad ? [-begin[i]!, p.x[i + 2]! + end[i]!] : [0, p.x[i + 2]!]
    return range(0, p.y[i + 2]!).map((o) => {
      const positions = range(0, k).map((tap) => o * strides[i]! + tap * dilations[i]! - begin[i]!)
      return positions.filter((position) => position >= from && position < to).length
    })
  })
  return perAxis.reduce<number[]>((counts, axis) => counts.flatMap((count) => axis.map((n) => count * n)), [1])
}

/**
 * The gradient of a maximum goes to the one input it came from, the first in row-major order where several are equal
 * (ReLU makes many zeros). The pool itself is asked for these positions. Windows that stand apart read each position once at
 * most, and MaxUnpool puts every gradient in its place; others may share a maximum, where gradients add up.
 */
export const maxGradient = (g: GradientContext, p: Pool, dy: string): string => {
  const x = inputOf(g.node, 0)
  const indices = indicesOf(g)
  if (standApart(p) && g.type(x) === 'float32') {
    const { kernel, strides, begin } = p.windows
    const reach = strides.map((stride, i) => (p.y[i + 2]! - 1) * stride + kernel[i]! - begin[i]!)
    const over = reach.map((end, i) => Math.max(end - p.x[i + 2]!, 0))
    return g.b.op('MaxUnpool', [dy, indices, g.b.ints(p.x)], {
      kernel_shape: kernel,
      strides,
      pads: [...begin, ...over],
    })
  }
  const inputs = sizeOf(p.x)
  const empty = g.b.op('ConstantOfShape', [g.b.ints([inputs])], { value: tensorLike(g.type(x), [1], [0]) })
  const sums = g.b.op('ScatterElements', [empty, reshape(g, indices, [-1]), reshape(g, dy, [-1])], {
    axis: 0,
    reduction: 'add',
  })
  return reshape(g, sums, p.x)
}

/** The pool's Indices output, counting row by row: the node's own, which it is given where it has none. */
const indicesOf = (g: GradientContext): string => {
  const { node } = g
  if (intOf(node, 'storage_order', 0) === 1) {
    const attributes = Object.fromEntries([...node.attributes].filter(([name]) => name !== 'storage_order'))
    return g.b.ops('MaxPool', [inputOf(node, 0)], 2, attributes)[1]!
  }
  node.outputs[1] ||= g.b.fresh('Indices')
  return node.outputs[1]
}
