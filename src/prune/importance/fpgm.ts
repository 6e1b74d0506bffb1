import type { Criterion } from './types.ts'

/**
 * Σ_j ‖F_i − F_j‖₂ over the layer's other filters, signs kept: the filters nearest to all the others, and so to their
 * geometric median, can best be replaced by them (He et al. 2019, "Filter Pruning via Geometric Median", §3.3).
 * Takes time quadratic in the number of units.
 */
export const fpgm: Criterion = {
  name: 'fpgm',
  needs: 'weights',
  score: ({ group, member }) => {
    const { width } = member
    const rows = member.rows()
    const score = new Float64Array(group.size)
    for (let a = 0; a < group.size; a++)
      for (let b = a + 1; b < group.size; b++) {
        let squares = 0
        for (let i = 0; i < width; i++) squares += (rows[a * width + i]! - rows[b * width + i]!) ** 2
        const distance = Math.sqrt(squares)
        score[a]! += distance
        score[b]! += distance
      }
    return score
  },
}
