import { sizeOf } from '../base/index.ts'
import { intOf } from '../onnx/index.ts'
import {
  at,
  expand,
  filled,
  freezeAxes,
  gradOf,
  hasOutput,
  inputOf,
  outputOf,
  range,
  reshape,
  scalarLike,
  scaled,
  tensorLike,
} from './helpers.ts'
import { countsOf, maxGradient, poolOf, spread } from './pools.ts'
import { globalPoolSizes, poolSizes } from './sizes/layers.ts'
import { type AxisContext, free, type GradientContext, type Operator } from './types.ts'

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
    sizes: poolSizes,
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
    sizes: poolSizes,
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
    sizes: poolSizes,
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
    sizes: globalPoolSizes,
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
    sizes: globalPoolSizes,
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
    sizes: globalPoolSizes,
  },
} satisfies Record<string, Operator>
