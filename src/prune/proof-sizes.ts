import type { Model } from '../onnx/index.ts'
import { type FreeAxis, freeAxes, hasFreeBatch, type SampleOptions, usualSize } from './feeds.ts'

/** Sizes of one run: the batch, and the other free axes as in `SampleOptions.sizes`. */
export type RunSizes = {
  readonly batch: number
  readonly sizes: { readonly [axis: string]: number }
  /** Far above the usual size, where an engine's mean of equal numbers is no longer that number to five digits. */
  readonly far?: boolean
}

export type ProofSizes = {
  /** The usual size; then primes below and above it, sides that differ, and several batches. */
  readonly runs: readonly RunSizes[]
  /** For models that take few sizes: tried in order where fewer than two of `runs` beyond the first are accepted. */
  readonly others: readonly RunSizes[]
}

/** What a free axis is given in a run: sizes of the first, second… axis of its kind. */
type Pattern = {
  readonly batch: number
  readonly image: readonly number[]
  readonly length: readonly number[]
}

/**
 * Primes, since sizes that share no divisor show what was frozen by chance; sides in both orders; below and above what the
 * analysis runs (64 and 96, 16 and 24). With batches they come to about five runs of one sample at the usual size.
 */
const primes: readonly Pattern[] = [
  { batch: 2, image: [37, 53, 41, 43], length: [7, 11, 5, 13] },
  { batch: 3, image: [47, 31, 29, 37], length: [29, 23, 31, 19] },
  { batch: 1, image: [101, 83, 89, 97], length: [37, 41, 43, 47] },
  { batch: 9, image: [23, 17, 19, 13], length: [5, 3, 7, 2] },
]

/** Multiples of 32 and axes of one length, which a network that halves its input or adds two of them may insist on. */
const even: readonly Pattern[] = [
  { batch: 2, image: [96, 32, 64], length: [8, 8, 8] },
  { batch: 3, image: [32, 64, 32], length: [32, 32, 32] },
  { batch: 2, image: [48, 48, 48], length: [24, 24, 24] },
]

/** Far above the usual size, where a limit such as the best 1000 of n is reached. */
const large: readonly Pattern[] = [
  { batch: 1, image: [521, 257], length: [1031, 1033] },
  { batch: 1, image: [257, 131], length: [257, 263] },
]

/** Multiply–accumulates that a run beyond the usual ones may take: some hundredths of a second. */
const cheap = 2e8

/**
 * The sizes at which a prune is proved: ones the analysis never ran, wherever an axis of an input is free.
 *
 * @param given sizes that are settled
 * @param macs what one sample of the usual size takes; runs that would be long beside it are left out
 */
export const proofSizes = (model: Model, given: SampleOptions['sizes'], macs: number): ProofSizes => {
  const axes = freeAxes(model)
  const free = axes.filter(({ name, keys }) => ![name, ...keys].some((key) => Object.hasOwn(given ?? {}, key)))
  const [usual, batches] = [{ batch: 1, sizes: { ...given } }, hasFreeBatch(model)]
  if (free.length === 0) {
    const more = [3, 2, ...(macs * 9 <= cheap ? [9] : [])]
    return { runs: [usual, ...(batches ? more.map((batch) => ({ ...usual, batch })) : [])], others: [] }
  }
  const run = (pattern: Pattern): RunSizes => ({
    batch: batches ? pattern.batch : 1,
    sizes: { ...given, ...sizesOf(free, pattern) },
  })
  const far = large.find((pattern) => macs * work(free, pattern) <= cheap)
  const kept = batches
    ? [
        { ...usual, batch: 3 },
        { ...usual, batch: 2 },
      ]
    : []
  const runs = [usual, ...primes.map(run), ...(far ? [{ ...run(far), far: true }] : [])]
  return { runs, others: [...even.map(run), ...kept] }
}

const sizesOf = (free: readonly FreeAxis[], pattern: Pattern): { readonly [key: string]: number } => {
  const next = { image: 0, length: 0 }
  return Object.fromEntries(
    free.flatMap(({ kind, keys }) => {
      const list = pattern[kind]
      const size = list[next[kind]++ % list.length]!
      return keys.map((key) => [key, size])
    }),
  )
}

/** How much more work a run is than one of the usual size, at most: attention squares a length. */
const work = (free: readonly FreeAxis[], pattern: Pattern): number => {
  const sizes = sizesOf(free, pattern)
  return free.reduce((product, { kind, keys }) => {
    const ratio = sizes[keys[0]!]! / usualSize[kind]
    return product * (kind === 'length' ? ratio ** 2 : ratio)
  }, 1)
}
