import { EspalierError, type Random, sizeOf } from '../base/index.ts'

/**
 * Draws the starting values of a weight. Weights are laid out as [out, in] or [out, in / groups, ...kernel]: a unit of the
 * layer is one index of the first axis.
 */
export type Initializer = (dims: readonly number[], random: Random) => Float32Array

export type Fans = { readonly fanIn: number; readonly fanOut: number }

/** How many inputs one output unit sums, and how many outputs one input reaches; a vector has one input a unit. */
export const fansOf = (dims: readonly number[]): Fans => {
  const [out = 1, into = 1, ...kernel] = dims
  const positions = sizeOf(kernel)
  return { fanIn: into * positions, fanOut: out * positions }
}

const draw = (dims: readonly number[], next: () => number): Float32Array =>
  Float32Array.from({ length: sizeOf(dims) }, next)

/** Every element the same. */
export const constant =
  (value: number): Initializer =>
  (dims) =>
    new Float32Array(sizeOf(dims)).fill(value)

export const zeros: Initializer = constant(0)
export const ones: Initializer = constant(1)

/** Uniform in [−bound, bound). */
export const uniform =
  (bound: number): Initializer =>
  (dims, random) =>
    draw(dims, () => bound * (2 * random.uniform() - 1))

/** Normal with mean 0. */
export const normal =
  (std: number): Initializer =>
  (dims, random) =>
    draw(dims, () => std * random.normal())

/**
 * Normal, drawn again wherever it falls further than two standard deviations from the mean. What remains spreads less:
 * its standard deviation is 0.8796 · std.
 */
export const truncatedNormal =
  ({ mean = 0, std = 0.02 }: { mean?: number; std?: number } = {}): Initializer =>
  (dims, random) =>
    draw(dims, () => {
      let z = random.normal()
      while (Math.abs(z) > 2) z = random.normal()
      return mean + std * z
    })

/** A given variance, whatever the distribution: uniform on ±a has variance a²/3. */
const withVariance = {
  uniform: (variance: number) => uniform(Math.sqrt(3 * variance)),
  normal: (variance: number) => normal(Math.sqrt(variance)),
}

type Shape = keyof typeof withVariance

type GainOptions = {
  /** Multiplies the standard deviation: √2 before a ReLU, 5/3 before tanh. 1 unless said. */
  gain?: number
}

/** Var[w] = gain² · 2 / (fan in + fan out): a compromise that keeps both activations and gradients from growing. */
const xavier =
  (shape: Shape) =>
  ({ gain = 1 }: GainOptions = {}): Initializer =>
  (dims, random) => {
    const { fanIn, fanOut } = fansOf(dims)
    return withVariance[shape]((gain ** 2 * 2) / (fanIn + fanOut))(dims, random)
  }

/** Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010, eq. 16. */
export const xavierUniform = xavier('uniform')

/** The same variance from a normal distribution. Glorot and Bengio 2010, eq. 12. */
export const xavierNormal = xavier('normal')

type HeOptions = {
  /** Which side's variance is kept: 'in' the activations' forward (the default), 'out' the gradients' backward. */
  fan?: 'in' | 'out'
  /** Slope of the leaky ReLU that follows, 0 for a plain one. The gain is √(2 / (1 + slope²)). */
  slope?: number
  /** In place of the gain that the slope gives. */
  gain?: number
}

const he =
  (shape: Shape) =>
  ({ fan = 'in', slope = 0, gain = Math.sqrt(2 / (1 + slope ** 2)) }: HeOptions = {}): Initializer =>
  (dims, random) => {
    const { fanIn, fanOut } = fansOf(dims)
    return withVariance[shape](gain ** 2 / (fan === 'in' ? fanIn : fanOut))(dims, random)
  }

/** He, Zhang, Ren and Sun, "Delving deep into rectifiers", ICCV 2015, §2.2, with the leaky form of eq. 15. */
export const heUniform = he('uniform')

/** He et al. 2015, eq. 10 (fan in) and eq. 14 (fan out). */
export const heNormal = he('normal')

const lecun =
  (shape: Shape): Initializer =>
  (dims, random) =>
    withVariance[shape](1 / fansOf(dims).fanIn)(dims, random)

/** Var[w] = 1 / fan in. LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998, §4.6, eq. 16. */
export const lecunUniform = lecun('uniform')

/** The same from a normal distribution, as self-normalizing networks ask (Klambauer et al. 2017). */
export const lecunNormal = lecun('normal')

/**
 * PyTorch's own start for Linear and Conv weights, `kaiming_uniform_(a=√5)`: the gain is √(2 / (1 + 5)), so the bound is
 * √3 · √(1/3) / √(fan in) = 1 / √(fan in).
 */
export const pytorchWeight: Initializer = (dims, random) => heUniform({ slope: Math.sqrt(5) })(dims, random)

/** PyTorch's start for the bias beside a weight of that fan in: uniform on ±1 / √(fan in). */
export const pytorchBias = (fanIn: number): Initializer => uniform(1 / Math.sqrt(fanIn))

/**
 * Rows orthonormal (columns, when there are more rows), all kernel axes taken as one: WWᵀ = gain² · I.
 * Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
 * ICLR 2014, §3. A normal matrix made orthonormal by Gram–Schmidt is uniform over all such matrices.
 */
export const orthogonal =
  ({ gain = 1 }: GainOptions = {}): Initializer =>
  (dims, random) => {
    const rows = dims[0] ?? 1
    if (dims.length < 2) throw new EspalierError('an orthogonal start needs a weight of two axes or more')
    const columns = sizeOf(dims) / Math.max(rows, 1)
    const [count, length] = rows <= columns ? [rows, columns] : [columns, rows]
    const vectors = orthonormal(count, length, random)
    return Float32Array.from({ length: sizeOf(dims) }, (_, i) => {
      const [row, column] = [Math.floor(i / columns), i % columns]
      return gain * (rows <= columns ? vectors[row]![column]! : vectors[column]![row]!)
    })
  }

const orthonormal = (count: number, length: number, random: Random): Float64Array[] => {
  const vectors: Float64Array[] = []
  while (vectors.length < count) {
    const vector = Float64Array.from({ length }, () => random.normal())
    // Once more takes away what rounding left of the first time.
    for (let time = 0; time < 2; time++)
      for (const earlier of vectors) {
        const along = dot(vector, earlier)
        for (let i = 0; i < length; i++) vector[i]! -= along * earlier[i]!
      }
    const norm = Math.sqrt(dot(vector, vector))
    vectors.push(vector.map((x) => x / norm))
  }
  return vectors
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}
