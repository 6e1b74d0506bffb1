import type { Criterion, MemberWeights } from './types.ts'

// Criteria of each kernel's own weights w, n of them. Taken on one layer they need no data and no gradients.

const criterion = (name: string, score: (member: MemberWeights) => Float64Array): Criterion => ({
  name,
  needs: 'weights',
  score: ({ member }) => score(member),
})

/** The signed sum Σw: kernels that mostly subtract go first. What the article's example sorts by. */
export const sum = criterion('sum', (m) => m.moments().sum)

/** Σ|w| (Li et al. 2017, "Pruning Filters for Efficient ConvNets", §3.1). */
export const l1 = criterion('l1', (m) => m.moments().absolute)

/** √Σw². */
export const l2 = criterion('l2', (m) => m.moments().squares.map(Math.sqrt))

/** The signed mean Σw ÷ n. */
export const mean = criterion('mean', (m) => m.moments().sum.map((sum) => sum / m.width))

/** The standard deviation √(Σ(w − w̄)² ÷ n), numpy's `std`: a kernel that is flat everywhere answers to no pattern. */
export const std = criterion('std', (m) => {
  const { sum } = m.moments()
  // Two passes: Σw² − n·w̄² would cancel for kernels far from zero.
  const rows = m.rows()
  return sum.map((total, unit) => {
    const average = total / m.width
    let spread = 0
    for (let i = unit * m.width; i < (unit + 1) * m.width; i++) spread += (rows[i]! - average) ** 2
    return Math.sqrt(spread / m.width)
  })
})
