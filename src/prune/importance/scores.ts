import { type Tensor, UsageError } from '../../base/index.ts'
import type { Model } from '../../onnx/index.ts'
import type { Analysis, Group } from '../types.ts'
import { storedWeights } from './stored.ts'
import type { Criterion, MemberWeights } from './types.ts'
import { isFloating, memberWeights } from './weights.ts'

/**
 * Which members a group's score is taken from: 'first' the layer that comes first of those that produce the units,
 * 'sum' | 'mean' | 'max' over every layer that produces them (a residual stream has several).
 */
export type Reduction = 'first' | 'sum' | 'mean' | 'max'

/** What a group's scores are divided by, so that layers can be compared: nothing, or their mean, maximum, sum or l2 norm. */
export type Normalization = 'none' | 'mean' | 'max' | 'sum' | 'l2'

export type ScoreOptions = {
  /** Default 'first'. */
  reduction?: Reduction
  /** Default 'none'. */
  normalize?: Normalization
}

/**
 * One score per unit of a group.
 *
 * @param model where the weights are read, so that one analysis serves a model whose weights move on
 */
export const scoreGroup = (
  model: Model,
  analysis: Analysis,
  group: Group,
  criterion: Criterion,
  { reduction = 'first', normalize = 'none' }: ScoreOptions = {},
): Float64Array => {
  const members = group.members.flatMap((member) => {
    const tensor = realWeightOf(model, analysis, member.initializer)
    return tensor && isFloating(tensor) ? [{ member, weights: memberWeights(group, member, tensor) }] : []
  })
  const producing = members.filter(({ member }) => member.role === 'produces')
  const scored = (producing.length > 0 ? producing : members).map(({ weights }) => weights)
  if (scored.length === 0)
    throw new UsageError(`group '${group.name}' has no floating-point weights to score`, {
      remedy: 'leave it out with `keep`',
    })
  const all = members.map(({ weights }) => weights)
  const ask = (member: MemberWeights) => {
    const scores = normalized(criterion.score({ group, member, members: all }), normalize)
    if (scores.some(Number.isNaN))
      throw new UsageError(`criterion ${criterion.name} gives no number for a unit of group '${group.name}'`, {
        remedy: `check the weights of '${member.initializer}' for NaN`,
      })
    return scores
  }
  if (reduction === 'first') return ask(scored[0]!)
  const asked = scored.map(ask)
  return Float64Array.from({ length: group.size }, (_, unit) => reduce[reduction](asked.map((scores) => scores[unit]!)))
}

const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0)

const reduce: Record<Exclude<Reduction, 'first'>, (values: readonly number[]) => number> = {
  sum: total,
  mean: (values) => total(values) / values.length,
  max: (values) => Math.max(...values),
}

const norms: Record<Normalization, (scores: Float64Array) => number> = {
  none: () => 1,
  mean: (scores) => scores.reduce((sum, s) => sum + Math.abs(s), 0) / scores.length,
  max: (scores) => scores.reduce((most, s) => Math.max(most, Math.abs(s)), 0),
  sum: (scores) => scores.reduce((sum, s) => sum + Math.abs(s), 0),
  l2: (scores) => Math.sqrt(scores.reduce((sum, s) => sum + s * s, 0)),
}

const normalized = (scores: Float64Array, by: Normalization): Float64Array => {
  const norm = norms[by](scores)
  return norm === 1 || norm === 0 ? scores : scores.map((score) => score / norm)
}

/** An initializer by the name the analysis gives it: a split copy is read from the one it was split from. */
export const weightOf = (model: Model, analysis: Analysis, name: string): Tensor | undefined =>
  model.graph.initializers.get(name) ??
  model.graph.initializers.get(analysis.copies.get(name) ?? name) ??
  analysis.model.graph.initializers.get(name)

/** The same as real numbers: a quantized initializer as what its readers make of it. */
const realWeightOf = (model: Model, analysis: Analysis, name: string): Tensor | undefined => {
  const tensor = weightOf(model, analysis, name)
  if (!tensor || isFloating(tensor)) return tensor
  for (const node of analysis.model.graph.nodes) {
    if (!node.inputs.includes(name)) continue
    if (node.opType === 'DequantizeLinear' && node.inputs[0] === name)
      return analysis.constant(node.outputs[0] ?? '') ?? tensor
    const real = storedWeights(node, name, tensor, analysis.constant)
    if (real) return real
  }
  return tensor
}
