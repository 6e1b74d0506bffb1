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
  /** One sample's shape, without the batch's axis; the first row's where they vary. */
  readonly sampleDims: readonly number[]
  /** Where samples are of several sizes: each row's shape, and where its values begin. */
  readonly varied?: Varied
  /** Sample i's class, an index into `classes`; a class for each pixel, row by row, where `labelDims` says so. */
  readonly labels: Int32Array
  /** The shape of one sample's label: [H, W] for a class of each pixel; a single class where absent. */
  readonly labelDims?: readonly number[]
  /** The label of what does not count, where there is such. */
  readonly ignore?: number
  /** Numbers to be met in place of classes, `targetDims` of them for each sample; `labels` is empty then. */
  readonly targets?: Float32Array
  /** The shape of one sample's numbers. */
  readonly targetDims?: readonly number[]
  /** Names of the classes, or of the numbers of a sample. */
  readonly classes: readonly string[]
  readonly normalise: Normalise
  readonly layout: Layout
  /** Sample i lies in row `rows[i]` of `inputs`; in row i when absent. Subsets share their inputs this way. */
  readonly rows?: Uint32Array
}

/** Shapes and beginnings of rows that are not all alike. */
export type Varied = { readonly dims: readonly (readonly number[])[]; readonly offsets: readonly number[] }
