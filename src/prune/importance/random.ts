import { random } from '../../base/index.ts'
import type { Criterion } from './types.ts'

/** Chance: the baseline every criterion must beat. The same seed and group name give the same scores. */
export const randomCriterion = (seed = 0): Criterion => ({
  name: 'random',
  needs: 'weights',
  comparable: true,
  score: ({ group }) => {
    const dice = random(hash(group.name, seed))
    return Float64Array.from({ length: group.size }, dice.uniform)
  },
})

/** FNV-1a, 32 bits. */
const hash = (text: string, seed: number): number => {
  let h = (0x811c9dc5 ^ seed) >>> 0
  for (const character of text) h = Math.imul(h ^ character.codePointAt(0)!, 0x01000193) >>> 0
  return h
}
