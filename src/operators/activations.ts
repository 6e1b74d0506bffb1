import { numbersOf } from '../base/index.ts'
import { stringOf } from '../onnx/index.ts'
import { calculator, cast } from './calculator.ts'
import { freezeAll, gradOf, hasInput, hasOutput, inputOf, joinAxes, outputOf, sum, unsupported } from './helpers.ts'
import { castSizes, likeInput, roundSizes, sameValue } from './sizes/elementwise.ts'
import { type AxisRule, free, type GradientRule, type Operator, stops } from './types.ts'
import { passAxes, type Unary, unary } from './unary.ts'

/**
 * y = x·Φ(x), Φ the normal distribution's cumulative function: ∂y/∂x = Φ(x) + x·φ(x), φ(x) = exp(−x²/2)/√2π.
 * The 'tanh' form is y = x/2·(1 + t), t = tanh u, u = √(2/π)(x + 0.044715x³) (Hendrycks and Gimpel 2016):
 * ∂y/∂x = (1 + t)/2 + x/2·(1 − t²)·u′.
 */
const gelu = (t: Unary): string => {
  const { x, dy, add, mul, square } = t
  if (stringOf(t.node, 'approximate', 'none') === 'none') {
    const cumulative = mul(add(t.erf(mul(x, Math.SQRT1_2)), 1), 0.5)
    const density = mul(t.exp(mul(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI))
    return mul(dy, add(cumulative, mul(x, density)))
  }
  const c = Math.sqrt(2 / Math.PI)
  const tanh = t.tanh(mul(x, add(mul(square(x), 0.044715 * c), c)))
  const slope = add(mul(square(x), 3 * 0.044715 * c), c)
  const curved = mul(mul(x, slope), t.sub(1, square(tanh)))
  return mul(dy, mul(add(add(tanh, 1), curved), 0.5))
}

const seluAlpha = 1.6732631921768188
const seluGamma = 1.0507010221481323

/**
 * y = min(max(x, low), high): dy where nothing was clipped (y = x), the rest belongs to the bounds. Before opset 11 the
 * bounds are attributes.
 */
const clip: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined) return []
  const [x, y] = [inputOf(g.node, 0), outputOf(g.node, 0)]
  const c = calculator(g, x)
  const bound = (position: number, beyond: (x: string, bound: string) => string) =>
    hasInput(g.node, position) && g.wants(position)
      ? sum(g, c.mul(dy, c.indicator(beyond(x, inputOf(g.node, position)))), [...g.dims(x).keys()])
      : undefined
  return [g.wants(0) ? c.mul(dy, c.indicator(c.equal(x, y))) : undefined, bound(1, c.less), bound(2, c.greater)]
}

/**
 * In training y = x·m/(1 − r) with a random mask m of 0 and 1, the second output: ∂L/∂x = dy·m/(1 − r). In inference
 * y = x. Srivastava et al. 2014.
 */
const dropout: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  if (!hasInput(g.node, 2)) return [dy]
  const training = g.constant(inputOf(g.node, 2))
  const ratio = hasInput(g.node, 1) ? g.constant(inputOf(g.node, 1)) : undefined
  if (!training || (hasInput(g.node, 1) && !ratio))
    throw unsupported(g.node, 'ratio and training_mode are computed while the graph runs', 'make them constants')
  if (numbersOf(training)[0] === 0) return [dy]
  if (!hasOutput(g.node, 1)) g.node.outputs[1] = g.b.fresh('mask')
  const c = calculator(g, inputOf(g.node, 0))
  const kept = 1 - (ratio ? numbersOf(ratio)[0]! : 0.5)
  // With ratio 1 everything was dropped and the mask is all 0.
  return [c.mul(c.mul(dy, c.indicator(outputOf(g.node, 1))), kept === 0 ? 0 : 1 / kept)]
}

/** y = x in another type: dy in the type of x. */
const casting: GradientRule = (g) => {
  const dy = gradOf(g)
  return dy !== undefined && g.wants(0) ? [cast(g, dy, g.type(inputOf(g.node, 0)))] : []
}

/** The second input lends its type alone: its axes are tied to nothing. */
const castLikeAxes: AxisRule = (a) => {
  passAxes(a)
  const like = inputOf(a.node, 1)
  joinAxes(a, like, like)
}

/** Of fewer elements, those left would get other numbers. */
const drawnAxes: AxisRule = (a) => freezeAll(a, 'random numbers are drawn element after element')

/** y = x */
const identity: GradientRule = (g) => [gradOf(g)]

