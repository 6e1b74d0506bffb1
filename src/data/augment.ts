import { type Random, sizeOf } from '../base/index.ts'
import type { Layout } from './dataset.ts'

/** One sample as it is stored, before `normalise`: pixels from 0 to 255 for pictures. */
export type Sample = {
  readonly values: Float32Array
  readonly dims: readonly number[]
  readonly layout: Layout
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
  const values = new Float32Array(sample.values.length)
  let to = 0
  for (let plane = 0; plane < planes; plane++)
    for (let y = 0; y < height; y++) {
      const row = rowOf(y)
      for (let x = 0; x < width; x++) {
        const column = columnOf(x)
        const inside = row >= 0 && row < height && column >= 0 && column < width
        const from = ((plane * height + row) * width + column) * channels
        for (let c = 0; c < channels; c++) values[to++] = inside ? sample.values[from + c]! : fill
      }
    }
  return { ...sample, values }
}
