export { type AbsorbOptions, type Absorption, absorbConstants } from './absorb.ts'
export type { AllocateOptions, Allocation, Target } from './allocate.ts'
export { type AnalyzeOptions, analyzeModel } from './analyze.ts'
export type { Heads } from './choices.ts'
export { type Cost, costOf, inferredWork, prunableMacs, storedCost } from './cost.ts'
export { type DescribeOptions, describePlan, type GroupReport } from './describe.ts'
export { fedInputs, type SampleOptions, sampleInputs } from './feeds.ts'
export * from './importance/index.ts'
export { goalOf, type Latency, type LatencyTarget, latenciesOf, planForLatency } from './latency.ts'
export { maskModel } from './mask.ts'
export { matches } from './patterns.ts'
export { composePlans, type PlanOptions, planOf, planPruning } from './plan.ts'
export { parsePlan, serializePlan, sourceOf } from './plan-file.ts'
export { producerSlices } from './producers.ts'
export { type Pruned, type PruneOptions, pruneModel } from './prune.ts'
export type { RankOptions, Scope } from './rank.ts'
export type { RoundOptions } from './round.ts'
export { zeroSlices } from './slice.ts'
export { applyPlan, sliceByPlan } from './surgery.ts'
export type * from './types.ts'
export {
  differenceOf,
  type OutputDifference,
  shortfallOf,
  type Verification,
  type VerifyOptions,
  verifyPlan,
} from './verify.ts'
