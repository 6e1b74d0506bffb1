import type { Model } from '../onnx/index.ts'
import { type AnalyzeOptions, analyzeModel } from './analyze.ts'
import { type PlanOptions, planPruning } from './plan.ts'
import { applyPlan } from './surgery.ts'
import type { Analysis, Plan } from './types.ts'

export type PruneOptions = AnalyzeOptions & PlanOptions

export type Pruned = { readonly model: Model; readonly plan: Plan; readonly analysis: Analysis }

/** Analyses, plans and cuts in one go: `await pruneModel(model, { runtime, target: { ratio: 0.5 } })`. */
export const pruneModel = async (model: Model, options: PruneOptions): Promise<Pruned> => {
  const analysis = await analyzeModel(model, options)
  const plan = planPruning(model, analysis, options)
  return { model: applyPlan(model, plan, analysis, options.onEvent), plan, analysis }
}
