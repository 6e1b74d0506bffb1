import { intOf } from '../onnx/index.ts'
import { calculator } from './calculator.ts'
import {
  at,
  expand,
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
  sum,
  sumTo,
} from './helpers.ts'
import { likeInput } from './sizes/elementwise.ts'
import {
  type AxisRule,
  free,
  type GradientContext,
  type GradientRule,
  type NodeContext,
  type Operator,
  stops,
} from './types.ts'

/** One scale for everything, one per index of an axis, or one per block of indices (opset 21). */
const scaleKind = (c: NodeContext): 'tensor' | 'axis' | 'block' => {
  if (intOf(c.node, 'block_size', 0) > 0) return 'block'
  const dims = c.dims(inputOf(c.node, 1))
  return dims.length === 0 || (dims.length === 1 && dims[0] === 1) ? 'tensor' : 'axis'
}

const axisOf = (c: NodeContext) => frontAxis(intOf(c.node, 'axis', 1), c.dims(inputOf(c.node, 0)).length)

/** The shape in which scales broadcast to x: [C] becomes [1, C, 1, 1]. */
const broadcastable = (c: NodeContext): number[] => {
  const rank = c.dims(inputOf(c.node, 0)).length
  if (scaleKind(c) === 'tensor') return []
  return range(0, rank).map((axis) => (axis === axisOf(c) ? c.dims(inputOf(c.node, 1))[0]! : 1))
}

/** Scales or zero points laid out over x, so that arithmetic with x broadcasts. */
const layOut = (g: GradientContext, value: string): string => {
  if (scaleKind(g) !== 'block') return reshape(g, value, broadcastable(g))
  const [x, axis, size] = [g.dims(inputOf(g.node, 0)), axisOf(g), intOf(g.node, 'block_size', 0)]
  const blocks = g.dims(inputOf(g.node, 1))
  const copies = expand(g, reshape(g, value, blocks.toSpliced(axis + 1, 0, 1)), blocks.toSpliced(axis + 1, 0, size))
  const whole = reshape(g, copies, blocks.with(axis, blocks[axis]! * size))
  return g.b.op('Slice', [whole, g.b.ints([0]), g.b.ints([x[axis]!]), g.b.ints([axis])])
}

/** The transpose of `layOut`: what belongs to the same scale added up. */
const gather = (g: GradientContext, terms: string): string => {
  const [x, scale] = [g.dims(inputOf(g.node, 0)), g.dims(inputOf(g.node, 1))]
  if (scaleKind(g) !== 'block') return reshape(g, sumTo(g, terms, x, broadcastable(g)), scale)
  const [axis, size] = [axisOf(g), intOf(g.node, 'block_size', 0)]
  const blocks = scale[axis]!
  const missing = x.map((length, i) => (i === axis ? blocks * size - length : 0))
  const whole = padZeros(
    g,
    terms,
    x.map(() => 0),
    missing,
  )
  return sum(g, reshape(g, whole, scale.toSpliced(axis, 1, blocks, size)), [axis + 1])
}

/** Zero points as real numbers laid out over x; undefined where there are none. */
const zeroPoints = (g: GradientContext): string | undefined =>
  hasInput(g.node, 2) ? layOut(g, real(g, inputOf(g.node, 2))) : undefined

/** A whole number in the type of the scale. */
const real = (g: GradientContext, value: string) => g.b.op('CastLike', [value, inputOf(g.node, 1)])

/**
 * y = s·(q − z): ∂L/∂q = s·dy, taking q as a real number, and ∂L/∂s = Σ dy·(q − z).
 */
const dequantizeGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined) return []
  const [q, scale] = [inputOf(g.node, 0), inputOf(g.node, 1)]
  const c = calculator(g, scale)
  const centred = () => {
    const zero = zeroPoints(g)
    return zero === undefined ? real(g, q) : c.sub(real(g, q), zero)
  }
  return [
    g.wants(0) ? c.mul(dy, layOut(g, scale)) : undefined,
    g.wants(1) ? gather(g, c.mul(dy, centred())) : undefined,
  ]
}

/**
 * q = clip(round(x/s) + z): rounding is taken for the identity (straight-through estimator, Bengio et al. 2013), so
 * ∂L/∂x = dq/s and ∂L/∂s = −Σ dq·x/s² where nothing was clipped, 0 where it was.
 */
const quantizeGradient: GradientRule = (g) => {
  const dq = gradOf(g)
  if (dq === undefined) return []
  const [x, q] = [inputOf(g.node, 0), outputOf(g.node, 0)]
  const c = calculator(g, inputOf(g.node, 1))
  const scale = layOut(g, inputOf(g.node, 1))
  const zero = zeroPoints(g)
  const rounded = g.b.op('Round', [c.div(x, scale)])
  const whole = zero === undefined ? rounded : c.add(rounded, zero)
  const dx = c.div(c.mul(dq, c.indicator(c.equal(whole, real(g, q)))), scale)
  return [g.wants(0) ? dx : undefined, g.wants(1) ? gather(g, c.neg(c.div(c.mul(dx, x), scale))) : undefined]
}

/** x and y pass; scales and zero points of an axis go with its indices, blocks of indices cannot be cut. */
const quantizeAxes: AxisRule = (a) => {
  const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
  joinAxes(a, x, y)
  for (const value of a.node.inputs.slice(1).filter((name) => name !== ''))
    if (scaleKind(a) === 'axis') a.join(at(value, 0), at(x, axisOf(a)))
    else if (scaleKind(a) === 'tensor') freezeAxes(a, value, 'one scale serves all')
    else {
      joinAxes(
        a,
        value,
        x,
        range(0, a.dims(x).length).filter((axis) => axis !== axisOf(a)),
      )
      for (const blocked of [value, x])
        a.freeze(at(blocked, axisOf(a)), 'a scale serves a block of indices of the axis')
    }
}

/**
 * The range that decides scale and zero point always takes in 0, so values that are 0 where their unit is masked have no say
 * in it; whether they are, `signs.ts` asks.
 */
const wholeAxes: AxisRule = (a) => {
  joinAxes(a, inputOf(a.node, 0), outputOf(a.node, 0))
  for (const output of a.node.outputs.slice(1)) if (output) freezeAxes(a, output, 'one scale serves all')
}

/** Operators that turn real numbers into small whole ones and back. */
export const quantize = {
  QuantizeLinear: { gradient: quantizeGradient, axes: quantizeAxes, macs: free, sizes: likeInput() },
  DequantizeLinear: { gradient: dequantizeGradient, axes: quantizeAxes, macs: free, sizes: likeInput() },
  DynamicQuantizeLinear: { gradient: stops, axes: wholeAxes, macs: free },
} satisfies Record<string, Operator>
