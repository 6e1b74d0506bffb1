import type { Link, Parameter, SlotShape, Slots } from '../types.ts'
import { eigenvectors } from './eigen/index.ts'
import { multiply, orthogonalFactor, selectColumns } from './linear-algebra.ts'
import { type Betas, checkBetas, checkEps } from './moments.ts'

export type SoapScalingOptions = {
  /** [0.95, 0.95]. */
  betas?: Betas
  /** 1e-8. */
  eps?: number
  /** Decay rate of the covariances; β₂. */
  covarianceBeta?: number
  /** Steps between updates of the bases; 10. */
  frequency?: number
  /** Longest axis that gets a basis; 10 000. */
  longest?: number
  /** Vectors get a basis too; false. */
  vectors?: boolean
  /** Treat neighbouring axes whose product is at most `longest` as one; false. */
  mergeAxes?: boolean
  /** Adam's bias correction; true. */
  correct?: boolean
  /** Divide the direction by its root mean square; false. */
  normalize?: boolean
}

type State = Slots & { momentum: Float32Array; variance: Float32Array }

/**
 * SOAP: Adam in the eigenbases of Shampoo's covariances. For each axis a covariance L ← βL + (1−β)·G Gᵀ (G unfolded along
 * it) and a basis Q of its eigenvectors, refreshed now and then by one step of orthogonal iteration, QR(LQ). The gradient
 * and the momentum are turned into the bases, Adam divides there, and the result is turned back. The first step only
 * starts the covariances. Vyas et al.: SOAP: Improving and Stabilizing Shampoo using Adam, ICLR 2025, algorithm 3.
 */
export const soapScaling = (o: SoapScalingOptions = {}): Link<State> => {
  const { eps = 1e-8, frequency = 10, longest = 10_000, vectors = false, mergeAxes = false } = o
  const { correct = true, normalize = false } = o
  const [beta1, beta2] = checkBetas('soap', o.betas ?? ([0.95, 0.95] as const))
  checkEps('soap', eps)
  const keep = o.covarianceBeta ?? beta2
  const dimsOf = ({ dims }: Parameter) => (mergeAxes && dims.length > 1 ? merged(dims, longest) : dims)
  /** The axes that have a basis. */
  const axesOf = (dims: readonly number[]) =>
    dims.flatMap((d, axis) => (d <= longest && (dims.length > 1 || vectors) ? [axis] : []))

  return {
    name: 'soap',
    init: (p, fresh) => {
      const dims = dimsOf(p)
      const own = axesOf(dims).flatMap((axis): [string, Float32Array][] => {
        const size = (dims[axis] ?? 1) ** 2
        return [
          [`covariance${axis}`, new Float32Array(size)],
          [`basis${axis}`, new Float32Array(size)],
        ]
      })
      return { momentum: fresh(p), variance: fresh(p), ...Object.fromEntries(own) }
    },
    shapes: (p) => {
      const dims = dimsOf(p)
      const follows = (axis: number) => (dims.length === p.dims.length ? axis : null)
      const entries = axesOf(dims).flatMap((axis): [string, SlotShape][] => {
        const size = [dims[axis] ?? 1, dims[axis] ?? 1]
        return [
          [`covariance${axis}`, { dims: size, axes: [follows(axis), follows(axis)], remade: mergeAxes }],
          [`basis${axis}`, { dims: size, axes: [null, null], remade: true }],
        ]
      })
      // The squares are those of the turned gradient: they mean nothing in another basis.
      const turned =
        entries.length > 0 ? { variance: { dims: p.dims, axes: p.dims.map((_, i) => i), remade: true } } : {}
      return { ...Object.fromEntries(entries), ...turned }
    },
    update(site, slots) {
      const { update: u, parameter, step } = site
      const dims = dimsOf(parameter)
      const bases = axesOf(dims).map((axis) => ({ axis, ...matrices(slots, axis), n: dims[axis] ?? 1 }))
      const gradient = Float64Array.from(u)
      if (step === 1) {
        learn(bases, gradient, dims, keep)
        for (const { covariance, basis, n } of bases) basis.set(eigenvectors(covariance, n))
        u.fill(0)
        site.idle = true
        return
      }
      const { momentum: m, variance: v } = slots
      // After pruning there is no basis: begin again from the covariances.
      const anew = bases.filter(({ basis }) => basis.every((x) => x === 0))
      for (const { covariance, basis, n } of anew) basis.set(eigenvectors(covariance, n))

      const turned = turn(gradient, dims, bases, 'forward')
      for (let i = 0; i < u.length; i++) {
        m[i] = beta1 * m[i]! + (1 - beta1) * u[i]!
        v[i] = anew.length > 0 ? turned[i]! ** 2 : beta2 * v[i]! + (1 - beta2) * turned[i]! ** 2
      }
      const direction = turn(Float64Array.from(m), dims, bases, 'forward')
      for (let i = 0; i < u.length; i++) direction[i]! /= Math.sqrt(v[i]!) + eps
      const back = turn(direction, dims, bases, 'backward')
      site.stepSize = correct ? Math.sqrt(1 - beta2 ** step) / (1 - beta1 ** step) : 1
      const size = normalize ? site.stepSize / (rms(back) + eps) : site.stepSize
      for (let i = 0; i < u.length; i++) u[i] = size * back[i]!

      learn(bases, gradient, dims, keep)
      if (step % frequency === 0) for (const base of bases) refresh(base, v, dims)
    },
  }
}

