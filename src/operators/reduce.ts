import { numbersOf } from '../base/index.ts'
import { intOf, intsOf } from '../onnx/index.ts'
import { type Calculator, calculator } from './calculator.ts'
import {
  at,
  expand,
  freezeAxes,
  frontAxis,
  gradOf,
  hasInput,
  inputOf,
  outputOf,
  range,
  reshape,
  unsupported,
} from './helpers.ts'
import { likeInput } from './sizes/elementwise.ts'
import { argSizes, reduceSizes } from './sizes/layers.ts'
import { type AxisRule, free, type GradientContext, type NodeContext, type Operator, stops } from './types.ts'

/**
 * The axes a reduction runs over, from the second input (ReduceSum from opset 13, the others from 18) or the attribute
 * `axes`; all of them when none are given, unless `noop_with_empty_axes`.
 */
const reducedAxes = (c: NodeContext): number[] => {
  const rank = c.dims(inputOf(c.node, 0)).length
  const given = hasInput(c.node, 1) ? c.constant(inputOf(c.node, 1)) : undefined
  if (hasInput(c.node, 1) && !given)
    throw unsupported(c.node, 'its axes are computed while the graph runs', 'make them a constant')
  const axes = given ? numbersOf(given) : intsOf(c.node, 'axes', [])
  if (axes.length > 0) return axes.map((axis) => frontAxis(axis, rank))
  return intOf(c.node, 'noop_with_empty_axes', 0) === 0 ? range(0, rank) : []
}

/** A shape with some axes set to 1. */
const keptDims = (dims: readonly number[], axes: readonly number[]) =>
  dims.map((dim, axis) => (axes.includes(axis) ? 1 : dim))

/** What the derivative of a reduction is written in: y and dy keep the reduced axes with size 1, so they broadcast to x. */
type Reduction = Calculator & {
  g: GradientContext
  x: string
  y: string
  dy: string
  /** How many elements of x went into one of y. */
  count: number
  /** Brings a value of the shape of y to the shape of x. */
  spread(value: string): string
  /** Reduces a value of the shape of x as the node does. */
  reduce(op: 'ReduceSum' | 'ReduceProd', value: string): string
}

const reduction = (derivative: (t: Reduction) => string): Operator => ({
  gradient: (g) => {
    const grad = gradOf(g)
    if (grad === undefined || !g.wants(0)) return []
    const x = inputOf(g.node, 0)
    const dims = g.dims(x)
    const axes = reducedAxes(g)
    const kept = keptDims(dims, axes)
    const keep = (value: string) =>
      g.dims(outputOf(g.node, 0)).length === kept.length ? value : reshape(g, value, kept)
    return [
      derivative({
        ...calculator(g, x),
        g,
        x,
        // Kept lazily: most derivatives need only one of the two.
        get y() {
          return keep(outputOf(g.node, 0))
        },
        dy: keep(grad),
        count: axes.reduce((count, axis) => count * dims[axis]!, 1),
        spread: (value) => expand(g, value, dims),
        reduce: (op, value) =>
          axes.length === 0
            ? value
            : op === 'ReduceSum' || g.opset >= 18
              ? g.b.op(op, [value, g.b.ints(axes)], { keepdims: 1 })
              : g.b.op(op, [value], { axes, keepdims: 1 }),
      }),
    ]
  },
  axes: reducedAxisRule,
  macs: free,
  sizes: reduceSizes,
})

