import { type Random, sizeOf, UsageError } from '../base/index.ts'
import type { Layout } from './types.ts'

/** One sample as it is stored, before `normalise`: pixels from 0 to 255 for pictures. */
export type Sample = {
  readonly values: Float32Array
  readonly dims: readonly number[]
  readonly layout: Layout
  /** The class of each pixel, row by row, where they have one; a change of place moves it along. */
  readonly mask?: Int32Array
  /** The label of pixels that come in from outside: they do not count. */
  readonly ignore?: number
}

/** Changes a sample at random. It returns a new sample of the same shape and leaves the one given as it was. */
export type Augmentation = (sample: Sample, random: Random) => Sample

/** One augmentation after another. */
export const compose =
  (...steps: readonly Augmentation[]): Augmentation =>
  (sample, random) =>
    steps.reduce((changed, step) => step(changed, random), sample)

/**
 * Moves the picture by up to `pixels` in each direction, filling what comes in with `fill` (stored units, default 0).
 * The same as padding every side by `pixels` and cutting a random window of the old size, the usual recipe for CIFAR
 * (He et al. 2015, arXiv:1512.03385, §4.2).
 */
export const randomShift =
  (pixels: number, fill = 0): Augmentation =>
  (sample, random) => {
    const down = random.below(2 * pixels + 1) - pixels
    const right = random.below(2 * pixels + 1) - pixels
    return remapped(
      sample,
      fill,
      (y) => y - down,
      (x) => x - right,
    )
  }

/** Mirrors the picture left to right with this probability (default one half). */
export const horizontalFlip =
  (probability = 0.5): Augmentation =>
  (sample, random) => {
    const { width } = planesOf(sample)
    return random.uniform() < probability
      ? remapped(
          sample,
          0,
          (y) => y,
          (x) => width - 1 - x,
        )
      : sample
  }

/**
 * Augmentations by name: 'flip' is `horizontalFlip`, 'shift:4' is `randomShift(4)`. Undefined for none.
 * @throws UsageError for another name
 */
export const augmentationNamed = (names: readonly string[]): Augmentation | undefined => {
  const steps = names.map((name) => {
    const pixels = /^shift:([1-9]\d*)$/.exec(name)?.[1]
    if (pixels !== undefined) return randomShift(Number(pixels))
    if (name === 'flip') return horizontalFlip()
    throw new UsageError(`there is no augmentation '${name}'`, { remedy: 'use flip or shift:PIXELS, such as shift:4' })
  })
  return steps.length > 0 ? compose(...steps) : undefined
}

/** Rows and columns are the last two axes, or the two before the channels; what is before them counts as planes. */
const planesOf = ({ dims, layout }: Sample) => {
  const interleaved = layout === 'channels-last' && dims.length > 2
  const channels = interleaved ? dims.at(-1)! : 1
  const [width = 1, height = 1] = (interleaved ? dims.slice(0, -1) : dims).toReversed()
  return { channels, height, width, planes: sizeOf(dims) / (channels * height * width) }
}

/** The pixel at (y, x) comes from (rowOf(y), columnOf(x)), or is `fill` when that lies outside. */
const remapped = (
  sample: Sample,
  fill: number,
  rowOf: (y: number) => number,
  columnOf: (x: number) => number,
): Sample => {
  const { planes, height, width, channels } = planesOf(sample)
  const size = height * width
  /** Where each pixel comes from, row by row; −1 from outside. */
  const sources = Int32Array.from({ length: size }, (_, i) => {
    const [row, column] = [rowOf(Math.floor(i / width)), columnOf(i % width)]
    return row >= 0 && row < height && column >= 0 && column < width ? row * width + column : -1
  })
  const values = new Float32Array(sample.values.length)
  let to = 0
  for (let plane = 0; plane < planes; plane++)
    for (const source of sources) {
      const from = (plane * size + source) * channels
      for (let c = 0; c < channels; c++) values[to++] = source < 0 ? fill : sample.values[from + c]!
    }
  const { mask } = sample
  return mask ? { ...sample, values, mask: moved(mask, sources, sample.ignore) } : { ...sample, values }
}

const moved = (mask: Int32Array, sources: Int32Array, ignore: number | undefined): Int32Array => {
  if (ignore === undefined && sources.includes(-1))
    throw new UsageError('pixels that come in from outside the picture are of no class', {
      remedy: 'say which label does not count (--ignore-index), or shift nothing',
    })
  return Int32Array.from(sources, (source) => (source < 0 ? ignore! : mask[source]!))
}
