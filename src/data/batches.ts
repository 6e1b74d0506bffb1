import {
  float32,
  type Random,
  type RandomState,
  random,
  randomFrom,
  sizeOf,
  type Tensor,
  UsageError,
} from '../base/index.ts'
import type { Augmentation, Sample } from './augment.ts'
import { labelTensor } from './labels.ts'
import { dimsAt, labelsAt, planBatches, storedAt, targetsAt } from './rows.ts'
import type { Dataset } from './types.ts'

/** Some samples, ready for a network. The tensors are the caller's to keep. */
export type Batch = {
  /** float32 [n, ...sampleDims], normalised; of the samples' own shape where those vary. */
  readonly inputs: Tensor
  /** int64 [n], or [n, ...labelDims]; [0] where samples have numbers to meet. */
  readonly labels: Tensor
  /** Those numbers, float32 [n, ...targetDims]. */
  readonly target?: Tensor
  /** Which samples of the dataset these are. */
  readonly indices: Uint32Array
}

/** Augments each sample with a generator of its own, made from the seed, the epoch and the sample's index. */
export type Augment = { readonly with: Augmentation; readonly seed: number }

/** The samples at `indices` as a batch. */
export const batchOf = (
  data: Dataset,
  indices: ArrayLike<number>,
  augment?: Augment & { readonly epoch: number },
): Batch => {
  const dims = indices.length > 0 ? dimsAt(data, indices[0]!) : data.sampleDims
  const sample = sizeOf(dims)
  const inputs = new Float32Array(indices.length * sample)
  const perSample = sizeOf(data.labelDims ?? [])
  const labels = new Int32Array(data.targets ? 0 : indices.length * perSample)
  const target = targetOf(data, indices)
  const normalise = normaliser(data, dims)
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!
    const stored = storedAt(data, index)
    if (stored.length !== sample)
      throw new UsageError(`samples ${indices[0]} and ${index} of '${data.name}' are of different sizes`, {
        remedy: 'take samples of one size for a batch (planBatches)',
      })
    const changed = augment && augmented(data, index, dims, augment)
    normalise(changed?.values ?? stored, inputs, i * sample)
    if (!target) labels.set(changed?.mask ?? labelsAt(data, index), i * perSample)
  }
  return {
    inputs: float32([indices.length, ...dims], inputs),
    labels: target ? labelTensor([]) : labelTensor(labels, [indices.length, ...(data.labelDims ?? [])]),
    ...(target && { target }),
    indices: Uint32Array.from(indices),
  }
}

const targetOf = (data: Dataset, indices: ArrayLike<number>): Tensor | undefined => {
  if (!data.targets) return undefined
  const { targetDims = [] } = data
  const length = sizeOf(targetDims)
  const values = new Float32Array(indices.length * length)
  for (let i = 0; i < indices.length; i++) values.set(targetsAt(data, indices[i]!), i * length)
  return float32([indices.length, ...targetDims], values)
}

/** A sample changed by dice of its own: its changes depend neither on the order of samples nor on how a batch is divided. */
const augmented = (
  data: Dataset,
  index: number,
  dims: readonly number[],
  augment: Augment & { epoch: number },
): Sample => {
  if ((data.targetDims?.length ?? 0) > 1)
    throw new UsageError(
      `what the samples of '${data.name}' are to give may have a place, which would have to move along`,
      {
        remedy: 'train without augmentation, or give a number or a row of numbers for each sample',
      },
    )
  const { labelDims, layout, ignore } = data
  const before: Sample = {
    ...{ values: Float32Array.from(storedAt(data, index)), dims, layout },
    ...(labelDims && { mask: labelsAt(data, index) }),
    ...(ignore !== undefined && { ignore }),
  }
  return augment.with(before, random(mixed(augment.seed, augment.epoch, index)))
}

const mixed = (seed: number, epoch: number, index: number) =>
  (Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(epoch + 1, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35)) >>> 0

