import { type ErrorPlace, FormatError, sizeOf } from '../base/index.ts'
import { channelsOf, checkNormalise } from './normalise.ts'
import type { Dataset, Layout, Normalise, Varied } from './types.ts'

export type DatasetOptions = {
  name: string
  inputs: Uint8Array | Float32Array
  sampleDims: readonly number[]
  /** Class numbers; left out where there are `targets`. */
  labels?: ArrayLike<number>
  labelDims?: readonly number[]
  ignore?: number
  /** Numbers to be met, [samples, ...targetDims]. */
  targets?: ArrayLike<number>
  targetDims?: readonly number[]
  varied?: Varied
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
  const { name, inputs, sampleDims, varied, ignore, labelDims, labels = [], targets, targetDims = [] } = options
  const placeOf = (file: string | undefined): ErrorPlace => (file === undefined ? { value: name } : { file })
  const fail: Fail = (what, remedy, file = options.file) => new FormatError(what, { place: placeOf(file), remedy })

  const size = targets ? targets.length / sizeOf(targetDims) : labels.length / sizeOf(labelDims ?? [])
  const sample = sizeOf(sampleDims)
  const expected = varied ? varied.dims.reduce((sum, dims) => sum + sizeOf(dims), 0) : size * sample
  if (inputs.length !== expected || sample === 0 || (varied && varied.dims.length !== size))
    throw fail(
      `${inputs.length} values are not ${size} samples of shape [${sampleDims.join(', ')}], one for each label`,
      'give as many samples as labels',
    )
  if (size === 0) throw fail('there are no samples', 'give at least one')
  const named = options.classes ?? (targets ? (targetDims[0] ?? 1) : classesOf(options, fail))
  const classes = namesOf(named)
  if (targets) checkTargets(targets, targetDims, fail, options.labelsFile)
  else checkLabels(options, classes.length, fail)
  if (inputs instanceof Float32Array) {
    const bad = inputs.findIndex((value) => !Number.isFinite(value))
    if (bad >= 0)
      throw fail(
        `sample ${varied ? varied.offsets.findLastIndex((start) => start <= bad) : Math.floor(bad / sample)} holds the value ${inputs[bad]}`,
        'remove or replace it',
      )
  }

  const layout = options.layout ?? 'channels-first'
  const normalise = { scale: inputs instanceof Uint8Array ? 1 / 255 : 1, mean: [0], std: [1], ...options.normalise }
  checkNormalise(normalise, channelsOf(sampleDims, layout))
  return {
    ...{ name, size, inputs, sampleDims, labels: Int32Array.from(labels), classes, normalise, layout },
    ...(varied && { varied }),
    ...(targets && { targets: Float32Array.from(targets), targetDims }),
    ...(labelDims && { labelDims }),
    ...(ignore !== undefined && { ignore }),
  }
}

type Fail = (what: string, remedy: string, file?: string) => FormatError

const checkTargets = (targets: ArrayLike<number>, dims: readonly number[], fail: Fail, file: string | undefined) => {
  for (let i = 0; i < targets.length; i++)
    if (!Number.isFinite(targets[i]))
      throw fail(`sample ${Math.floor(i / sizeOf(dims))} is to give ${targets[i]}`, 'remove or replace it', file)
}

const checkLabels = (options: DatasetOptions, classes: number, fail: Fail) => {
  const { labels = [], labelDims = [], ignore, labelsFile } = options
  const perSample = sizeOf(labelDims)
  const counts = new Uint32Array(classes)
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!
    if (label === ignore) continue
    if (!Number.isInteger(label) || label < 0 || label >= classes)
      throw fail(
        `${perSample > 1 ? 'a' : 'the'} label of sample ${Math.floor(i / perSample)} is ${label}${Number.isInteger(label) ? ` and there are ${classes} classes` : ', no class number'}`,
        `labels count from 0 to one less than the number of classes${perSample > 1 ? '; say so if this one marks what does not count (--ignore-index)' : Number.isInteger(label) ? '' : '; numbers to be met go with --loss mse, huber or bce'}`,
        labelsFile,
      )
    counts[label]!++
  }
  const empty = options.classes === undefined && perSample === 1 ? counts.indexOf(0) : -1
  if (empty >= 0)
    throw fail(
      `class ${empty} of ${classes} has no sample`,
      'number the classes without gaps, say how many there are (--classes), or which label does not count (--ignore-index)',
      labelsFile,
    )
}

const namesOf = (classes: number | readonly string[]) =>
  typeof classes === 'number' ? Array.from({ length: classes }, (_, i) => String(i)) : classes

/** One more than the highest label, where so many classes can each have a sample. */
const classesOf = ({ labels = [], labelDims = [], ignore, labelsFile }: DatasetOptions, fail: Fail): number => {
  let [most, sample] = [0, 0]
  // Of pixels, a label past 2^20 is no class number; the check of each label says so.
  const limit = sizeOf(labelDims) > 1 ? 2 ** 20 : Number.POSITIVE_INFINITY
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!
    if (label > most && label < limit && label !== ignore && Number.isInteger(label)) [most, sample] = [label, i]
  }
  if (sizeOf(labelDims) === 1 && most > 2 * labels.length + 1000)
    throw fail(
      `the label of sample ${sample} is ${most} and there are ${labels.length} samples: most classes would have none`,
      'number the classes from 0 without gaps, or say which label does not count (--ignore-index); numbers to be met go with --loss mse, huber or bce',
      labelsFile,
    )
  return most + 1
}