/** Sums of some function that is 0 at 0: an index that is 0 adds nothing. */
const sums = new Set(['ReduceSum', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare', 'ReduceLogSum'])

/**
 * An index of the reduced axis that is zero can go from a sum. A mean divides by the count too, which makes it approximate
 * (it is what normalizations written out in parts take over their features). From the others nothing can go, a maximum of
 * negative numbers not being 0. Other axes pass.
 */
const reducedAxisRule: AxisRule = (a) => {
  const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
  if (hasInput(a.node, 1)) {
    freezeAxes(a, inputOf(a.node, 1), 'holds the numbers of axes')
    if (!a.constant(inputOf(a.node, 1))) {
      for (const value of [x, y]) freezeAxes(a, value, 'the axes of the reduction are computed while the graph runs')
      return
    }
  }
  const axes = attributeAxes(a.node.opType) ? [frontAxis(intOf(a.node, 'axis', 0), a.dims(x).length)] : reducedAxes(a)
  const keeps = a.dims(y).length === a.dims(x).length
  let output = 0
  for (const axis of a.dims(x).keys()) {
    if (axes.includes(axis)) {
      if (sums.has(a.node.opType)) a.join(at(x, axis), at(x, axis))
      else if (a.node.opType === 'ReduceMean') a.approximate(at(x, axis), 'the mean of fewer indices is another')
      else a.freeze(at(x, axis), `${a.node.opType} combines all indices of the axis`)
      if (keeps) a.freeze(at(y, output++), 'a reduced axis has one index')
    } else a.join(at(x, axis), at(y, output++))
  }
}

/** ArgMax and ArgMin name one axis in an attribute. */
const attributeAxes = (op: string) => op === 'ArgMax' || op === 'ArgMin'

/** y = max x or min x: dy where x = y, shared equally among ties. */
const extremum = (t: Reduction): string => {
  const hits = t.indicator(t.equal(t.x, t.y))
  return t.mul(hits, t.div(t.dy, t.reduce('ReduceSum', hits)))
}

/**
 * y = Π x: ∂y/∂xᵢ is the product of the others. With p the product of what is not 0: p/xᵢ when nothing is 0; p for the only
 * zero and 0 for the rest; 0 for all when several are.
 */
const product = (t: Reduction): string => {
  const zero = t.equal(t.x, 0)
  const filled = t.where(zero, 1, t.x)
  const others = t.div(t.reduce('ReduceProd', filled), filled)
  // What is 0 apart from xᵢ itself.
  const otherZeros = t.sub(t.reduce('ReduceSum', t.indicator(zero)), t.indicator(zero))
  return t.mul(t.dy, t.mul(others, t.indicator(t.equal(otherZeros, 0))))
}

/** y[i] = Σ x[j] for j ≤ i (j < i when exclusive, from the other end when reversed): the transpose runs the other way. */
const cumulativeSum: Operator = {
  gradient: (g) => {
    const dy = gradOf(g)
    if (dy === undefined) return []
    return [
      g.b.op('CumSum', [dy, inputOf(g.node, 1)], {
        exclusive: intOf(g.node, 'exclusive', 0),
        reverse: 1 - intOf(g.node, 'reverse', 0),
      }),
    ]
  },
  axes: (a) => {
    const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
    const axis = a.constant(inputOf(a.node, 1))
    const mixed = axis ? numbersOf(axis).map((n) => frontAxis(n, a.dims(x).length)) : range(0, a.dims(x).length)
    for (const i of a.dims(x).keys())
      if (mixed.includes(i))
        for (const value of [x, y]) a.freeze(at(value, i), 'CumSum adds up all indices of the axis')
      else a.join(at(x, i), at(y, i))
    freezeAxes(a, inputOf(a.node, 1), 'holds the number of an axis')
  },
  macs: free,
  sizes: likeInput(),
}

/** Reductions over axes, and sums along one. */
export const reduce = {
  ReduceSum: reduction(({ dy, spread }) => spread(dy)),
  ReduceMean: reduction(({ dy, spread, mul, count }) => spread(mul(dy, 1 / count))),
  ReduceMax: reduction(extremum),
  ReduceMin: reduction(extremum),
  ReduceProd: reduction(product),
  // y = Σ |x|
  ReduceL1: reduction(({ x, dy, mul, sign }) => mul(sign(x), dy)),
  // y = √Σ x²: x/y, and 0 where y is
  ReduceL2: reduction(({ x, y, dy, mul, div, where, equal }) => mul(x, where(equal(y, 0), 0, div(dy, y)))),
  // y = ln Σ x: 1/Σ x = e⁻ʸ
  ReduceLogSum: reduction(({ y, dy, spread, mul, exp, neg }) => spread(mul(dy, exp(neg(y))))),
  // y = ln Σ eˣ: e^(x − y)
  ReduceLogSumExp: reduction(({ x, y, dy, mul, exp, sub }) => mul(dy, exp(sub(x, y)))),
  // y = Σ x²
  ReduceSumSquare: reduction(({ x, dy, mul, add }) => mul(x, add(dy, dy))),
  ArgMax: { gradient: stops, axes: reducedAxisRule, macs: free, sizes: argSizes },
  ArgMin: { gradient: stops, axes: reducedAxisRule, macs: free, sizes: argSizes },
  CumSum: cumulativeSum,
} satisfies Record<string, Operator>