/** Activation functions, and what leaves values as they are. */
export const activations = {
  // y = max(x, 0), and 0 has slope 0: y > 0 says that x > 0.
  Relu: unary(({ y, dy, mul, positive }) => mul(dy, positive(y))),
  // y = x > 0 ? x : αx
  LeakyRelu: unary(({ x, dy, mul, where, greater, attribute }) =>
    where(greater(x, 0), dy, mul(dy, attribute('alpha', 0.01))),
  ),
  // y = x > α ? x : 0
  ThresholdedRelu: unary(({ x, dy, mul, indicator, greater, attribute }) =>
    mul(dy, indicator(greater(x, attribute('alpha', 1)))),
  ),
  // y = x > 0 ? x : α(eˣ − 1), so αeˣ = y + α
  Elu: unary(({ x, y, dy, mul, add, where, greater, attribute }) =>
    where(greater(x, 0), dy, mul(dy, add(y, attribute('alpha', 1)))),
  ),
  // y = x > 0 ? x : α(e^(x/α) − 1), so e^(x/α) = y/α + 1
  Celu: unary(({ x, y, dy, mul, add, where, greater, attribute }) =>
    where(greater(x, 0), dy, mul(dy, add(mul(y, 1 / attribute('alpha', 1)), 1))),
  ),
  // y = γ(x > 0 ? x : α(eˣ − 1)), so γαeˣ = y + γα
  Selu: unary(({ x, y, dy, mul, add, where, greater, attribute }) => {
    const gamma = attribute('gamma', seluGamma)
    return mul(dy, where(greater(x, 0), gamma, add(y, gamma * attribute('alpha', seluAlpha))))
  }),
  // y = 1/(1 + e⁻ˣ)
  Sigmoid: unary(({ y, dy, mul, sub }) => mul(dy, mul(y, sub(1, y)))),
  // y = min(max(αx + β, 0), 1)
  HardSigmoid: unary(({ y, dy, mul, and, greater, less, indicator, attribute }) =>
    mul(dy, mul(indicator(and(greater(y, 0), less(y, 1))), attribute('alpha', 0.2))),
  ),
  // y = x·h with h = min(max(x/6 + 1/2, 0), 1): h + x/6 between −3 and 3, else h
  HardSwish: unary(({ x, dy, mul, add, max, min, where, less, abs }) =>
    mul(dy, where(less(abs(x), 3), add(mul(x, 1 / 3), 0.5), min(max(x, 0), 1))),
  ),
  // y = x·t with t = tanh(softplus(x)): t + x(1 − t²)σ(x). Misra 2019
  Mish: unary(({ x, dy, mul, add, sub, square, sigmoid, softplus, tanh }) => {
    const t = tanh(softplus(x))
    return mul(dy, add(t, mul(mul(x, sub(1, square(t))), sigmoid(x))))
  }),
  // y = x − bias where x > λ, x + bias where x < −λ, else 0
  Shrink: unary(({ x, dy, mul, abs, indicator, greater, attribute }) =>
    mul(dy, indicator(greater(abs(x), attribute('lambd', 0.5)))),
  ),
  Gelu: unary(gelu),
  // y = ln(1 + eˣ)
  Softplus: unary(({ x, dy, mul, sigmoid }) => mul(dy, sigmoid(x))),
  // y = x/(1 + |x|)
  Softsign: unary(({ x, dy, div, square, add, abs }) => div(dy, square(add(abs(x), 1)))),
  Tanh: unary(({ y, dy, mul, sub, square }) => mul(dy, sub(1, square(y)))),
  Clip: { gradient: clip, axes: passAxes, macs: free, sizes: likeInput() },
  Dropout: { gradient: dropout, axes: passAxes, macs: free, sizes: likeInput() },
  Identity: { gradient: identity, axes: passAxes, macs: free, sizes: sameValue },
  Cast: { gradient: casting, axes: passAxes, macs: free, sizes: castSizes },
  CastLike: { gradient: casting, axes: castLikeAxes, macs: free, sizes: likeInput() },
  Sign: { gradient: stops, axes: passAxes, macs: free, sizes: likeInput() },
  Floor: { gradient: stops, axes: passAxes, macs: free, sizes: roundSizes('floor') },
  Ceil: { gradient: stops, axes: passAxes, macs: free, sizes: roundSizes('ceil') },
  Round: { gradient: stops, axes: passAxes, macs: free, sizes: roundSizes('round') },
  Bernoulli: { gradient: stops, axes: drawnAxes, macs: free, sizes: likeInput() },
  RandomNormalLike: { gradient: stops, axes: drawnAxes, macs: free, sizes: likeInput() },
  RandomUniformLike: { gradient: stops, axes: drawnAxes, macs: free, sizes: likeInput() },
} satisfies Record<string, Operator>
