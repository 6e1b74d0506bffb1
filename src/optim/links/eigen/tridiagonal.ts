import { dot, f, hypot, length, signed, symmetricTimes } from './float32.ts'

/** A symmetric matrix as QTQᵀ with T tridiagonal. */
export type Tridiagonal = {
  readonly diagonal: Float32Array
  /** T's elements beside the diagonal, and a 0. */
  readonly beside: Float32Array
  /** Q = H₀H₁… with Hⱼ = I − scale·v vᵀ, v of the coordinates from j + 1 on. */
  readonly reflections: readonly { readonly v: Float32Array; readonly scale: number }[]
}

/**
 * Makes a symmetric matrix tridiagonal by Householder reflections, column by column from the first, using its lower
 * triangle. Golub and Van Loan: Matrix Computations, §8.3.1.
 */
export const tridiagonal = (symmetric: Float32Array, n: number): Tridiagonal => {
  const a = symmetric.slice()
  const diagonal = new Float32Array(n)
  const beside = new Float32Array(n)
  const reflections: { v: Float32Array; scale: number }[] = []
  for (let j = 0; j < n - 1; j++) {
    const column = Float32Array.from({ length: n - 1 - j }, (_, i) => a[(j + 1 + i) * n + j]!)
    const { v, scale, first } = reflection(column)
    beside[j] = first
    if (scale !== 0) reflect(a, n, j + 1, v, scale)
    diagonal[j] = a[j * n + j]!
    reflections.push({ v, scale })
  }
  diagonal[n - 1] = a[n * n - 1]!
  return { diagonal, beside, reflections }
}

/** The reflection that takes a vector to (first, 0, 0, …); v begins with 1. */
const reflection = (x: Float32Array): { v: Float32Array; scale: number; first: number } => {
  const alpha = x[0]!
  const rest = length(x.subarray(1))
  if (rest === 0) return { v: x.map((_, i) => (i === 0 ? 1 : 0)), scale: 0, first: alpha }
  const first = -signed(hypot(alpha, rest), alpha)
  const shrink = f(1 / f(alpha - first))
  const v = x.map((value, i) => (i === 0 ? 1 : f(value * shrink)))
  return { v, scale: f(f(first - alpha) / first), first }
}

/** A ← HAH from row and column `from` on, as A − v wᵀ − w vᵀ with w = p − ½·scale·⟨p, v⟩·v and p = scale·A·v. */
const reflect = (a: Float32Array, n: number, from: number, v: Float32Array, scale: number): void => {
  const w = symmetricTimes(a, n, from, v).map((x) => f(scale * x))
  const back = f(f(-0.5 * scale) * dot(w, v))
  for (let i = 0; i < w.length; i++) w[i] = f(w[i]! + f(back * v[i]!))
  for (let j = 0; j < v.length; j++)
    for (let i = j; i < v.length; i++) {
      const at = (from + i) * n + from + j
      a[at] = f(f(a[at]! - f(v[j]! * w[i]!)) - f(w[j]! * v[i]!))
    }
}

/** Q·z for the columns of z. */
export const turnBack = ({ reflections }: Tridiagonal, z: Float32Array, n: number): void => {
  for (let j = reflections.length - 1; j >= 0; j--) {
    const { v, scale } = reflections[j]!
    if (scale === 0) continue
    for (let column = 0; column < n; column++) {
      let sum = 0
      for (let i = 0; i < v.length; i++) sum += v[i]! * z[(j + 1 + i) * n + column]!
      for (let i = 0; i < v.length; i++) z[(j + 1 + i) * n + column]! -= scale * sum * v[i]!
    }
  }
}
