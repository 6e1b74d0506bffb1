import { sizeOf } from '../base/index.ts'
import { attribute, floatOf, intOf } from '../onnx/index.ts'
import { batchNormalization } from './batchnorm.ts'
import {
  at,
  expand,
  freezeAxes,
  frontAxis,
  gradOf,
  hasInput,
  hasOutput,
  inputOf,
  joinAxes,
  joinBroadcast,
  outputOf,
  range,
  reshape,
  scaled,
  sum,
  sumTo,
} from './helpers.ts'
import { plainNormalization } from './plain-normalization.ts'
import { likeInput } from './sizes/elementwise.ts'
import { rootMeanSquare, type Standardized, standardize, standardizedGradient } from './standardize.ts'
import { type AxisContext, free, type GradientContext, type NodeContext, type Operator } from './types.ts'

const mixes = 'its statistics are taken over this axis'

/** The first normalised axis of a LayerNormalization, and the rows and columns it makes of its input. */
const rowsOf = (c: NodeContext) => {
  const dims = c.dims(inputOf(c.node, 0))
  const axis = frontAxis(intOf(c.node, 'axis', -1), dims.length)
  return { axis, rows: sizeOf(dims.slice(0, axis)), columns: sizeOf(dims.slice(axis)) }
}

/** y = γn + β with n the standardized rows: ∂L/∂n = γ·dy, ∂L/∂γ = Σ dy·n, ∂L/∂β = Σ dy. */
const scaledRowsGradient = (g: GradientContext, centred: boolean): readonly (string | undefined)[] => {
  const dy = gradOf(g)
  const x = inputOf(g.node, 0)
  const dims = g.dims(x)
  const size = rowsOf(g)
  const flat = [size.rows, size.columns]
  const epsilon = floatOf(g.node, 'epsilon', 1e-5)
  const stats = centred ? standardize(g, x, x, size, epsilon) : rootMeanSquare(g, x, x, size, epsilon)
  const normal = () => reshape(g, stats.normal, dims)
  const scale = inputOf(g.node, 1)
  const dx = () => {
    const parts =
      dy === undefined ? [] : [standardizedGradient(g, x, reshape(g, g.b.op('Mul', [dy, scale]), flat), stats, centred)]
    parts.push(...statisticsGradients(g, stats))
    return reshape(
      g,
      parts.reduce((total, part) => g.b.op('Add', [total, part])),
      dims,
    )
  }
  return [
    g.wants(0) ? dx() : undefined,
    dy && g.wants(1) ? sumTo(g, g.b.op('Mul', [dy, normal()]), dims, g.dims(scale)) : undefined,
    dy && hasInput(g.node, 2) && g.wants(2) ? sumTo(g, dy, dims, g.dims(inputOf(g.node, 2))) : undefined,
  ]
}

/** LayerNormalization may also give μ and 1/σ: ∂μ/∂x = 1/m and ∂(1/σ)/∂x = −n/(mσ²). */
const statisticsGradients = (g: GradientContext, { normal, inverse, columns }: Standardized): string[] => {
  const x = inputOf(g.node, 0)
  const { rows } = rowsOf(g)
  const column = (grad: string) => scaled(g, x, reshape(g, grad, [-1, 1]), 1 / columns)
  const [mean, deviation] = [gradOf(g, 1), gradOf(g, 2)]
  const parts: string[] = []
  if (mean !== undefined) parts.push(expand(g, column(mean), [rows, columns]))
  if (deviation !== undefined) {
    const rate = g.b.op('Mul', [g.b.op('Neg', [column(deviation)]), g.b.op('Mul', [inverse, inverse])])
    parts.push(g.b.op('Mul', [normal, rate]))
  }
  return parts
}

/** Rows pass. Features pass with γ and β, but the statistics of fewer features differ from those of masked ones. */
export const scaledRowsAxes = (a: AxisContext): void => {
  const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
  const { axis } = rowsOf(a)
  const rank = a.dims(x).length
  joinAxes(a, x, y)
  for (const i of range(axis, rank)) a.approximate(at(x, i), 'mean and variance change when features are removed')
  for (const i of [1, 2]) if (hasInput(a.node, i)) joinBroadcast(a, inputOf(a.node, i), y)
  for (const i of [1, 2])
    if (hasOutput(a.node, i)) {
      joinAxes(a, x, outputOf(a.node, i), range(0, axis))
      freezeAxes(a, outputOf(a.node, i), mixes, range(axis, rank))
    }
}

