import { EspalierError } from '../base/index.ts'
import { floatOf, floatsOf, type Node, nodeLabel } from '../onnx/index.ts'
import { type Calculator, calculator } from './calculator.ts'
import { inputOf, split } from './helpers.ts'
import type { Direction } from './recurrence.ts'
import type { GradientContext } from './types.ts'

/** A gate's value a = f(z) and its slope f′(z), 0 where z was clipped. */
export type Gate = { readonly value: string; readonly slope: string }

type Activation = {
  /** How many of α and β it takes from the node's lists, and what they are where the lists end. */
  readonly takes: readonly [alpha: 0 | 1, beta: 0 | 1]
  readonly alpha?: number
  readonly beta?: number
  readonly apply: (g: GradientContext, z: string, p: Parameters) => string
  /** f′ as a function of a = f(z): each of these activations has one. */
  readonly slope: (t: Calculator, a: string, p: Parameters) => string
}

type Parameters = { readonly alpha: number; readonly beta: number }

const float = (value: number) => ({ type: 'FLOAT', value }) as const

const plain =
  (op: string) =>
  (g: GradientContext, z: string): string =>
    g.b.op(op, [z])

const withAlpha =
  (op: string) =>
  (g: GradientContext, z: string, { alpha }: Parameters): string =>
    g.b.op(op, [z], { alpha: float(alpha) })

const at = (g: GradientContext) => calculator(g, inputOf(g.node, 0))

const activations: { readonly [name: string]: Activation } = {
  sigmoid: { takes: [0, 0], apply: plain('Sigmoid'), slope: (t, a) => t.mul(a, t.sub(1, a)) },
  tanh: { takes: [0, 0], apply: plain('Tanh'), slope: (t, a) => t.sub(1, t.square(a)) },
  relu: { takes: [0, 0], apply: plain('Relu'), slope: (t, a) => t.positive(a) },
  softsign: { takes: [0, 0], apply: plain('Softsign'), slope: (t, a) => t.square(t.sub(1, t.abs(a))) },
  softplus: { takes: [0, 0], apply: plain('Softplus'), slope: (t, a) => t.sub(1, t.exp(t.neg(a))) },
  affine: {
    takes: [1, 1],
    alpha: 1,
    apply: (g, z, p) => at(g).add(at(g).mul(z, p.alpha), p.beta),
    slope: (t, a, p) => t.add(t.mul(a, 0), p.alpha),
  },
  leakyrelu: {
    takes: [1, 0],
    alpha: 0.01,
    apply: withAlpha('LeakyRelu'),
    slope: (t, a, p) => t.where(t.greater(a, 0), 1, p.alpha),
  },
  thresholdedrelu: {
    takes: [1, 0],
    alpha: 1,
    apply: withAlpha('ThresholdedRelu'),
    slope: (t, a) => t.nonzero(a),
  },
  scaledtanh: {
    takes: [1, 1],
    alpha: 1,
    beta: 1,
    apply: (g, z, p) => at(g).mul(at(g).tanh(at(g).mul(z, p.beta)), p.alpha),
    slope: (t, a, p) => t.mul(t.sub(p.alpha, t.div(t.square(a), p.alpha)), p.beta),
  },
  hardsigmoid: {
    takes: [1, 1],
    alpha: 0.2,
    beta: 0.5,
    apply: (g, z, p) => g.b.op('HardSigmoid', [z], { alpha: float(p.alpha), beta: float(p.beta) }),
    slope: (t, a, p) => t.mul(t.indicator(t.and(t.greater(a, 0), t.less(a, 1))), p.alpha),
  },
  elu: {
    takes: [1, 0],
    alpha: 1,
    apply: withAlpha('Elu'),
    slope: (t, a, p) => t.where(t.greater(a, 0), 1, t.add(a, p.alpha)),
  },
}

const utf8 = new TextDecoder()

/** The names a node gives its activations, or its operator's own. */
const namesOf = (node: Node, absent: readonly string[], directions: number): string[] => {
  const given = node.attributes.get('activations')
  if (given?.type === 'STRINGS' && given.value.length > 0)
    return given.value.map((name) => utf8.decode(name).toLowerCase())
  return Array.from({ length: directions }, () => absent).flat()
}

export type Gates = {
  /** Applies the direction's `which`-th activation (f, g, h…), clipping first. */
  value(g: GradientContext, which: number, z: string): string
  /** The same with its slope. */
  gate(which: number, z: string): Gate
  /** The same without clipping: LSTM's h, which acts on the cell, not on a sum of products. */
  unclipped(which: number, z: string): Gate
}

/** The activations of one direction. α and β are handed out to those that take them, in order. */
export const gatesOf = (g: GradientContext, d: Direction, absent: readonly string[]): Gates => {
  const alphas = [...floatsOf(g.node, 'activation_alpha', [])]
  const betas = [...floatsOf(g.node, 'activation_beta', [])]
  const clip = floatOf(g.node, 'clip', 0)
  const all = namesOf(g.node, absent, d.directions).map((name) => {
    const activation = Object.hasOwn(activations, name) ? activations[name] : undefined
    if (!activation)
      throw new EspalierError(`unknown activation '${name}'`, {
        place: { node: nodeLabel(g.node), operator: g.node.opType },
        remedy: `use one of ${Object.keys(activations).join(', ')}`,
      })
    const [takesAlpha, takesBeta] = activation.takes
    const alpha = (takesAlpha ? alphas.shift() : undefined) ?? activation.alpha ?? 0
    const beta = (takesBeta ? betas.shift() : undefined) ?? activation.beta ?? 0
    return { activation, parameters: { alpha, beta } }
  })
  const own = all.slice(d.index * absent.length, (d.index + 1) * absent.length)
  const bounded = (t: Calculator, z: string) => (clip > 0 ? t.max(t.min(z, clip), -clip) : z)
  const value = (to: GradientContext, which: number, z: string) =>
    own[which]!.activation.apply(to, bounded(at(to), z), own[which]!.parameters)
  const t = at(g)
  const slope = (which: number, a: string) => own[which]!.activation.slope(t, a, own[which]!.parameters)
  return {
    value,
    gate: (which, z) => {
      const a = value(g, which, z)
      const free = slope(which, a)
      return { value: a, slope: clip > 0 ? t.mul(free, t.indicator(t.less(t.abs(z), clip))) : free }
    },
    unclipped: (which, z) => {
      const a = own[which]!.activation.apply(g, z, own[which]!.parameters)
      return { value: a, slope: slope(which, a) }
    },
  }
}

/** x·Wᵀ + bias for all steps, taken apart by gate: [steps·batch, hidden] each. */
export const products = (
  g: GradientContext,
  d: Direction,
  from: { readonly x: string; readonly w: string; readonly bias: string | undefined; readonly gates: number },
): string[] => {
  const all = g.b.op('Gemm', [from.x, from.w, ...(from.bias === undefined ? [] : [from.bias])], { transB: 1 })
  return split(
    g,
    all,
    1,
    Array.from({ length: from.gates }, () => d.hidden),
  )
}
