import { sizeOf } from '../base/index.ts'
import { intOf, stringOf } from '../onnx/index.ts'
import { calculator } from './calculator.ts'
import {
  at,
  freezeAxes,
  frontAxis,
  gradOf,
  hasInput,
  hasOutput,
  inputOf,
  outputOf,
  range,
  reshape,
  scalarLike,
  sum,
  tensorLike,
  unsupported,
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

/**
 * The axes a softmax runs over. From opset 13 one axis, the last unless said; before, the input was flattened to two axes
 * at `axis`, 1 unless said, and the softmax ran over everything behind it.
 */
const softmaxAxes = (c: NodeContext): number[] => {
  const rank = c.dims(inputOf(c.node, 0)).length
  if (c.opset >= 13) return [frontAxis(intOf(c.node, 'axis', -1), rank)]
  return range(frontAxis(intOf(c.node, 'axis', 1), rank), rank)
}

/** y = eˣ / Σ eˣ: ∂L/∂x = y·(dy − Σ dy·y) */
const softmax: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined) return []
  const y = outputOf(g.node, 0)
  const c = calculator(g, y)
  return [c.mul(y, c.sub(dy, sum(g, c.mul(dy, y), softmaxAxes(g), true)))]
}

/** y = x − ln Σ eˣ: ∂L/∂x = dy − eʸ·Σ dy */
const logSoftmax: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined) return []
  const y = outputOf(g.node, 0)
  const c = calculator(g, y)
  return [c.sub(dy, c.mul(c.exp(y), sum(g, dy, softmaxAxes(g), true)))]
}

const softmaxAxisRule: AxisRule = (a) => {
  const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
  const mixed = softmaxAxes(a)
  for (const axis of a.dims(x).keys())
    if (mixed.includes(axis))
      for (const value of [x, y]) a.freeze(at(value, axis), `${a.node.opType} mixes all indices of the axis`)
    else a.join(at(x, axis), at(y, axis))
}

/**
 * What both losses over class ids share. Scores are [N, C, d…], labels [N, d…], and the loss is the sum, the weighted mean
 * or the list of wₙ·ℓₙ, where wₙ is the weight of the label's class (1 without weights), 0 for `ignore_index`.
 *
 * @returns the labels as one-hot rows [N, C, d…], and wₙ·∂L/∂(wₙℓₙ): a scalar, or [N, 1, d…]
 */
const labelTerms = (g: GradientContext, dl: string): { oneHot: string; factor: string } => {
  if (g.wants(2)) throw unsupported(g.node, 'class weights cannot be trained', 'freeze them')
  const [scores, labels] = [inputOf(g.node, 0), inputOf(g.node, 1)]
  const [dims, count] = [g.dims(scores), sizeOf(g.dims(labels))]
  const c = calculator(g, scores)

  const skips = g.node.attributes.has('ignore_index')
  const skipped = skips ? c.equal(labels, scalarLike(g, labels, intOf(g.node, 'ignore_index', 0))) : undefined
  const perClass = [dims[0]!, 1, ...dims.slice(2)]
  const ids = g.b.constant(tensorLike(g.type(labels), [dims[1]!, ...dims.slice(2).map(() => 1)], range(0, dims[1]!)))
  const oneHot = c.indicator(c.equal(reshape(g, labels, perClass), ids))

  // A skipped label may be no class at all: class 0 stands in for it, with weight 0.
  const classes = skipped === undefined ? labels : g.b.op('Where', [skipped, scalarLike(g, labels, 0), labels])
  const given = hasInput(g.node, 2) ? g.b.op('Gather', [inputOf(g.node, 2), classes], { axis: 0 }) : undefined
  const kept = skipped === undefined ? undefined : c.indicator(c.not(skipped))
  const weight = given !== undefined && kept !== undefined ? c.mul(given, kept) : (given ?? kept)
  const mean = stringOf(g.node, 'reduction', 'mean') === 'mean'
  const single = stringOf(g.node, 'reduction', 'mean') !== 'none'
  if (weight === undefined) {
    const factor = mean ? c.mul(dl, 1 / count) : dl
    return { oneHot, factor: single ? factor : reshape(g, factor, perClass) }
  }
  const share = mean ? c.div(dl, g.b.op('ReduceSum', [weight], { keepdims: 0 })) : dl
  return { oneHot, factor: reshape(g, c.mul(share, weight), perClass) }
}

/** ℓₙ = −x[n, yₙ]: ∂L/∂x = −onehot(y)·wₙ·∂L/∂ℓₙ */
const negativeLogLikelihood: GradientRule = (g) => {
  const dl = gradOf(g)
  if (dl === undefined || !g.wants(0)) return []
  const { oneHot, factor } = labelTerms(g, dl)
  const c = calculator(g, inputOf(g.node, 0))
  return [c.neg(c.mul(oneHot, factor))]
}

/** ℓₙ = −ln softmax(x)[n, yₙ]: ∂L/∂x = (softmax(x) − onehot(y))·wₙ·∂L/∂ℓₙ; a second output is ln softmax(x) itself. */
const crossEntropy: GradientRule = (g) => {
  const [dl, dlog] = [gradOf(g, 0), gradOf(g, 1)]
  if (!g.wants(0) || (dl === undefined && dlog === undefined)) return []
  const scores = inputOf(g.node, 0)
  const c = calculator(g, scores)
  const p = hasOutput(g.node, 1) ? c.exp(outputOf(g.node, 1)) : g.b.op('Softmax', [scores], { axis: 1 })
  const throughLog = dlog === undefined ? undefined : c.sub(dlog, c.mul(p, sum(g, dlog, [1], true)))
  if (dl === undefined) return [throughLog]
  const { oneHot, factor } = labelTerms(g, dl)
  const throughLoss = c.mul(c.sub(p, oneHot), factor)
  return [throughLog === undefined ? throughLoss : c.add(throughLoss, throughLog)]
}

const lossAxes: AxisRule = (a) => {
  for (const value of [...a.node.inputs, ...a.node.outputs])
    if (value) freezeAxes(a, value, 'a loss reads every class and every position')
}

export const softmaxes = {
  Softmax: { gradient: softmax, axes: softmaxAxisRule, macs: free, sizes: likeInput() },
  LogSoftmax: { gradient: logSoftmax, axes: softmaxAxisRule, macs: free, sizes: likeInput() },
  Hardmax: { gradient: stops, axes: softmaxAxisRule, macs: free, sizes: likeInput() },
  SoftmaxCrossEntropyLoss: { gradient: crossEntropy, axes: lossAxes, macs: free },
  NegativeLogLikelihoodLoss: { gradient: negativeLogLikelihood, axes: lossAxes, macs: free },
} satisfies Record<string, Operator>
