import { numbersOf } from '../base/index.ts'
import { intOf } from '../onnx/index.ts'
import {
  at,
  freezeAxes,
  frontAxis,
  gradOf,
  hasInput,
  inputOf,
  joinAxes,
  outputOf,
  padZeros,
  range,
  reshape,
  scaled,
  slice,
  sum,
  tensorLike,
  unsupported,
} from './helpers.ts'
import { scatterRows } from './rows.ts'
import {
  type AxisRule,
  free,
  type GradientContext,
  type GradientRule,
  type NodeContext,
  type Operator,
} from './types.ts'

// Complex numbers are pairs in the last axis. As a map of pairs, multiplying by e^{iθ} has multiplying by e^{−iθ} as its
// transpose: the transpose of the Fourier matrix is its conjugate, N times the inverse transform.

/** A number that is given, or that its absence stands for; an error where the graph computes it. */
const numberAt = (c: NodeContext, position: number, absent: number): number => {
  if (!hasInput(c.node, position)) return absent
  const tensor = c.constant(inputOf(c.node, position))
  if (!tensor) throw unsupported(c.node, `its input ${position} is computed while the graph runs`, 'make it a constant')
  return numbersOf(tensor)[0]!
}

/** The transformed axis: an attribute until opset 19, then an input. */
const dftAxis = (c: NodeContext): number =>
  frontAxis(c.opset < 20 ? intOf(c.node, 'axis', 1) : numberAt(c, 2, -2), c.dims(inputOf(c.node, 0)).length)

/** Transforms along an axis, of `length` points; what is shorter is padded with zeros, what is longer cut off. */
const transform = (g: GradientContext, x: string, axis: number, length: number, inverse: boolean): string => {
  const n = g.b.constant(tensorLike('int64', [], [length]))
  const inputs = g.opset < 20 ? [x, n] : [x, n, g.b.constant(tensorLike('int64', [], [axis]))]
  return g.b.op('DFT', inputs, { inverse: inverse ? 1 : 0, ...(g.opset < 20 ? { axis } : {}) })
}

/** The first `size` places of an axis of `has`, zeros after those there are. */
const resized = (g: GradientContext, x: string, rank: number, axis: number, has: number, size: number): string =>
  padZeros(
    g,
    x,
    range(0, rank).map(() => 0),
    range(0, rank).map((i) => (i === axis ? size - has : 0)),
  )

/** Pairs as the input has them: only the real parts of a real one. */
const pairsLike = (g: GradientContext, pairs: string, numbers: number): string =>
  numbers === 2 ? pairs : slice(g, pairs, { axes: [-1], starts: [0], ends: [1] })

/**
 * Forward, y_k = Σ_t x_t e^{−2πikt/N}: ∂L/∂x_t = Σ_k dy_k e^{2πikt/N}; bins a one-sided output leaves out have dy = 0.
 * Inverse, y_t = 1/N Σ_k x_k e^{2πikt/N}: ∂L/∂x_k = 1/N Σ_t dy_t e^{−2πikt/N}. One-sided and inverse, bins whose mirror image
 * N − k is not given stand for it too and count twice.
 */
const dftGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const x = inputOf(g.node, 0)
  const [dims, axis] = [g.dims(x), dftAxis(g)]
  const rank = dims.length
  const [inverse, oneSided] = [intOf(g.node, 'inverse', 0) === 1, intOf(g.node, 'onesided', 0) === 1]
  const length = inverse || !oneSided ? g.dims(outputOf(g.node, 0))[axis]! : numberAt(g, 1, dims[axis]!)
  let found = transform(g, dy, axis, length, !inverse)
  found = scaled(g, x, found, inverse ? 1 / length : length)
  if (inverse && oneSided) {
    const twice = range(0, length).map((k) => (k > 0 && length - k >= dims[axis]! ? 2 : 1))
    const column = range(0, rank).map((i) => (i === axis ? length : 1))
    found = g.b.op('Mul', [found, g.b.constant(tensorLike(g.type(x), column, twice))])
  }
  return [pairsLike(g, resized(g, found, rank, axis, length, dims[axis]!), dims.at(-1)!)]
}

const dftAxes: AxisRule = (a) => {
  const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
  const rank = a.dims(x).length
  const known = a.opset < 20 || !hasInput(a.node, 2) || a.constant(inputOf(a.node, 2)) !== undefined
  const mixed = known ? [dftAxis(a), rank - 1] : range(0, rank)
  for (const value of [x, y]) freezeAxes(a, value, 'a Fourier transform mixes all indices of the axis', mixed)
  joinAxes(
    a,
    x,
    y,
    range(0, rank).filter((axis) => !mixed.includes(axis)),
  )
}

/**
 * Frames s[f·step + t]·w[t], each transformed: with dz the transpose of that transform, ∂L/∂s adds up dz·w where frames
 * overlap, and ∂L/∂w = Σ dz·s over all frames.
 */
const stftGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined) return []
  const signal = inputOf(g.node, 0)
  const window = hasInput(g.node, 2) ? inputOf(g.node, 2) : undefined
  const dims = g.dims(signal)
  const [batch, samples, numbers] = [dims[0]!, dims[1]!, dims[2] ?? 1]
  const frames = g.dims(outputOf(g.node, 0))[1]!
  const length = numberAt(g, 3, window === undefined ? samples : g.dims(window)[0]!)
  const step = numberAt(g, 1, 1)
  const places = range(0, frames).flatMap((f) => range(0, length).map((t) => f * step + t))
  const whole = scaled(g, signal, transform(g, dy, 2, length, true), length)
  const dz = pairsLike(g, whole, numbers)
  const column = window === undefined ? undefined : reshape(g, window, [length, 1])
  const ofSignal = () => {
    const shares = reshape(g, column === undefined ? dz : g.b.op('Mul', [dz, column]), [batch, places.length, numbers])
    const indices = g.b.ints(places)
    const added = scatterRows(g, signal, [batch, samples, numbers], 1, indices, shares, places.length)
    return reshape(g, added, dims)
  }
  const ofWindow = () => {
    const apart = g.b.constant(tensorLike('int64', [frames, length], places))
    const framed = g.b.op('Gather', [reshape(g, signal, [batch, samples, numbers]), apart], { axis: 1 })
    return sum(g, g.b.op('Mul', [dz, framed]), [0, 1, 3])
  }
  return [g.wants(0) ? ofSignal() : undefined, undefined, window && g.wants(2) ? ofWindow() : undefined]
}

const stftAxes: AxisRule = (a) => {
  const [signal, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
  a.join(at(signal, 0), at(y, 0))
  const reason = 'STFT cuts the signal into frames'
  for (const value of [signal, y]) freezeAxes(a, value, reason, range(1, a.dims(value).length))
  if (hasInput(a.node, 2)) freezeAxes(a, inputOf(a.node, 2), reason)
}

/** Fourier transforms. */
export const fourier = {
  DFT: { gradient: dftGradient, axes: dftAxes, macs: free },
  STFT: { gradient: stftGradient, axes: stftAxes, macs: free },
} satisfies Record<string, Operator>
