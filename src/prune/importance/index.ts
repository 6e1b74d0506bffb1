import { UsageError } from '../../base/index.ts'
import { bnGamma } from './bn-gamma.ts'
import { fpgm } from './fpgm.ts'
import { lamp } from './lamp.ts'
import { l1, l2, mean, std, sum } from './magnitude.ts'
import { randomCriterion } from './random.ts'
import type { Criterion } from './types.ts'

export * from './scores.ts'
export * from './statistics.ts'
export type * from './types.ts'
export { bnGamma, fpgm, l1, l2, lamp, mean, randomCriterion, std, sum }

/** The criteria by name, each made with a seed (only 'random' uses it). */
export const criteria = {
  sum: () => sum,
  l1: () => l1,
  l2: () => l2,
  mean: () => mean,
  std: () => std,
  fpgm: () => fpgm,
  lamp: () => lamp,
  'bn-gamma': () => bnGamma,
  random: randomCriterion,
} satisfies Record<string, (seed: number) => Criterion>

export type CriterionName = keyof typeof criteria

const isCriterionName = (name: string): name is CriterionName => Object.hasOwn(criteria, name)

/** @throws UsageError naming the criteria there are */
export const criterionOf = (criterion: string | Criterion, seed = 0): Criterion => {
  if (typeof criterion !== 'string') return criterion
  if (!isCriterionName(criterion))
    throw new UsageError(`there is no criterion '${criterion}'`, {
      remedy: `use one of ${Object.keys(criteria).join(', ')}`,
    })
  return criteria[criterion](seed)
}