/** Writes a sample's stored values, normalised, at a place of the batch. Bytes go through a table of all 256. */
const normaliser = (data: Dataset, dims: readonly number[]) => {
  const { scale, mean, std } = data.normalise
  const channels = Math.max(mean.length, std.length)
  // So many values in a row share a channel.
  const run = channels === 1 || data.layout === 'channels-first' ? sizeOf(dims) / channels : 1
  const means = Float64Array.from({ length: channels }, (_, c) => mean[mean.length === 1 ? 0 : c]!)
  const stds = Float64Array.from({ length: channels }, (_, c) => std[std.length === 1 ? 0 : c]!)
  const table =
    data.inputs instanceof Uint8Array
      ? Float32Array.from({ length: channels * 256 }, (_, i) => ((i & 255) * scale - means[i >> 8]!) / stds[i >> 8]!)
      : undefined

  return (values: Uint8Array | Float32Array, out: Float32Array, at: number) => {
    let channel = 0
    for (let from = 0; from < values.length; from += run) {
      if (table && values instanceof Uint8Array)
        for (let j = from; j < from + run; j++) out[at + j] = table[channel * 256 + values[j]!]!
      else for (let j = from; j < from + run; j++) out[at + j] = (values[j]! * scale - means[channel]!) / stds[channel]!
      if (++channel === channels) channel = 0
    }
  }
}

export type BatchesOptions = {
  /** Samples in a batch; the last of an epoch may have fewer. */
  batch: number
  /** Shuffles anew each epoch with a generator forked from this one; without it samples come in order. */
  shuffle?: Random | undefined
  /** Leaves an epoch's last batch out when it is smaller (default false). */
  dropLast?: boolean
  augment?: Augment | undefined
}

/** A place in the endless sequence of batches, as plain data. */
export type BatchesState = {
  readonly epoch: number
  /** Samples of this epoch already given. */
  readonly position: number
  /** The generator as it was before this epoch's shuffle. */
  readonly random: RandomState | null
}

/**
 * The batches of epoch after epoch. Iterating gives the rest of the current epoch; iterating again, the next one.
 */
export type Batches = Iterable<Batch> & {
  readonly perEpoch: number
  /** The next batch, of the next epoch after the last of one. */
  next(): Batch
  /** `batches(data, options, state)` continues exactly here. After an epoch's last batch, the start of the next. */
  state(): BatchesState
}

/** Walks over a dataset in batches, from the start or from a saved place. */
export const batches = (data: Dataset, options: BatchesOptions, from?: BatchesState): Batches => {
  const { batch, dropLast = false, augment } = options
  if (!Number.isInteger(batch) || batch < 1)
    throw new UsageError(`a batch of ${batch} samples makes no sense`, { remedy: 'give a whole number from 1' })
  const plan = (order: Uint32Array) => {
    const { order: planned, ends } = planBatches(data, order, batch)
    return { order: planned, ends: dropLast ? ends.filter((end, i) => end - (ends[i - 1] ?? 0) === batch) : ends }
  }
  const inOrder = () => Uint32Array.from({ length: data.size }, (_, i) => i)
  const { ends: first } = plan(inOrder())
  const length = first.at(-1) ?? 0
  if (length === 0)
    throw new UsageError(`'${data.name}' has ${data.size} samples, less than a batch of ${batch}`, {
      remedy: 'make the batch smaller or keep the last one',
    })
  if (from && (from.position < 0 || from.position >= length || (from.random === null) !== !options.shuffle))
    throw new UsageError(`the saved position does not fit '${data.name}'`, {
      remedy: 'resume with the data and the shuffling that the run began with',
    })

  // Forked in any case, so that the caller's generator goes on alike in a fresh and in a resumed run.
  const forked = options.shuffle?.fork()
  const dice = from?.random ? randomFrom(from.random) : forked
  let epoch = from?.epoch ?? 0
  let position = from?.position ?? 0
  let before: RandomState | null = null
  let { order, ends } = plan(new Uint32Array(0))
  const begin = () => {
    before = dice?.state() ?? null
    const shuffled = inOrder()
    dice?.shuffle(shuffled)
    ;({ order, ends } = plan(shuffled))
  }
  begin()

  const next = () => {
    const end = ends.find((end) => end > position) ?? length
    const taken = batchOf(data, order.subarray(position, end), augment && { ...augment, epoch })
    position = end
    if (position === length) {
      epoch++
      position = 0
      begin()
    }
    return taken
  }
  return {
    perEpoch: first.length,
    next,
    state: () => ({ epoch, position, random: before }),
    *[Symbol.iterator]() {
      const current = epoch
      while (epoch === current) yield next()
    },
  }
}
