import { FormatError } from '../base/index.ts'
import { copyModel, type Model } from '../onnx/index.ts'
import type { Fit } from './resize.ts'
import type { Dataset, Layout, Normalise } from './types.ts'

/**
 * All that happens to a picture on its way into a network: plain data, saved with the run and in the model's metadata, so
 * that training, evaluation and measurements of time feed the same.
 */
export type Preprocessing = {
  /** [height, width] that pictures are brought to; absent where they are taken as they are. */
  readonly size?: readonly [number, number]
  /** In place of `size`: sides are brought to the nearest multiple of this. */
  readonly multiple?: number
  readonly fit: Fit
  /** The share of each side that is kept around the centre. */
  readonly crop: number
  /** Grey or colour; absent where the source has no pictures. */
  readonly channels?: 1 | 3
  readonly order: 'rgb' | 'bgr'
  readonly layout: Layout
  readonly normalise: Normalise
}

/** Metadata keys of a model file. */
const keys = {
  preprocessing: 'espalier.preprocessing',
  classes: 'espalier.classes',
  loss: 'espalier.loss',
  splitSeed: 'espalier.split-seed',
}

/** What a run says of its samples beside how they were prepared. */
export type Sampling = {
  /** The loss it minimised, which says whether samples have classes or numbers to meet. */
  readonly loss?: string
  /** Of which samples were set aside for testing, so that nobody trains on them later. */
  readonly splitSeed?: number
}

/** What was done to the samples of a dataset that was loaded with such options. */
export const preprocessingOf = (
  { normalise, layout }: Dataset,
  { size, multiple, fit = 'cover', crop = 1, channels, order = 'rgb' }: Partial<Omit<Preprocessing, 'normalise'>>,
): Preprocessing => ({
  ...(size && { size }),
  ...(multiple !== undefined && { multiple }),
  ...{ fit, crop },
  ...(channels && { channels }),
  ...{ order, layout, normalise },
})

/** The model with its preprocessing, and the names of its classes, in the file's metadata. */
export const withPreprocessing = (
  model: Model,
  preprocessing: Preprocessing,
  classes: readonly string[],
  { loss, splitSeed }: Sampling = {},
): Model => {
  const copy = copyModel(model)
  if (loss !== undefined) copy.metadata.set(keys.loss, JSON.stringify(loss))
  if (splitSeed !== undefined) copy.metadata.set(keys.splitSeed, JSON.stringify(splitSeed))
  copy.metadata.set(keys.preprocessing, JSON.stringify(preprocessing))
  copy.metadata.set(keys.classes, JSON.stringify(classes))
  return copy
}

/** The preprocessing that a model's file states. @throws FormatError when it makes no sense */
export const statedPreprocessing = (model: Model): Preprocessing | undefined =>
  parsed(model, keys.preprocessing, isPreprocessing)

/** The names of the classes that a model's file states. @throws FormatError when they make no sense */
export const statedClasses = (model: Model): readonly string[] | undefined => parsed(model, keys.classes, isNames)

/** The loss, and the seed of the samples set aside, that a model's file states. @throws FormatError when they make no sense */
export const statedSampling = (model: Model): Sampling => {
  const loss = parsed(model, keys.loss, (value): value is string => typeof value === 'string')
  const splitSeed = parsed(model, keys.splitSeed, (value): value is number => Number.isInteger(value))
  return { ...(loss !== undefined && { loss }), ...(splitSeed !== undefined && { splitSeed }) }
}

const parsed = <T>(model: Model, key: string, fits: (value: unknown) => value is T): T | undefined => {
  const text = model.metadata.get(key)
  if (text === undefined) return undefined
  const value: unknown = (() => {
    try {
      return JSON.parse(text)
    } catch {
      return undefined
    }
  })()
  if (fits(value)) return value
  throw new FormatError(`the metadata '${key}' makes no sense`, { remedy: 'remove it from the file or correct it' })
}

const isNames = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((name) => typeof name === 'string')

const isNumbers = (value: unknown): boolean => Array.isArray(value) && value.every(Number.isFinite)

const isPreprocessing = (value: unknown): value is Preprocessing => {
  if (typeof value !== 'object' || value === null) return false
  const { size, multiple, fit, crop, channels, order, layout, normalise }: Partial<Preprocessing> = value
  const absentOr = (given: unknown, fits: boolean) => given === undefined || fits
  return (
    absentOr(size, isNumbers(size) && size?.length === 2) &&
    absentOr(multiple, Number.isInteger(multiple)) &&
    (fit === 'cover' || fit === 'stretch') &&
    typeof crop === 'number' &&
    absentOr(channels, channels === 1 || channels === 3) &&
    (order === 'rgb' || order === 'bgr') &&
    (layout === 'channels-first' || layout === 'channels-last') &&
    typeof normalise?.scale === 'number' &&
    isNumbers(normalise.mean) &&
    isNumbers(normalise.std)
  )
}

/** For people: '224 × 224 (cover, the middle 87.5 %), RGB, channels first, (value / 255 − 0.5) / 0.5'. */
export const preprocessingText = (p: Preprocessing): string => {
  const middle = p.crop < 1 ? `, the middle ${100 * p.crop} %` : ''
  const sized = p.size && `${p.size[0]} × ${p.size[1]} (${p.fit}${middle})`
  const varied = p.multiple !== undefined && (p.multiple > 1 ? `sides multiples of ${p.multiple}` : 'sizes as they are')
  const free = varied && `${varied}${middle}`
  const colours = p.channels && (p.channels === 1 ? 'grey' : p.order.toUpperCase())
  const { scale, mean, std } = p.normalise
  const value = scale === 1 ? 'value' : `value / ${Number((1 / scale).toPrecision(6))}`
  const list = (values: readonly number[]) =>
    values.length === 1 ? `${values[0]}` : `[${values.map((x) => Number(x.toPrecision(4))).join(', ')}]`
  const zero = mean.every((x) => x === 0)
  const one = std.every((x) => x === 1)
  const scaled = zero && one ? value : `(${value} − ${list(mean)}) / ${list(std)}`
  return [sized ?? free, colours, p.layout.replace('-', ' '), scaled].filter(Boolean).join(', ')
}
