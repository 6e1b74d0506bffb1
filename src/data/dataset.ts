import { type ErrorPlace, FormatError, sizeOf, UsageError } from '../base/index.ts'

/**
 * How stored values become a network's input: (value · scale − mean) / std. `mean` and `std` have one number, or one
 * for each channel. Plain data, to be saved with a run and used again for evaluation.
 */
export type Normalise = {
  readonly scale: number
  readonly mean: readonly number[]
  readonly std: readonly number[]
}

/** Where a sample's channels lie: [C, H, W] (PyTorch, most ONNX files) or [H, W, C] (TensorFlow). */
export type Layout = 'channels-first' | 'channels-last'

/**
 * Samples with class labels: plain data. Values stay as they were stored, bytes for most pictures, and become floats
 * when a batch is made, so 70 000 MNIST images take 55 MB rather than 220.
 */
export type Dataset = {
  readonly name: string
  readonly size: number
  /** All rows one after another, each of `sampleDims` in row-major order. */
  readonly inputs: Uint8Array | Float32Array
  /** One sample's shape, without the batch's axis. */
  readonly sampleDims: readonly number[]
  /** Sample i's class, an index into `classes`. */
  readonly labels: Int32Array
  readonly classes: readonly string[]
  readonly normalise: Normalise
  readonly layout: Layout
  /** Sample i lies in row `rows[i]` of `inputs`; in row i when absent. Subsets share their inputs this way. */
  readonly rows?: Uint32Array
}

export type DatasetOptions = {
  name: string
  inputs: Uint8Array | Float32Array
  sampleDims: readonly number[]
  labels: ArrayLike<number>
  /** The classes' names or how many there are. By default as many as the labels name, and each must have a sample. */
  classes?: number | readonly string[]
  /** Default: bytes are divided by 255, floats are left as they are. */
  normalise?: Partial<Normalise>
  /** Default 'channels-first'. */
  layout?: Layout
  /** Named by errors: the samples' file, and the labels' where it is another. */
  file?: string
  labelsFile?: string
}

/**
 * A dataset in memory.
 * @throws FormatError when counts do not match, a label is no class, a value is not finite, or a class is empty.
 */
export const dataset = (options: DatasetOptions): Dataset => {
  const { name, inputs, sampleDims } = options
  const placeOf = (file: string | undefined): ErrorPlace => (file === undefined ? { value: name } : { file })
  const fail = (what: string, remedy: string, file = options.file) =>
    new FormatError(what, { place: placeOf(file), remedy })

  const size = options.labels.length
  const sample = sizeOf(sampleDims)
  if (inputs.length !== size * sample || sample === 0)
    throw fail(
      `${inputs.length} values are not ${size} samples of shape [${sampleDims.join(', ')}], one for each label`,
      'give as many samples as labels',
    )
  if (size === 0) throw fail('there are no samples', 'give at least one')

  const classes = namesOf(options.classes ?? highest(options.labels) + 1)
  const counts = new Uint32Array(classes.length)
  for (let i = 0; i < size; i++) {
    const label = options.labels[i]!
    if (!Number.isInteger(label) || label < 0 || label >= classes.length)
      throw fail(
        `the label of sample ${i} is ${label} and there are ${classes.length} classes`,
        'labels count from 0 to one less than the number of classes',
        options.labelsFile,
      )
    counts[label]!++
  }
  const empty = options.classes === undefined ? counts.indexOf(0) : -1
  if (empty >= 0)
    throw fail(
      `class ${empty} of ${classes.length} has no sample`,
      'number the classes without gaps or say how many there are',
      options.labelsFile,
    )
  if (inputs instanceof Float32Array) {
    const bad = inputs.findIndex((value) => !Number.isFinite(value))
    if (bad >= 0)
      throw fail(`sample ${Math.floor(bad / sample)} holds the value ${inputs[bad]}`, 'remove or replace it')
  }

  const layout = options.layout ?? 'channels-first'
  const normalise = { scale: inputs instanceof Uint8Array ? 1 / 255 : 1, mean: [0], std: [1], ...options.normalise }
  checkNormalise(normalise, channelsOf(sampleDims, layout))
  return { name, size, inputs, sampleDims, labels: Int32Array.from(options.labels), classes, normalise, layout }
}

const namesOf = (classes: number | readonly string[]) =>
  typeof classes === 'number' ? Array.from({ length: classes }, (_, i) => String(i)) : classes

const highest = (labels: ArrayLike<number>) => {
  let most = 0
  // A label past 2^20 is no class number; the check of each label says so.
  for (let i = 0; i < labels.length; i++) if (labels[i]! > most && labels[i]! < 2 ** 20) most = labels[i]!
  return Math.floor(most)
}

const channelsOf = (dims: readonly number[], layout: Layout) =>
  (layout === 'channels-first' ? dims[0] : dims.at(-1)) ?? 1

const checkNormalise = ({ scale, mean, std }: Normalise, channels: number) => {
  for (const [name, values] of Object.entries({ mean, std }))
    if (values.length !== 1 && values.length !== channels)
      throw new UsageError(`${name} has ${values.length} numbers for ${channels} channels`, {
        remedy: 'give one, or one for each channel',
      })
  if (![scale, ...mean, ...std].every(Number.isFinite) || std.some((value) => value <= 0))
    throw new UsageError('mean, std and scale must be numbers, and std positive', { remedy: 'check them' })
}

/** The same samples, normalised otherwise: what is not given stays. */
export const withNormalise = (data: Dataset, normalise: Partial<Normalise>): Dataset => {
  const merged = { ...data.normalise, ...normalise }
  checkNormalise(merged, channelsOf(data.sampleDims, data.layout))
  return { ...data, normalise: merged }
}

/** The same samples, each seen in another shape of as many values (784 columns as 1 × 28 × 28). */
export const reshape = (data: Dataset, sampleDims: readonly number[]): Dataset => {
  if (sizeOf(sampleDims) !== sizeOf(data.sampleDims))
    throw new UsageError(
      `samples of shape [${data.sampleDims.join(', ')}] of '${data.name}' cannot be seen as [${sampleDims.join(', ')}]`,
      { remedy: 'use data of the size that the model takes, or resize it' },
    )
  checkNormalise(data.normalise, channelsOf(sampleDims, data.layout))
  return { ...data, sampleDims }
}

/** Mean and standard deviation of each channel in the scaled units of `normalise`, to be used with `withNormalise`. */
export const statistics = (data: Dataset): { mean: number[]; std: number[] } => {
  const channels = channelsOf(data.sampleDims, data.layout)
  const sample = sizeOf(data.sampleDims)
  const run = data.layout === 'channels-first' ? sample / channels : 1
  const sums = new Float64Array(channels)
  const squares = new Float64Array(channels)
  for (let i = 0; i < data.size; i++) {
    const start = (data.rows?.[i] ?? i) * sample
    for (let j = 0; j < sample; j++) {
      const channel = Math.floor(j / run) % channels
      const value = data.inputs[start + j]! * data.normalise.scale
      sums[channel]! += value
      squares[channel]! += value * value
    }
  }
  const count = (data.size * sample) / channels
  const mean = Array.from(sums, (sum) => sum / count)
  // A channel that never changes would be divided by 0.
  const std = mean.map((m, channel) => Math.sqrt(Math.max(0, squares[channel]! / count - m * m)) || 1)
  return { mean, std }
}
