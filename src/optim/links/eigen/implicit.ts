import { EspalierError } from '../../../base/index.ts'
import { f, hypot, signed } from './float32.ts'

const unit = 2 ** -24
const least = 2 ** -126
/** A block whose largest number is below this is scaled up to it: squares of what is negligible in it must be numbers too. */
const small = f(f(Math.sqrt(least)) / f(unit * unit))
/** Iterations for each eigenvalue; two or three suffice. */
const patience = 30

/**
 * Eigenvalues and eigenvectors of a tridiagonal matrix by QL or QR iteration with implicit shifts, whichever works from the
 * small end towards the large. `d` becomes the eigenvalues, `e` (beside the diagonal) is used up, and z ← z·(eigenvectors as
 * columns). Golub and Van Loan: Matrix Computations, §8.3.3; Wilkinson's shift.
 */
export const diagonalize = (d: Float32Array, e: Float32Array, z: Float32Array, n: number): void => {
  let left = patience * n
  for (let start = 0; start < n; ) {
    if (start > 0) e[start - 1] = 0
    let end = start
    // A block ends where two neighbours are coupled by less than rounding.
    while (end < n - 1) {
      const coupling = Math.abs(e[end]!)
      if (coupling === 0) break
      if (coupling <= f(f(f(Math.sqrt(Math.abs(d[end]!))) * f(Math.sqrt(Math.abs(d[end + 1]!)))) * unit)) {
        e[end] = 0
        break
      }
      end++
    }
    const largest = Math.max(...d.subarray(start, end + 1).map(Math.abs), ...e.subarray(start, end).map(Math.abs))
    const scaled = end > start && largest > 0 && largest < small
    if (scaled) scaleBlock(d, e, start, end, f(small / largest))
    left = solve(d, e, z, n, start, end, left)
    if (scaled) scaleBlock(d, e, start, end, f(largest / small))
    if (!(left >= 0)) throw new EspalierError(`eigenvalues do not converge in ${patience * n} iterations`)
    start = end + 1
  }
}

const scaleBlock = (d: Float32Array, e: Float32Array, start: number, end: number, factor: number): void => {
  for (let i = start; i <= end; i++) d[i] = f(d[i]! * factor)
  for (let i = start; i < end; i++) e[i] = f(e[i]! * factor)
}

/**
 * One block. Seen from its small end: position k of the block stands at `at(k)`, the coupling of k and k + 1 at `beside(k)`.
 * Gives what is left of the iterations, less than none when they did not suffice.
 */
const solve = (
  d: Float32Array,
  e: Float32Array,
  z: Float32Array,
  n: number,
  start: number,
  end: number,
  left: number,
): number => {
  const size = end - start + 1
  const backwards = Math.abs(d[end]!) < Math.abs(d[start]!)
  const at = (k: number) => (backwards ? end - k : start + k)
  const beside = (k: number) => (backwards ? end - k - 1 : start + k)
  const negligible = (k: number) => {
    const coupling = f(e[beside(k)]! * e[beside(k)]!)
    return coupling <= f(f(f(f(unit * unit) * Math.abs(d[at(k)]!)) * Math.abs(d[at(k + 1)]!)) + least)
  }
  for (let k = 0; k < size; ) {
    let m = k
    while (m < size - 1 && !negligible(m)) m++
    if (m < size - 1) e[beside(m)] = 0
    if (m === k) k++
    else if (m === k + 1) {
      solvePair(d, e, z, n, Math.min(at(k), at(m)))
      k += 2
    } else {
      if (--left < 0) return left
      for (const { low, c, s } of sweep(d, e, k, m, at, beside))
        rotateColumns(z, n, backwards ? at(low + 1) : at(low), c, backwards ? s : -s)
    }
  }
  return left
}

type Turn = { readonly low: number; readonly c: number; readonly s: number }

