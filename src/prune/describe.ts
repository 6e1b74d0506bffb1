import type { Model } from '../onnx/index.ts'
import { costEvaluator } from './cost.ts'
import { type Criterion, type CriterionName, criterionOf, type ScoreOptions, scoreGroup } from './importance/index.ts'
import { removedRoots } from './surgery.ts'
import type { Analysis, Group, Member, Plan } from './types.ts'
import { widthCosts } from './width-cost.ts'

/** What a plan does to a group, as a person wants to see it. */
export type GroupReport = {
  readonly name: string
  readonly size: number
  readonly kept: number
  /** Why removing units is not the same as masking them; absent for exact groups. */
  readonly approximate?: string
  readonly members: readonly Pick<Member, 'initializer' | 'axis' | 'role' | 'node' | 'operator' | 'perUnit'>[]
  /** The highest score that goes and the lowest that stays; absent where nothing goes. */
  readonly cut?: { readonly goes: number; readonly stays: number }
  /** Multiply–accumulates saved, the groups taken in their order: the figures of all groups add up to what the plan saves. */
  readonly macsSaved: number
}

export type DescribeOptions = ScoreOptions & {
  /** What the units were judged by; 'l1' unless said. */
  criterion?: CriterionName | (string & {}) | Criterion
  /** For criteria that draw random numbers; 0 unless said. */
  seed?: number
}

/**
 * A plan group by group.
 *
 * @param model where weights are read: the analysed model, or one with the same initializers
 */
export const describePlan = (
  model: Model,
  analysis: Analysis,
  plan: Plan,
  { criterion = 'l1', seed, ...scoring }: DescribeOptions = {},
): GroupReport[] => {
  const judge = criterionOf(criterion, seed)
  const { groups } = analysis
  const removed = removedRoots(analysis, plan)
  const gone = groups.map(({ roots }) => [...roots.keys()].filter((unit) => removed.has(roots[unit]!)))
  const macsOf = macsByGroups(analysis, gone)
  return groups.map((group, g): GroupReport => {
    const { name, size, approximate } = group
    return {
      name,
      size,
      kept: size - gone[g]!.length,
      ...(approximate !== undefined && { approximate }),
      members: group.members.map(({ initializer, axis, role, node, operator, perUnit }) => ({
        initializer,
        axis,
        role,
        node,
        operator,
        perUnit,
      })),
      ...(gone[g]!.length > 0 && { cut: cutOf(group, gone[g]!, scoreGroup(model, analysis, group, judge, scoring)) }),
      macsSaved: macsOf(g) - macsOf(g + 1),
    }
  })
}

const cutOf = ({ size }: Group, gone: readonly number[], scores: Float64Array) => {
  const away = new Set(gone)
  let [goes, stays] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let unit = 0; unit < size; unit++)
    if (away.has(unit)) goes = Math.max(goes, scores[unit]!)
    else stays = Math.min(stays, scores[unit]!)
  return { goes, stays }
}

/** The MACs when the first so many groups have lost what they lose. */
const macsByGroups = (analysis: Analysis, gone: readonly (readonly number[])[]): ((first: number) => number) => {
  const { groups } = analysis
  const byWidth = widthCosts(analysis, groups)
  if (byWidth) return (first) => byWidth(gone.map((units, g) => (g < first ? units.length : 0))).macs
  const byUnits = costEvaluator(analysis)
  return (first) =>
    byUnits(gone.slice(0, first).flatMap((units, g) => units.map((unit) => groups[g]!.roots[unit]!))).macs
}
