import type { Recipe } from '../optimizer.ts'
import { recipeFor } from './sources.ts'
import type { Trace } from './trace.ts'

/** How far a replay is from a trace at one step: ‖p − ref‖ ÷ ‖ref‖ (‖p‖ where ref is zero). */
export type ReplayError = { readonly step: number; readonly parameter: string; readonly error: number }

export type Replay = {
  readonly errors: readonly ReplayError[]
  /** The same for the evaluation weights after the last step. */
  readonly evaluation: readonly { readonly parameter: string; readonly error: number }[]
  /** The largest of all. */
  readonly worst: number
}

/** Replays a trace with the optimizer its source and options name, or with a given one. */
export const replay = (trace: Trace, recipe: Recipe = recipeFor(trace.source, trace.options)): Replay => {
  const parameters = trace.parameters.map((p) => ({ ...p, values: p.values.slice() }))
  const running = recipe.start(parameters)
  const errors = trace.steps.flatMap(({ gradients, weights }, t) => {
    running.step(gradients)
    return parameters.flatMap(({ name, values }) => {
      const reference = weights.get(name)
      return reference ? [{ step: t + 1, parameter: name, error: relative(values, reference) }] : []
    })
  })
  const own = running.evaluationWeights()
  const evaluation = [...trace.evaluation].map(([parameter, reference]) => ({
    parameter,
    error: relative(own?.get(parameter) ?? new Float32Array(reference.length), reference),
  }))
  return { errors, evaluation, worst: Math.max(...[...errors, ...evaluation].map(({ error }) => error)) }
}

const relative = (values: Float32Array, reference: Float32Array): number => {
  let [difference, size] = [0, 0]
  for (let i = 0; i < reference.length; i++) {
    difference += (values[i]! - reference[i]!) ** 2
    size += reference[i]! ** 2
  }
  if (!Number.isFinite(difference)) return Number.POSITIVE_INFINITY
  return size > 0 ? Math.sqrt(difference / size) : Math.sqrt(difference)
}
