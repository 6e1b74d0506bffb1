import type { Cost, Target } from '../prune/index.ts'

/**
 * How the share that is gone grows from round to round, with s the share in the end and t of n rounds done:
 * 'one-shot' s at once, rounds after the first only retrain; 'geometric' 1 − (1 − s)^(t/n), the same share of what is left in
 * every round; 'linear' s·t/n; 'agp' s·(1 − (1 − t/n)³), much at first and little at last (Zhu and Gupta 2017, "To prune, or
 * not to prune", eq. 1 from a dense start).
 */
export type PruneSchedule = 'one-shot' | 'geometric' | 'linear' | 'agp'

/** The share gone after a part of the way to `share`. */
export const shareAfter: Record<PruneSchedule, (share: number, part: number) => number> = {
  'one-shot': (share) => share,
  geometric: (share, part) => (part === 1 ? share : 1 - (1 - share) ** part),
  linear: (share, part) => share * part,
  agp: (share, part) => share * (1 - (1 - part) ** 3),
}

/** The target after a part of the way: a ratio, or a cost between the original's and the goal. */
export const targetAfter = (
  target: Target,
  whole: Pick<Cost, 'macs' | 'parameters' | 'bytes'>,
  schedule: PruneSchedule,
  part: number,
): Target => {
  if ('ratio' in target) return { ratio: shareAfter[schedule](target.ratio, part) }
  const towards = (asked: number, from: number) => {
    const goal = asked <= 1 ? asked * from : asked
    return part === 1 ? goal : from * (1 - shareAfter[schedule](1 - goal / from, part))
  }
  if ('macs' in target) return { macs: towards(target.macs, whole.macs) }
  if ('params' in target) return { params: towards(target.params, whole.parameters) }
  return { bytes: towards(target.bytes, whole.bytes) }
}
