import { own } from '../base/index.ts'
import { type Model, modelChunks } from '../onnx/index.ts'
import { type AllocateOptions, type Allocation, allocate, rootsOf } from './allocate.ts'
import { Cut, cutInitializers } from './cut.ts'
import { type Criterion, type CriterionName, criterionOf } from './importance/index.ts'
import { applyPlan } from './surgery.ts'
import type { Analysis, Group, Plan, PlanGroup, PlanSource, Slices } from './types.ts'

export type PlanOptions = AllocateOptions & {
  /** A name or a criterion of one's own; 'l1' unless said. */
  criterion?: CriterionName | (string & {}) | Criterion
  /** For criteria that draw random numbers; 0 unless said. */
  seed?: number
  /** The file the model came from. */
  source?: PlanSource
}

/**
 * Decides which units of a model go.
 *
 * @param model where weights are read: the analysed model, or one with the same initializers trained further
 * @throws UsageError for a pattern that names nothing, a criterion there is not, or a target that cannot be reached
 */
export const planPruning = (model: Model, analysis: Analysis, options: PlanOptions): Plan => {
  const criterion = criterionOf(options.criterion ?? 'l1', options.seed)
  const { target, source } = options
  const planFor = (asked: PlanOptions): Plan =>
    planOf(analysis, allocate(model, analysis, criterion, asked), { criterion: criterion.name, source })
  if (target === undefined || !('bytes' in target) || !(target.bytes > 0)) return planFor(options)

  const goal = target.bytes <= 1 ? target.bytes * modelChunks(model).length : target.bytes
  let aim = goal
  for (;;) {
    const plan = planFor({ ...options, target: { bytes: aim } })
    // Only the finished file tells what its changed nodes and recorded shapes take.
    const over = modelChunks(applyPlan(model, plan, analysis)).length - goal
    if (over <= 0) return plan
    aim -= over
  }
}

/** The plan that removes given units. Groups not named lose nothing. */
export const planOf = (
  analysis: Analysis,
  allocation: Allocation,
  { criterion, source }: { criterion: string; source?: PlanSource | undefined },
): Plan => {
  const cut = new Cut(analysis.units, rootsOf(allocation))
  const { slices, copies, merged } = cutInitializers(analysis, cut)
  return {
    format: 'espalier-plan/1',
    source: source ?? { file: '', sha256: '' },
    criterion,
    groups: analysis.groups.map((group) => planGroup(group, allocation.get(group)?.length ?? 0, merged)),
    slices: Object.fromEntries([...slices].map(([name, cuts]) => [name, Object.fromEntries(cuts)])),
    frozen: analysis.frozen,
    copies: Object.fromEntries(copies),
  }
}

const planGroup = (group: Group, removed: number, merged: ReadonlyMap<string, string>): PlanGroup => {
  const members = group.members.map(({ initializer, axis }) => ({
    initializer: merged.get(initializer) ?? initializer,
    axis,
  }))
  return {
    name: group.name,
    size: group.size,
    kept: group.size - removed,
    exact: group.approximate === undefined,
    members: [...new Map(members.map((member) => [`${member.axis} ${member.initializer}`, member])).values()],
  }
}

/**
 * The plan that does what two plans do one after the other: `second` was made for the result of `first`. Its indices, and
 * its source, are those of the original.
 */
export const composePlans = (first: Plan, second: Plan): Plan => {
  const copies = new Map(Object.entries(first.copies))
  for (const [copy, shared] of Object.entries(second.copies)) copies.set(copy, own(first.copies, shared) ?? shared)

  const slices = new Map<string, Slices[string]>()
  for (const name of new Set([
    ...Object.keys(first.slices),
    ...Object.keys(second.slices),
    ...Object.keys(second.copies),
  ])) {
    const before = own(first.slices, name) ?? own(first.slices, own(second.copies, name) ?? name) ?? {}
    const after = own(second.slices, name) ?? {}
    const composed: Record<string, readonly number[]> = { ...before }
    for (const [axis, kept] of Object.entries(after)) composed[axis] = kept.map((i) => before[axis]?.[i] ?? i)
    if (Object.keys(composed).length > 0) slices.set(name, composed)
  }
  const later = new Map(second.groups.map((group) => [group.name, group]))
  return {
    ...first,
    criterion: first.criterion === second.criterion ? first.criterion : `${first.criterion}, ${second.criterion}`,
    groups: first.groups.map((group) => {
      const next = later.get(group.name)
      return next ? { ...group, kept: next.kept, exact: group.exact && next.exact } : group
    }),
    slices: Object.fromEntries(slices),
    copies: Object.fromEntries(copies),
  }
}
