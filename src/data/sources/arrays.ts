import { FormatError, float32Of, numbersOf, type Tensor } from '../../base/index.ts'
import { dataset } from '../dataset.ts'
import { reshape } from '../normalise.ts'
import type { Fit } from '../resize.ts'
import { split } from '../split.ts'
import type { Dataset, Layout, Normalise } from '../types.ts'
import { type AnswerOptions, answersIn } from './answers.ts'

/** What every source gives. `validation` only where the source itself sets samples aside for it. */
export type Splits = { train: Dataset; test: Dataset; validation?: Dataset }

export type LoadOptions = AnswerOptions & {
  /** The classes' names or how many there are; by default what the labels (or folders) name. */
  classes?: number | readonly string[] | undefined
  /** Default: bytes are divided by 255, floats stay as they are. */
  normalise?: Partial<Normalise> | undefined
  /** Where the model wants the channels (default 'channels-first'); pictures are rearranged to it. */
  layout?: Layout | undefined
  /** The shape the model wants of one sample, if another one of as many values. */
  sampleDims?: readonly number[] | undefined
  /** The share set aside for testing when the source has no test samples (default 0.2) and the seed of that split (0). */
  testFraction?: number | undefined
  seed?: number | undefined
  /** Pictures in folders: [height, width], or one number for both. Default: they must all be of one size already. */
  size?: number | readonly [number, number] | undefined
  /** In place of `size`: pictures stay of their own sizes, each side brought to the nearest multiple of this. */
  multiple?: number | undefined
  /** How pictures are brought to their size (default 'cover'), and the share of each side that is kept around the centre (1). */
  fit?: Fit | undefined
  crop?: number | undefined
  /** Grey (1) or colour (3); default as the first picture is. */
  channels?: 1 | 3 | undefined
  /** The order of the colours (default 'rgb'). */
  order?: 'rgb' | 'bgr' | undefined
}

/** Samples and labels as a file holds them. */
export type Arrays = { x: Tensor; y: Tensor; file: string; labelsFile?: string }

/** Datasets from arrays of a file: one for training, and one for testing or a share set aside for it. */
export const splitsOf = (
  name: string,
  arrays: { train: Arrays; test?: Arrays | undefined; validation?: Arrays | undefined },
  options: LoadOptions,
): Splits => {
  const read = ({ x, y, file, labelsFile = file }: Arrays) => ({
    ...samplesOf(x, file, options.layout),
    ...answersIn(y, x, labelsFile, options),
    file,
    labelsFile,
  })
  const train = read(arrays.train)
  const test = arrays.test && read(arrays.test)
  const validation = arrays.validation && read(arrays.validation)
  const make = (part: string, samples: typeof train, classes: number | readonly string[] | undefined) => {
    const made = dataset({
      ...samples,
      name: `${name} (${part})`,
      ...(classes === undefined ? {} : { classes }),
      ...(options.ignore === undefined ? {} : { ignore: options.ignore }),
      ...(options.normalise === undefined ? {} : { normalise: options.normalise }),
    })
    return options.sampleDims ? reshape(made, options.sampleDims) : made
  }

  const first = make('train', train, options.classes)
  const rest = validation ? { validation: make('validation', validation, first.classes) } : {}
  if (test) return { train: first, test: make('test', test, first.classes), ...rest }
  return { ...withTest(name, first, options), ...rest }
}

/** Sets samples aside for testing where a source has none of its own. */
export const withTest = (name: string, all: Dataset, { testFraction = 0.2, seed = 0 }: LoadOptions): Splits => {
  const { train, validation } = split(all, testFraction, seed)
  return { train: { ...train, name: `${name} (train)` }, test: { ...validation, name: `${name} (test)` } }
}

/** The samples of an array [n, ...]: bytes stay bytes, all else becomes float32. */
const samplesOf = (x: Tensor, file: string, layout: Layout = 'channels-first') => {
  if (x.dims.length < 2)
    throw new FormatError(`samples of shape [${x.dims.join(', ')}] are no table of samples`, {
      place: { file },
      remedy: 'give them the shape [samples, ...]',
    })
  const [count = 0, ...dims] = x.dims
  const inputs = x.type === 'uint8' ? x.bytes : floatsOf(x)
  // Pictures without an axis of channels have one.
  if (x.type === 'uint8' && dims.length === 2)
    return { inputs, sampleDims: layout === 'channels-first' ? [1, ...dims] : [...dims, 1], layout }
  const stored = storedLayout(dims)
  if (stored === undefined || stored === layout) return { inputs, sampleDims: dims, layout }
  const [a = 1, b = 1, c = 1] = dims
  return stored === 'channels-last'
    ? { inputs: swapAxes(inputs, count, a * b, c), sampleDims: [c, a, b], layout }
    : { inputs: swapAxes(inputs, count, a, b * c), sampleDims: [b, c, a], layout }
}

/** Which axis of three is the channels': the one of length 1, 3 or 4, when the other end is longer. */
const storedLayout = (dims: readonly number[]): Layout | undefined => {
  if (dims.length !== 3) return undefined
  const few = (dim: number) => dim === 1 || dim === 3 || dim === 4
  if (few(dims[0]!) && dims[2]! > 4) return 'channels-first'
  if (few(dims[2]!) && dims[0]! > 4) return 'channels-last'
  return undefined
}

/** [n, rows, columns] → [n, columns, rows]. */
const swapAxes = (values: Uint8Array | Float32Array, n: number, rows: number, columns: number) => {
  const out = values.slice()
  for (let i = 0; i < n; i++) {
    const at = i * rows * columns
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) out[at + c * rows + r] = values[at + r * columns + c]!
  }
  return out
}

const floatsOf = (tensor: Tensor): Float32Array =>
  tensor.type === 'float32' ? float32Of(tensor) : Float32Array.from(numbersOf(tensor))

/** The arrays of train, test and validation among a file's, by the names people use. */
export const arraysByName = (tensors: ReadonlyMap<string, Tensor>, file: string) => {
  const pick = (names: readonly string[]) => names.map((name) => tensors.get(name)).find((tensor) => tensor)
  const pair = (part: string): Arrays | undefined => {
    const named = (stems: readonly string[]) =>
      pick(stems.flatMap((stem) => (part === '' ? [stem] : [`${stem}_${part}`, `${part}_${stem}`])))
    const x = named(['x', 'X', 'images', 'inputs', 'data'])
    const y = named(['y', 'Y', 'labels', 'label', 'targets'])
    return x && y && { x, y, file }
  }
  const train = pair('train') ?? pair('')
  if (!train)
    throw new FormatError(`no samples and labels among the arrays ${[...tensors.keys()].join(', ') || '(none)'}`, {
      place: { file },
      remedy: 'name them x and y, images and labels, or x_train, y_train, x_test and y_test',
    })
  return { train, test: pair('test'), validation: pair('val') ?? pair('valid') ?? pair('validation') }
}
