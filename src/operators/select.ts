import { sizeOf } from '../base/index.ts'
import { intOf } from '../onnx/index.ts'
import { type Calculator, calculator } from './calculator.ts'
import {
  at,
  filled,
  freezeAxes,
  gradOf,
  hasOutput,
  inputOf,
  outputOf,
  range,
  reshape,
  sum,
  tensorLike,
} from './helpers.ts'
import { axisOf, rankOf, scatterRows } from './rows.ts'
import { topKSizes } from './sizes/layers.ts'
import { type AxisRule, free, type GradientRule, type Operator, stops } from './types.ts'

/** The k largest or smallest of the axis: their gradients go back where the second output says they came from. */
const topKGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const x = inputOf(g.node, 0)
  const inputs = [filled(g, x, g.dims(x), 0), outputOf(g.node, 1), dy]
  return [g.b.op('ScatterElements', inputs, { axis: axisOf(g, -1) })]
}

const topKAxes: AxisRule = (a) => {
  const x = inputOf(a.node, 0)
  if (a.node.inputs[1]) freezeAxes(a, inputOf(a.node, 1), 'holds a count')
  for (const y of a.node.outputs)
    for (const axis of range(0, rankOf(a)))
      if (axis !== axisOf(a, -1)) a.join(at(x, axis), at(y, axis))
      else for (const value of [x, y]) a.freeze(at(value, axis), 'TopK compares all indices of the axis')
}

/** The picked rows, of the flattened input when no axis is named. */
const compressGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const [x, condition, y] = [inputOf(g.node, 0), inputOf(g.node, 1), outputOf(g.node, 0)]
  const dims = g.dims(x)
  const picks = g.b.op('NonZero', [condition])
  if (g.node.attributes.has('axis')) {
    const axis = axisOf(g)
    return [scatterRows(g, x, dims, axis, reshape(g, picks, [-1]), dy, g.dims(y)[axis]!)]
  }
  const size = sizeOf(dims)
  return [reshape(g, scatterRows(g, x, [size], 0, reshape(g, picks, [-1]), dy, g.dims(y)[0]!), dims)]
}

const compressAxes: AxisRule = (a) => {
  const [x, condition, y] = [inputOf(a.node, 0), inputOf(a.node, 1), outputOf(a.node, 0)]
  const along = a.node.attributes.has('axis') ? axisOf(a) : undefined
  freezeAxes(a, condition, 'says which positions are picked')
  for (const axis of range(0, rankOf(a)))
    if (along !== undefined && axis !== along) a.join(at(x, axis), at(y, axis))
    else a.freeze(at(x, axis), 'Compress picks indices of the axis')
  a.freeze(at(y, along ?? 0), 'Compress picks indices of the axis')
}

/** Each distinct value is shown once: its gradient goes to where the second output says it stood first. */
const uniqueGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const x = inputOf(g.node, 0)
  const dims = g.dims(x)
  if (!hasOutput(g.node, 1)) g.node.outputs[1] = g.b.fresh('indices')
  const along = g.node.attributes.has('axis')
  const [shape, axis] = along ? [dims, axisOf(g)] : [[sizeOf(dims)], 0]
  const count = g.dims(outputOf(g.node, 0))[axis]!
  return [reshape(g, scatterRows(g, x, shape, axis, outputOf(g.node, 1), dy, count), dims)]
}

/** y = off + onehot·(on − off): ∂L/∂[off, on] = [Σ dy·(1 − onehot), Σ dy·onehot]. */
const oneHotGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(2)) return []
  const [indices, depth, values] = [inputOf(g.node, 0), inputOf(g.node, 1), inputOf(g.node, 2)]
  const dims = g.dims(outputOf(g.node, 0))
  const all = range(0, dims.length)
  const c: Calculator = calculator(g, values)
  const offOn = g.b.constant(tensorLike('float32', [2], [0, 1]))
  const hot = g.b.op('OneHot', [indices, depth, offOn], { axis: intOf(g.node, 'axis', -1) })
  const on = sum(g, c.mul(dy, g.b.op('CastLike', [hot, values])), all)
  const parts = [c.sub(sum(g, dy, all), on), on].map((part) => reshape(g, part, [1]))
  return [undefined, undefined, g.b.op('Concat', parts, { axis: 0 })]
}

/** Values that come from indices or become them: nothing of them may be renumbered. */
const wholeAxes: AxisRule = (a) => {
  for (const value of [...a.node.inputs, ...a.node.outputs])
    if (value) freezeAxes(a, value, `${a.node.opType} counts positions along the axis`)
}

/** Operators that select by value or turn indices into values. */
export const select = {
  TopK: { gradient: topKGradient, axes: topKAxes, macs: free, sizes: topKSizes },
  Compress: { gradient: compressGradient, axes: compressAxes, macs: free },
  OneHot: { gradient: oneHotGradient, axes: wholeAxes, macs: free },
  NonZero: { gradient: stops, axes: wholeAxes, macs: free },
  Unique: { gradient: uniqueGradient, axes: wholeAxes, macs: free },
  Multinomial: { gradient: stops, axes: wholeAxes, macs: free },
  NonMaxSuppression: { gradient: stops, axes: wholeAxes, macs: free },
} satisfies Record<string, Operator>
