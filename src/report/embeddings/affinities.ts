/**
 * The conditional similarities p_{j|i} = exp(−β d_j) / Σ_k exp(−β d_k) of one point to others at squared distances d,
 * with β = 1/2σ² such that their perplexity exp(H), H = −Σ p log p, is the one asked for (van der Maaten and Hinton
 * 2008, §2). H falls as β grows, dH/dβ = −β Var(d), so β is found by Newton's steps, and by bisection where one would
 * leave the bracket. Entry `skip` (the point itself) gets 0.
 *
 * @returns the perplexity reached: the wanted one, unless too many points lie at the same distance.
 */
export const conditionalSimilarities = (
  distances: Float64Array,
  perplexity: number,
  out: Float64Array,
  skip = -1,
): number => {
  const n = distances.length
  const target = Math.log(perplexity)
  let nearest = Number.POSITIVE_INFINITY
  let mean = 0
  for (let j = 0; j < n; j++) {
    if (j === skip) continue
    nearest = Math.min(nearest, distances[j]!)
    mean += distances[j]! / n
  }

  let low = 0
  let high = Number.POSITIVE_INFINITY
  // Distances have any scale; the mean one is the natural unit to start from.
  let beta = mean > nearest ? 1 / (mean - nearest) : 1
  let entropy = 0
  for (let step = 0; step < 200; step++) {
    let sum = 0
    let weighted = 0
    let squares = 0
    for (let j = 0; j < n; j++) {
      if (j === skip) {
        out[j] = 0
        continue
      }
      const d = distances[j]! - nearest
      const p = Math.exp(-beta * d)
      out[j] = p
      sum += p
      weighted += p * d
      squares += p * d * d
    }
    // H = log Σ exp(−βd) + β Σ p d
    entropy = Math.log(sum) + (beta * weighted) / sum
    for (let j = 0; j < n; j++) out[j]! /= sum
    if (Math.abs(entropy - target) < 1e-10) break
    if (entropy > target) low = beta
    else high = beta
    const spread = squares / sum - (weighted / sum) ** 2
    const newton = beta + (entropy - target) / (beta * spread)
    if (newton > low && newton < high && newton < 4 * beta) beta = newton
    else beta = high === Number.POSITIVE_INFINITY ? beta * 2 : (low + high) / 2
  }
  return Math.exp(entropy)
}