const perChannel = (g: GradientContext, vector: string, rank: number): string =>
  reshape(g, vector, [-1, ...range(2, rank).map(() => 1)])

/** Instance and group normalization: rows of `groups` per sample, γ and β a channel each (or, before opset 21, a group). */
const groupedGradient = (g: GradientContext, groups: number): readonly (string | undefined)[] => {
  const dy = gradOf(g)
  if (dy === undefined) return []
  const [x, scale] = [inputOf(g.node, 0), inputOf(g.node, 1)]
  const dims = g.dims(x)
  const parameters = g.dims(scale)[0]!
  const split = [dims[0]!, parameters, sizeOf(dims.slice(1)) / parameters]
  const size = { rows: dims[0]! * groups, columns: sizeOf(dims.slice(1)) / groups }
  const stats = standardize(g, x, x, size, floatOf(g.node, 'epsilon', 1e-5))
  const dyApart = reshape(g, dy, split)
  const dn = () => reshape(g, g.b.op('Mul', [dyApart, perChannel(g, scale, 3)]), [size.rows, size.columns])
  const along = () => g.b.op('Mul', [dyApart, reshape(g, stats.normal, split)])
  return [
    g.wants(0) ? reshape(g, standardizedGradient(g, x, dn(), stats, true), dims) : undefined,
    g.wants(1) ? sum(g, along(), [0, 2]) : undefined,
    g.wants(2) ? sum(g, dyApart, [0, 2]) : undefined,
  ]
}

/** Normalizations: those with parameters here, those without from their own file. */
export const normalization = {
  BatchNormalization: batchNormalization,

  LayerNormalization: {
    gradient: (g) => (g.grads.every((grad) => grad === undefined) ? [] : scaledRowsGradient(g, true)),
    axes: scaledRowsAxes,
    macs: free,
    sizes: likeInput(),
  },

  RMSNormalization: {
    gradient: (g) => (gradOf(g) === undefined ? [] : scaledRowsGradient(g, false)),
    axes: scaledRowsAxes,
    macs: free,
    sizes: likeInput(),
  },

  InstanceNormalization: {
    // Every channel of every sample is a row.
    gradient: (g) => groupedGradient(g, g.dims(inputOf(g.node, 0))[1]!),
    axes: (a) => {
      const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
      joinAxes(a, x, y, [0, 1])
      for (const value of [x, y]) freezeAxes(a, value, mixes, range(2, a.dims(x).length))
      for (const i of [1, 2]) a.join(at(inputOf(a.node, i), 0), at(x, 1))
    },
    macs: free,
    sizes: likeInput(),
  },

  GroupNormalization: {
    gradient: (g) => groupedGradient(g, intOf(g.node, 'num_groups', 1)),
    // A whole group takes its statistics with it, so groups are the units, and their number is rewritten.
    axes: (a) => {
      const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
      const channels = a.dims(x)[1]!
      joinAxes(a, x, y, [0, 1])
      for (const value of [x, y]) freezeAxes(a, value, mixes, range(2, a.dims(x).length))
      const per = channels / intOf(a.node, 'num_groups', 1)
      for (const i of range(0, channels)) a.joinAt({ ...at(x, 1), at: i }, { ...at(x, 1), at: i - (i % per) })
      for (const parameter of [inputOf(a.node, 1), inputOf(a.node, 2)]) {
        const size = a.dims(parameter)[0]!
        for (const i of range(0, size))
          a.joinAt({ ...at(parameter, 0), at: i }, { ...at(x, 1), at: (i * channels) / size })
      }
    },
    macs: free,
    sizes: likeInput(),
    resize: (r) => {
      const x = inputOf(r.node, 0)
      const kept = r.kept(at(x, 1))
      if (kept === undefined) return
      const per = r.dims(x)[1]! / intOf(r.node, 'num_groups', 1)
      r.node.attributes.set('num_groups', attribute(kept.length / per))
    },
  },

  ...plainNormalization,
} satisfies Record<string, Operator>
