import { floatOf, intOf } from '../onnx/index.ts'
import { calculator } from './calculator.ts'
import {
  at,
  expand,
  freezeAxes,
  gradOf,
  hasOutput,
  inputOf,
  joinAxes,
  outputOf,
  range,
  reshape,
  scalarLike,
  scaled,
  sum,
} from './helpers.ts'
import { likeInput } from './sizes/elementwise.ts'
import { type AxisContext, free, type GradientContext, type NodeContext, type Operator } from './types.ts'

/** Whether a BatchNormalization normalises by its batch's own statistics. */
const byBatch = (c: NodeContext): boolean => c.opset >= 14 && intOf(c.node, 'training_mode', 0) !== 0

const positions = (dims: readonly number[]): number[] => [0, ...range(2, dims.length)]

/** A vector over channels, shaped to broadcast against [N, C, …]. */
const channelwise = (g: GradientContext, vector: string, dims: readonly number[]): string =>
  dims.length <= 2 ? vector : reshape(g, vector, [dims[1]!, ...dims.slice(2).map(() => 1)])

const sizeOver = (dims: readonly number[], axes: readonly number[]) =>
  axes.reduce((size, axis) => size * dims[axis]!, 1)

/**
 * x̂ = (x − μ)/σ, y = γx̂ + β with μ, σ² = mean and variance over batch and positions, m of them, σ² + ε under the root
 * (Ioffe and Szegedy 2015, §3):
 *   ∂L/∂β = Σ dy,   ∂L/∂γ = Σ dy·x̂ = S/σ,   ∂L/∂x = γ/σ · (dy − (∂L/∂β)/m − x̂ · (∂L/∂γ)/m),
 * with S = Σ dy·(x − μ) = Σ dy·x − μ Σ dy. As one line through each channel, which goes over x twice and never centres it,
 *   ∂L/∂x = γ/σ · (dy − kx + d),   k = S/σ²m,   d = kμ − (∂L/∂β)/m:
 * what cancels is what x, rounded, has already lost of x − μ.
 */
const batchGradient = (g: GradientContext): readonly (string | undefined)[] => {
  const dy = gradOf(g)
  if (dy === undefined) return []
  const [x, scale, , , variance] = range(0, 5).map((i) => inputOf(g.node, i))
  const dims = g.dims(x!)
  const axes = positions(dims)
  const each = (vector: string) => channelwise(g, vector, dims)
  const { add, sub, mul, div, sqrt } = calculator(g, x!)
  const m = sizeOver(dims, axes)
  const [mean, batchVariance] = batchStatistics(g)
  const power = add(batchVariance, scalarLike(g, variance!, floatOf(g.node, 'epsilon', 1e-5)))
  const sigma = sqrt(power)
  const dBias = sum(g, dy, axes)
  const along = sub(sum(g, mul(dy, x!), axes), mul(mean, dBias))
  const dx = () => {
    const slope = div(along, mul(power, m))
    const level = sub(mul(slope, mean), mul(dBias, 1 / m))
    return mul(add(sub(dy, mul(x!, each(slope))), each(level)), each(div(scale!, sigma)))
  }
  return [g.wants(0) ? dx() : undefined, g.wants(1) ? div(along, sigma) : undefined, g.wants(2) ? dBias : undefined]
}

/** The batch's mean and variance: with momentum 0 the operator's own outputs, else those of another that has it. */
const batchStatistics = (g: GradientContext): [mean: string, variance: string] => {
  if (floatOf(g.node, 'momentum', 0.9) === 0 && hasOutput(g.node, 1) && hasOutput(g.node, 2))
    return [outputOf(g.node, 1), outputOf(g.node, 2)]
  const inputs = range(0, 5).map((i) => inputOf(g.node, i))
  const momentum = { type: 'FLOAT', value: 0 } as const
  const [, mean, variance] = g.b.ops('BatchNormalization', inputs, 3, { momentum, training_mode: 1 })
  return [mean!, variance!]
}

/**
 * The running statistics go on as r′ = ρr + (1 − ρ)·(the batch's): ∂L/∂r = ρ·∂L/∂r′, and through the batch's, with
 * ∂μ/∂x = 1/m and ∂σ²/∂x = 2(x − μ)/m, something is added to ∂L/∂x.
 */
