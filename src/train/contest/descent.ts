import { random } from '../../base/index.ts'
import { batches, type Dataset } from '../../data/index.ts'
import type { Model } from '../../onnx/index.ts'
import { type Parameter, parametersOf, type Recipe, unitsOf } from '../../optim/index.ts'
import { eachRun, sumUnits } from '../../optim/links/units.ts'
import type { Runtime } from '../../runtime/index.ts'
import { openEngine } from '../engine.ts'
import { inputOf } from '../inputs.ts'

export type DescentOptions = {
  readonly runtime: Runtime
  readonly data: Dataset
  readonly recipe: Recipe
  /** Samples in a batch; 50. */
  readonly batch?: number
  readonly steps: number
  /** Of the order of samples; 0. */
  readonly seed?: number
  /** Steps between measurements of the slope's change, which cost a second pass; 5. */
  readonly probeEvery?: number
  /** Threads one operator may use; 1. */
  readonly threads?: number
}

/** What was measured at a step, before and after the weights moved by δ. Norms are over all parameters together. */
export type DescentPoint = {
  readonly step: number
  readonly loss: number
  /** ‖g‖. */
  readonly gradient: number
  /** ‖Φg‖, the gradient without each unit's mean. */
  readonly centred: number
  /** ‖g(w + δ) − g(w)‖ ÷ ‖δ‖ on the step's own batch: how fast the gradient turns along the path. */
  readonly slopeChange: number
  /** The same of Φg. */
  readonly centredSlopeChange: number
  /** The greatest distance of a filter's (or dense unit's) mean weight from where it began. */
  readonly meanDrift: number
}

/**
 * Trains and looks at the loss on the way, for the claims of gradient centralization: that it makes gradients smaller and
 * the loss smoother (theorems 4.1 and 4.2), and leaves the mean of each filter where it was (§4.2, eq. 8).
 * Yong, Huang, Hua, Zhang: Gradient Centralization, ECCV 2020. The estimate along the path is that of Santurkar et al.: How
 * Does Batch Normalization Help Optimization?, NeurIPS 2018, §3.2, at one distance: the step that is taken.
 */
export const watchDescent = async (model: Model, options: DescentOptions): Promise<DescentPoint[]> => {
  const { runtime, data, recipe, batch = 50, steps, seed = 0, probeEvery = 5, threads = 1 } = options
  const input = inputOf(model)
  const feed = batches(data, { batch, shuffle: random(seed), dropLast: true })
  const next = () => {
    const { inputs, labels } = feed.next()
    return { inputs: { [input]: inputs }, targets: { labels } }
  }
  const engine = await openEngine(model, { runtime, threads }, next())
  try {
    const parameters = parametersOf(model.graph, engine.trainable).map((p) => ({
      ...p,
      values: engine.weights.get(p.name)!,
    }))
    const optimizer = recipe.start(parameters)
    const gradients = (): Slope[] =>
      parameters.map((parameter) => ({ whole: engine.gradients.get(parameter.name)!.slice(), parameter }))
    const began = parameters.map((p) => unitMeans(p))
    const points: DescentPoint[] = []
    for (let step = 1; step <= steps; step++) {
      const now = next()
      const { loss } = await engine.step(now)
      const probe = step % probeEvery === 0
      const [before, from] = probe ? [gradients(), parameters.map(({ values }) => values.slice())] : [[], []]
      optimizer.step(engine.gradients, { consume: true })
      if (!probe) continue
      await engine.step(now)
      const after = gradients()
      const moved = norm(parameters.map(({ values }, i) => minus(values, from[i]!)))
      const change = after.map(({ whole, parameter }, i) => ({ whole: minus(whole, before[i]!.whole), parameter }))
      points.push({
        step,
        loss,
        gradient: norm(before.map(({ whole }) => whole)),
        centred: norm(before.map(centred)),
        slopeChange: norm(change.map(({ whole }) => whole)) / moved,
        centredSlopeChange: norm(change.map(centred)) / moved,
        meanDrift: Math.max(0, ...parameters.map((p, i) => greatestDifference(unitMeans(p), began[i]!))),
      })
    }
    return points
  } finally {
    await engine.close()
  }
}

/** A parameter's gradient. */
type Slope = { readonly whole: Float32Array; readonly parameter: Parameter }

/** The mean of each output unit: of a filter, or of a dense unit's weights. */
const unitMeans = (p: Parameter, values: Float32Array = p.values): Float64Array => {
  const units = unitsOf(p)
  if (!units) return new Float64Array(0)
  return sumUnits(units, values, (value) => value).map((sum) => sum / (units.outer * units.inner))
}

/** Φ: each unit without its mean. */
const centred = ({ whole, parameter }: Slope): Float32Array => {
  const units = unitsOf(parameter)
  if (!units) return whole
  const means = unitMeans(parameter, whole)
  const result = whole.slice()
  eachRun(units, (unit, start, end) => {
    for (let i = start; i < end; i++) result[i]! -= means[unit]!
  })
  return result
}

const minus = (a: Float32Array, b: Float32Array): Float32Array => a.map((value, i) => value - b[i]!)

const norm = (parts: readonly Float32Array[]): number => {
  let sum = 0
  for (const part of parts) for (let i = 0; i < part.length; i++) sum += part[i]! ** 2
  return Math.sqrt(sum)
}

const greatestDifference = (a: Float64Array, b: Float64Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)