type Base = { axis: number; covariance: Float32Array; basis: Float32Array; n: number }

const matrices = (slots: Slots, axis: number): { covariance: Float32Array; basis: Float32Array } => {
  const [covariance, basis] = [slots[`covariance${axis}`], slots[`basis${axis}`]]
  return covariance instanceof Float32Array && basis instanceof Float32Array
    ? { covariance, basis }
    : { covariance: new Float32Array(0), basis: new Float32Array(0) }
}

const split = (dims: readonly number[], axis: number) => ({
  outer: dims.slice(0, axis).reduce((n, d) => n * d, 1),
  inner: dims.slice(axis + 1).reduce((n, d) => n * d, 1),
})

/**
 * L ← L + (1−β)(G Gᵀ − L) for each axis, in float32 with fused multiply-adds as matrix products are on a CPU: where G Gᵀ is
 * singular, as that of one gradient often is, the rounding decides which basis of the null space the first one is.
 */
const learn = (bases: readonly Base[], g: Float64Array, dims: readonly number[], keep: number): void => {
  const f = Math.fround
  const rate = f(1 - keep)
  for (const { axis, covariance, n } of bases) {
    const { outer, inner } = split(dims, axis)
    for (let i = 0; i < n; i++)
      for (let j = 0; j <= i; j++) {
        let sum = 0
        for (let o = 0; o < outer; o++) {
          const [a, b] = [(o * n + i) * inner, (o * n + j) * inner]
          for (let k = 0; k < inner; k++) sum = f(sum + g[a + k]! * g[b + k]!)
        }
        const old = covariance[i * n + j]!
        const next = f(old + f(rate * f(sum - old)))
        covariance[i * n + j] = next
        covariance[j * n + i] = next
      }
  }
}

/** Multiplies along every axis by Qᵀ (forward) or Q (backward). */
const turn = (
  values: Float64Array,
  dims: readonly number[],
  bases: readonly Base[],
  way: 'forward' | 'backward',
): Float64Array => {
  let from = values
  for (const { axis, basis, n } of bases) {
    const { outer, inner } = split(dims, axis)
    const to = new Float64Array(from.length)
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++) {
          const factor = way === 'forward' ? basis[i * n + j]! : basis[j * n + i]!
          const [a, b] = [(o * n + i) * inner, (o * n + j) * inner]
          for (let k = 0; k < inner; k++) to[b + k]! += factor * from[a + k]!
        }
    from = to
  }
  return from
}

/** Q ← QR(LQ), its columns and the squares first sorted by falling eigenvalue. */
const refresh = ({ axis, covariance, basis, n }: Base, v: Float32Array, dims: readonly number[]): void => {
  const l = Float64Array.from(covariance)
  const q = Float64Array.from(basis)
  const lq = multiply(l, q, n)
  const values = Array.from({ length: n }, (_, j) => {
    let sum = 0
    for (let i = 0; i < n; i++) sum += q[i * n + j]! * lq[i * n + j]!
    return sum
  })
  const order = values.map((_, j) => j).sort((i, j) => values[j]! - values[i]!)
  const { outer, inner } = split(dims, axis)
  const old = v.slice()
  for (let o = 0; o < outer; o++)
    for (const [j, from] of order.entries())
      v.set(old.subarray((o * n + from) * inner, (o * n + from + 1) * inner), (o * n + j) * inner)
  basis.set(orthogonalFactor(selectColumns(lq, n, order), n))
}

const rms = (values: Float64Array): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length)

/** Neighbouring axes joined while their product is at most `most`. */
const merged = (dims: readonly number[], most: number): number[] => {
  const out: number[] = []
  for (const d of dims) {
    const last = out.at(-1)
    if (last !== undefined && last * d <= most) out[out.length - 1] = last * d
    else out.push(d)
  }
  return out
}
