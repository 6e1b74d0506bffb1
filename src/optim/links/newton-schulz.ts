import { type CompatOption, has } from '../compat.ts'
import type { Link, Parameter } from '../types.ts'

export type OrthogonalizeOptions = CompatOption & {
  /** Iterations; 5. */
  iterations?: number
  /** 'bfloat16' rounds every intermediate result as the published code does on a CPU: the coefficients, the sums of XXᵀ
   *  once, those of the other products after each term; 'float32'. */
  precision?: 'float32' | 'bfloat16'
  /** 'spectral': × √max(1, rows/columns), the authors'. 'rms': × 0.2·√max(rows, columns), which makes the update's root mean
   *  square 0.2, about that of Adam's, so that one rate serves both (Liu et al.: Muon is Scalable for LLM Training, 2025,
   *  §2.2); 'spectral'. */
  scaling?: 'spectral' | 'rms'
}

/**
 * Replaces a matrix update by (nearly) its orthogonal polar factor UVᵀ, where G = USVᵀ, by the quintic Newton–Schulz
 * iteration X ← aX + (bA + cA²)X, A = XXᵀ, from X = G/‖G‖; then × √max(1, rows/columns). A convolution's filters are the
 * rows of a matrix. Its coefficients raise small singular values fastest and leave all of them in about [0.7, 1.2].
 * Jordan et al.: Muon: An optimizer for hidden layers in neural networks, 2024.
 */
export const orthogonalize = (o: OrthogonalizeOptions = {}): Link => {
  const { iterations = 5, precision = 'float32', scaling = 'spectral' } = o
  const round = precision === 'bfloat16' ? bfloat16 : Math.fround
  const termwise = precision === 'bfloat16'
  return {
    name: 'orthogonalize',
    applies: ({ dims }) => dims.length >= 2,
    update({ update: u, parameter }) {
      const rows = parameter.dims[0] ?? 1
      const columns = u.length / rows
      polar(u, rows, columns, iterations, round, termwise)
      const shape = has(o, 'muon-kernel-ratio') ? parameter.dims.slice(-2) : [rows, columns]
      const spectral = Math.sqrt(Math.max(1, (shape[0] ?? 1) / (shape[1] ?? 1)))
      const factor = round(scaling === 'rms' ? 0.2 * Math.sqrt(Math.max(rows, columns)) : spectral)
      for (let i = 0; i < u.length; i++) u[i] = round(u[i]! * factor)
    },
  }
}

/** Parameters Muon is for: matrices and convolutions, but no embeddings. */
export const isMatrix = ({ dims, role }: Parameter): boolean =>
  dims.length >= 2 && role !== 'embedding' && role !== 'vector'

type Rounding = (x: number) => number

const bits = new DataView(new ArrayBuffer(4))

/** The nearest bfloat16, ties to even. */
export const bfloat16 = (x: number): number => {
  bits.setFloat32(0, x)
  const word = bits.getUint32(0)
  bits.setUint32(0, (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000)
  return bits.getFloat32(0)
}

const coefficients = [3.4445, -4.775, 2.0315] as const

const polar = (
  g: Float32Array,
  rows: number,
  columns: number,
  iterations: number,
  round: Rounding,
  termwise: boolean,
): void => {
  const tall = rows > columns
  const [n, m] = tall ? [columns, rows] : [rows, columns]
  let x = new Float64Array(n * m)
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) x[i * m + j] = round(tall ? g[j * n + i]! : g[i * m + j]!)
  let sum = 0
  for (const value of x) sum += round(value * value)
  const size = round(round(Math.sqrt(round(sum))) + 1e-7)
  x = x.map((value) => round(value / size))
  const [a, b, c] = [round(coefficients[0]), round(coefficients[1]), round(coefficients[2])]
  const multiply = termwise ? productTermwise : product
  for (let k = 0; k < iterations; k++) {
    const gram = product(x, transpose(x, n, m), [n, m, n], round)
    const scaled = gram.map((value) => round(c * value))
    const squared = multiply(scaled, gram, [n, n, n], round)
    const mixed = gram.map((value, i) => round(round(b * value) + squared[i]!))
    const turned = multiply(mixed, x, [n, n, m], round)
    x = x.map((value, i) => round(round(a * value) + turned[i]!))
  }
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) g[tall ? j * n + i : i * m + j] = x[i * m + j]!
}

const transpose = (x: Float64Array, rows: number, columns: number): Float64Array => {
  const out = new Float64Array(x.length)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = x[i * columns + j]!
  return out
}

type Sizes = readonly [n: number, k: number, m: number]

/** [n, k] × [k, m], each entry of the result rounded. */
const product = (x: Float64Array, y: Float64Array, [n, k, m]: Sizes, round: Rounding): Float64Array => {
  const out = new Float64Array(n * m)
  for (let i = 0; i < n; i++) {
    const row = out.subarray(i * m, (i + 1) * m)
    for (let l = 0; l < k; l++) {
      const factor = x[i * k + l]!
      for (let j = 0; j < m; j++) row[j]! += factor * y[l * m + j]!
    }
  }
  return out.map(round)
}

/** The same, every product and every partial sum rounded. */
const productTermwise = (x: Float64Array, y: Float64Array, [n, k, m]: Sizes, round: Rounding): Float64Array => {
  const out = new Float64Array(n * m)
  for (let i = 0; i < n; i++)
    for (let l = 0; l < k; l++) {
      const factor = x[i * k + l]!
      for (let j = 0; j < m; j++) out[i * m + j] = round(out[i * m + j]! + round(factor * y[l * m + j]!))
    }
  return out
}
