import { sizeOf } from '../base/index.ts'
import { intOf, intsOf } from '../onnx/index.ts'
import {
  at,
  expand,
  filled,
  freezeAxes,
  gradOf,
  hasOutput,
  inputOf,
  outputOf,
  padZeros,
  range,
  reshape,
  scalarLike,
  scaled,
  tensorLike,
} from './helpers.ts'
import { type AxisContext, free, type GradientContext, type NodeContext, type Operator } from './types.ts'
import { leftoverOf, spanOf, type Windows, windowsOf } from './windows.ts'

/** Batch and channels pass through a pool; positions it reads together. */
const poolAxes = (a: AxisContext): void => {
  const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
  const spatial = range(2, a.dims(x).length)
  for (const axis of [0, 1]) a.join(at(x, axis), at(y, axis))
  for (const value of [x, y]) freezeAxes(a, value, 'a pool reads neighbouring positions', spatial)
  // MaxPool's Indices count through the whole input: removing a channel would change their values.
  if (hasOutput(a.node, 1)) {
    const indices = outputOf(a.node, 1)
    freezeAxes(a, indices, 'indices count through all channels')
    freezeAxes(a, x, 'indices of the pool count through all channels', [0, 1])
  }
}

type Pool = {
  readonly windows: Windows
  readonly x: readonly number[]
  readonly y: readonly number[]
  /** Positions left unread at the end; negative where windows hang over the edge. */
  readonly leftover: readonly number[]
}

const poolOf = (c: NodeContext): Pool => {
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
const spread = (g: GradientContext, p: Pool, values: string): string => {
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
const countsOf = (p: Pool, includePad: boolean): number[] => {
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
const maxGradient = (g: GradientContext, p: Pool, dy: string): string => {
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

const spatialSize = (dims: readonly number[]) => sizeOf(dims.slice(2))

/** sign(x)·|x|^(p−1), what every p-norm's gradient is made of. */
const signedPower = (g: GradientContext, x: string, p: number): string => {
  if (p === 2) return x
  const sign = g.b.op('Sign', [x])
  if (p === 1) return sign
  return g.b.op('Mul', [sign, g.b.op('Pow', [g.b.op('Abs', [x]), scalarLike(g, inputOf(g.node, 0), p - 1)])])
}

export const pooling = {
  MaxPool: {
    gradient: (g) => {
      const dy = gradOf(g)
      if (dy === undefined || !g.wants(0)) return []
      const p = poolOf(g)
      return [maxGradient(g, p, dy)]
    },
    axes: poolAxes,
    macs: free,
  },

  AveragePool: {
    // y_o = (1/n_o) Σ_{i in window o} x_i  ⇒  ∂L/∂x_i = Σ_{windows o with i} ∂L/∂y_o / n_o.
    gradient: (g) => {
      const dy = gradOf(g)
      if (dy === undefined || !g.wants(0)) return []
      const p = poolOf(g)
      const x = inputOf(g.node, 0)
      const counts = countsOf(p, intOf(g.node, 'count_include_pad', 0) !== 0)
      const same = counts.every((n) => n === counts[0])
      const shares = counts.map((n) => 1 / Math.max(n, 1))
      const share = same
        ? scaled(g, x, dy, shares[0]!)
        : g.b.op('Mul', [dy, g.b.constant(tensorLike(g.type(x), [1, 1, ...p.y.slice(2)], shares), 'shares')])
      return [spread(g, p, share)]
    },
    axes: poolAxes,
    macs: free,
  },

  LpPool: {
    // y = (Σ |x|^p)^(1/p)  ⇒  ∂y/∂x = sign(x) |x|^(p−1) y^(1−p); a window of zeros gets 0, its least subgradient.
    gradient: (g) => {
      const dy = gradOf(g)
      if (dy === undefined || !g.wants(0)) return []
      const p = intOf(g.node, 'p', 2)
      const [x, y] = [inputOf(g.node, 0), outputOf(g.node, 0)]
      const zero = scalarLike(g, x, 0)
      const rate = p === 1 ? dy : g.b.op('Mul', [dy, g.b.op('Pow', [y, scalarLike(g, x, 1 - p)])])
      const finite = p === 1 ? rate : g.b.op('Where', [g.b.op('Equal', [y, zero]), zero, rate])
      return [g.b.op('Mul', [signedPower(g, x, p), spread(g, poolOf(g), finite)])]
    },
    axes: poolAxes,
    macs: free,
  },

  GlobalAveragePool: {
    // y = (1/P) Σ x  ⇒  every position gets ∂L/∂y / P.
    gradient: (g) => {
      const dy = gradOf(g)
      if (dy === undefined || !g.wants(0)) return []
      const x = inputOf(g.node, 0)
      return [expand(g, scaled(g, x, dy, 1 / spatialSize(g.dims(x))), g.dims(x))]
    },
    axes: poolAxes,
    macs: free,
  },

  GlobalMaxPool: {
    // The first of the largest takes the gradient, as in MaxPool.
    gradient: (g) => {
      const dy = gradOf(g)
      if (dy === undefined || !g.wants(0)) return []
      const x = inputOf(g.node, 0)
      const dims = g.dims(x)
      const flat = [dims[0]!, dims[1]!, spatialSize(dims)]
      const place = g.b.op('ArgMax', [reshape(g, x, flat)], { axis: 2, keepdims: 1 })
      const value = reshape(g, dy, [dims[0]!, dims[1]!, 1])
      const scattered = g.b.op('ScatterElements', [filled(g, x, flat, 0), place, value], { axis: 2 })
      return [reshape(g, scattered, dims)]
    },
    axes: poolAxes,
    macs: free,
  },

  GlobalLpPool: {
    // As LpPool, written with the ratio r = |x|/y ≤ 1 so that nothing overflows: ∂y/∂x = sign(x) r^(p−1), and 0 where y is 0.
    gradient: (g) => {
      const dy = gradOf(g)
      if (dy === undefined || !g.wants(0)) return []
      const p = intOf(g.node, 'p', 2)
      const [x, y] = [inputOf(g.node, 0), outputOf(g.node, 0)]
      if (p === 1) return [g.b.op('Mul', [dy, g.b.op('Sign', [x])])]
      const ratio = g.b.op('Div', [x, g.b.op('Max', [y, scalarLike(g, x, 1e-30)])])
      return [g.b.op('Mul', [dy, signedPower(g, ratio, p)])]
    },
    axes: poolAxes,
    macs: free,
  },
} satisfies Record<string, Operator>
