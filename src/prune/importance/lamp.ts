import type { Criterion } from './types.ts'

/**
 * ‖w_u‖² ÷ Σ{‖w_v‖² : ‖w_v‖ ≥ ‖w_u‖} within the layer (Lee et al. 2021, "Layer-adaptive sparsity for the Magnitude-based
 * Pruning", §3.1, with whole units in place of single weights). The best unit of every layer scores 1, so a global
 * threshold below 1 empties no layer.
 */
export const lamp: Criterion = {
  name: 'lamp',
  needs: 'weights',
  comparable: true,
  score: ({ member }) => {
    const { squares } = member.moments()
    const descending = Array.from(squares.keys()).sort((a, b) => squares[b]! - squares[a]!)
    const score = new Float64Array(squares.length)
    let total = 0
    for (let i = 0; i < descending.length; ) {
      // Equal units share one denominator.
      let end = i
      while (end < descending.length && squares[descending[end]!] === squares[descending[i]!]) {
        total += squares[descending[end]!]!
        end++
      }
      for (; i < end; i++) score[descending[i]!] = total > 0 ? squares[descending[i]!]! / total : 0
    }
    return score
  },
}