const withRunning = (g: GradientContext, found: readonly (string | undefined)[]): readonly (string | undefined)[] => {
  const [dMean, dVariance] = [gradOf(g, 1), gradOf(g, 2)]
  if (dMean === undefined && dVariance === undefined) return found
  const x = inputOf(g.node, 0)
  const dims = g.dims(x)
  const m = sizeOver(dims, positions(dims))
  const momentum = floatOf(g.node, 'momentum', 0.9)
  const share = (grad: string, factor: number) =>
    channelwise(g, scaled(g, x, grad, (factor * (1 - momentum)) / m), dims)
  const mean = () => channelwise(g, scaled(g, x, sum(g, x, positions(dims)), 1 / m), dims)
  const parts = [
    ...(found[0] === undefined ? [] : [found[0]]),
    ...(dMean === undefined ? [] : [expand(g, share(dMean, 1), dims)]),
    ...(dVariance === undefined ? [] : [g.b.op('Mul', [g.b.op('Sub', [x, mean()]), share(dVariance, 2)])]),
  ]
  const carried = (grad: string | undefined) => (grad === undefined ? undefined : scaled(g, x, grad, momentum))
  return [
    g.wants(0) ? parts.reduce((total, part) => g.b.op('Add', [total, part])) : undefined,
    found[1],
    found[2],
    g.wants(3) ? carried(dMean) : undefined,
    g.wants(4) ? carried(dVariance) : undefined,
  ]
}

/**
 * With recorded statistics the operator is one multiplication and addition per channel: y = γ(x − μ)/σ + β, hence
 *   ∂L/∂x = γ/σ · dy,   ∂L/∂γ = Σ dy·(x − μ)/σ,   ∂L/∂β = Σ dy,   ∂L/∂μ = −γ/σ · Σ dy,
 *   ∂L/∂σ² = −½ γ/σ³ · Σ dy·(x − μ).
 */
const recordedGradient = (g: GradientContext): readonly (string | undefined)[] => {
  const dy = gradOf(g)
  if (dy === undefined) return []
  const [x, scale, , mean, variance] = range(0, 5).map((i) => inputOf(g.node, i))
  const dims = g.dims(x!)
  const epsilon = scalarLike(g, variance!, floatOf(g.node, 'epsilon', 1e-5))
  const sigma = g.b.op('Sqrt', [g.b.op('Add', [variance!, epsilon])])
  const rate = g.b.op('Div', [scale!, sigma])
  const total = g.wants(2) || g.wants(3) ? sum(g, dy, positions(dims)) : ''
  const centred = () => g.b.op('Sub', [x!, channelwise(g, mean!, dims)])
  const along = g.wants(1) || g.wants(4) ? sum(g, g.b.op('Mul', [dy, centred()]), positions(dims)) : ''
  const dVariance = () => {
    const cubed = g.b.op('Div', [rate, g.b.op('Mul', [sigma, sigma])])
    return scaled(g, x!, g.b.op('Mul', [cubed, along]), -0.5)
  }
  return [
    g.wants(0) ? g.b.op('Mul', [dy, channelwise(g, rate, dims)]) : undefined,
    g.wants(1) ? g.b.op('Div', [along, sigma]) : undefined,
    g.wants(2) ? total : undefined,
    g.wants(3) ? g.b.op('Neg', [g.b.op('Mul', [rate, total])]) : undefined,
    g.wants(4) ? dVariance() : undefined,
  ]
}

/** Channels pass with their four parameters; in training the statistics are taken over all other axes, which freeze. */
const batchAxes = (a: AxisContext): void => {
  const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
  const rank = a.dims(x).length
  if (rank > 1) for (const i of range(1, 5)) a.join(at(inputOf(a.node, i), 0), at(x, 1))
  else for (const i of range(1, 5)) freezeAxes(a, inputOf(a.node, i), 'a vector is normalised as one channel')
  for (const i of range(1, a.node.outputs.length))
    if (hasOutput(a.node, i)) a.join(at(outputOf(a.node, i), 0), at(inputOf(a.node, 1), 0))
  const over = positions(a.dims(x))
  joinAxes(a, x, y, byBatch(a) ? range(1, Math.min(rank, 2)) : range(0, rank))
  if (byBatch(a)) for (const value of [x, y]) freezeAxes(a, value, 'batch statistics are taken over this axis', over)
}

export const batchNormalization = {
  gradient: (g) => (byBatch(g) ? withRunning(g, batchGradient(g)) : recordedGradient(g)),
  axes: batchAxes,
  macs: free,
  sizes: likeInput(),
} satisfies Operator