/** One implicit step: rotations from the far end m towards k, chasing the bulge that the shift makes. */
const sweep = (
  d: Float32Array,
  e: Float32Array,
  k: number,
  m: number,
  at: (k: number) => number,
  beside: (k: number) => number,
): Turn[] => {
  const first = d[at(k)]!
  const coupling = e[beside(k)]!
  const half = f(f(d[at(k + 1)]! - first) / f(2 * coupling))
  let g = f(f(d[at(m)]! - first) + f(coupling / f(half + signed(hypot(half, 1), half))))
  let [s, c, p] = [1, 1, 0]
  const turns: Turn[] = []
  for (let i = m - 1; i >= k; i--) {
    const bulge = f(s * e[beside(i)]!)
    const b = f(c * e[beside(i)]!)
    const turn = givens(g, bulge)
    ;[c, s] = [turn.c, turn.s]
    if (i !== m - 1) e[beside(i + 1)] = turn.r
    g = f(d[at(i + 1)]! - p)
    const r = f(f(f(d[at(i)]! - g) * s) + f(f(2 * c) * b))
    p = f(s * r)
    d[at(i + 1)] = f(g + p)
    g = f(f(c * r) - b)
    turns.push({ low: i, c, s })
  }
  d[at(k)] = f(d[at(k)]! - p)
  e[beside(k)] = g
  return turns
}

/** The rotation that takes (x, y) to (r, 0). */
const givens = (x: number, y: number): { c: number; s: number; r: number } => {
  if (y === 0) return { c: 1, s: 0, r: x }
  if (x === 0) return { c: 0, s: signed(1, y), r: Math.abs(y) }
  const r = signed(f(Math.sqrt(f(f(x * x) + f(y * y)))), x)
  if (Math.abs(r) > 1e-15 && Math.abs(r) < 1e15) return { c: f(Math.abs(x) / Math.abs(r)), s: f(y / r), r }
  // Squares would leave float32's range: in double.
  const exact = signed(Math.hypot(x, y), x)
  return { c: f(Math.abs(x / exact)), s: f(y / exact), r: f(exact) }
}

/** The eigenvalues of [[a, b], [b, c]] at `low` and the next, the larger first. */
const solvePair = (d: Float32Array, e: Float32Array, z: Float32Array, n: number, low: number): void => {
  const [a, b, c] = [d[low]!, e[low]!, d[low + 1]!]
  const { large, small, cosine, sine } = eigenPair(a, b, c)
  rotateColumns(z, n, low, cosine, sine)
  d[low] = large
  d[low + 1] = small
  e[low] = 0
}

const eigenPair = (a: number, b: number, c: number) => {
  const [sum, difference] = [f(a + c), f(a - c)]
  const [gap, twice] = [Math.abs(difference), Math.abs(f(b + b))]
  const [most, other] = Math.abs(a) > Math.abs(c) ? [a, c] : [c, a]
  const ratio = gap > twice ? f(twice / gap) : f(gap / twice)
  const root =
    gap === twice ? f(twice * f(Math.sqrt(2))) : f(Math.max(gap, twice) * f(Math.sqrt(f(1 + f(ratio * ratio)))))
  const across = (large: number) => f(f(f(most / large) * other) - f(f(b / large) * b))
  const sign = sum < 0 ? -1 : 1
  const large = sum === 0 ? f(0.5 * root) : f(0.5 * f(sum + sign * root))
  const small = sum === 0 ? f(-0.5 * root) : across(large)
  const up = difference >= 0 ? 1 : -1
  const cs = f(difference + up * root)
  let [cosine, sine] = [1, 0]
  if (Math.abs(cs) > twice) {
    const ct = f(f(-f(b + b)) / cs)
    sine = f(1 / f(Math.sqrt(f(1 + f(ct * ct)))))
    cosine = f(ct * sine)
  } else if (twice !== 0) {
    const tn = f(-cs / f(b + b))
    cosine = f(1 / f(Math.sqrt(f(1 + f(tn * tn)))))
    sine = f(tn * cosine)
  }
  return sign === up ? { large, small, cosine: -sine, sine: cosine } : { large, small, cosine, sine }
}

/** Columns k and k + 1 of z times [[c, −s], [s, c]]. */
const rotateColumns = (z: Float32Array, n: number, k: number, c: number, s: number): void => {
  if (c === 1 && s === 0) return
  for (let row = 0; row < n; row++) {
    const at = row * n + k
    const [x, y] = [z[at]!, z[at + 1]!]
    z[at + 1] = f(f(c * y) - f(s * x))
    z[at] = f(f(s * y) + f(c * x))
  }
}
