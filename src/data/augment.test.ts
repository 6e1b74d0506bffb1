import { describe, expect, test } from 'vitest'
import { numbersOf, type Random, random } from '../base/index.ts'
import { type Augmentation, augmentationNamed, compose, horizontalFlip, randomShift, type Sample } from './augment.ts'
import { batchOf } from './batches.ts'
import { dataset } from './dataset.ts'

/** Dice that fall as told. */
const loaded = (...throws: number[]): Random => ({
  ...random(0),
  below: () => throws.shift()!,
  uniform: () => throws.shift()!,
})
const first: Sample = {
  values: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
  dims: [2, 2, 3],
  layout: 'channels-first',
}
// The same two channels of 2 × 3, interleaved.
const last: Sample = {
  values: Float32Array.of(1, 7, 2, 8, 3, 9, 4, 10, 5, 11, 6, 12),
  dims: [2, 3, 2],
  layout: 'channels-last',
}

test('a shift moves every channel and fills what comes in', () => {
  // With at most one pixel, 2 and 0 mean one down and one to the left.
  expect([...randomShift(1, -1)(first, loaded(2, 0)).values]).toEqual([-1, -1, -1, 2, 3, -1, -1, -1, -1, 8, 9, -1])
  expect([...randomShift(1, -1)(last, loaded(2, 0)).values]).toEqual([-1, -1, -1, -1, -1, -1, 2, 8, 3, 9, -1, -1])
  expect(randomShift(1)(first, loaded(1, 1)).values).toEqual(first.values)
})

test('a flip mirrors the rows of every channel', () => {
  expect([...horizontalFlip()(first, loaded(0.4)).values]).toEqual([3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10])
  expect([...horizontalFlip()(last, loaded(0.4)).values]).toEqual([3, 9, 2, 8, 1, 7, 6, 12, 5, 11, 4, 10])
  expect(horizontalFlip()(first, loaded(0.6))).toBe(first)
})

test('the sample given stays as it was, and steps follow one another', () => {
  const before = first.values.slice()
  const both = compose(horizontalFlip(1), randomShift(1))(first, loaded(0, 1, 2))
  expect([...both.values.slice(0, 6)]).toEqual([0, 3, 2, 0, 6, 5])
  expect(first.values).toEqual(before)
})

test('every shift is as likely as another, and both of a picture’s ways', () => {
  const dice = random(1)
  const seen = new Map<string, number>()
  const sample: Sample = { values: Float32Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0), dims: [3, 3], layout: 'channels-first' }
  for (let i = 0; i < 9000; i++) {
    const key = String(randomShift(1)(sample, dice).values)
    seen.set(key, (seen.get(key) ?? 0) + 1)
  }
  expect(seen.size).toBe(9)
  for (const count of seen.values()) expect(Math.abs(count - 1000)).toBeLessThan(150)
})

describe('a class for each pixel', () => {
  const picture = Uint8Array.from({ length: 2 * 12 }, (_, i) => i % 12)
  const data = dataset({
    ...{ name: 'pixels', inputs: picture, sampleDims: [1, 3, 4], classes: 12, ignore: 255 },
    ...{ labels: picture, labelDims: [3, 4], normalise: { scale: 1 } },
  })
  const seen = (augmentation: Augmentation, from = data) => {
    const { inputs, labels } = batchOf(from, [0, 1], { with: augmentation, seed: 1, epoch: 2 })
    return [Array.from(new Float32Array(inputs.bytes.buffer)), numbersOf(labels)] as const
  }

  test('goes where its pixel goes', () => {
    const [pixels, labels] = seen(horizontalFlip(1))
    expect(labels.slice(0, 4)).toEqual([3, 2, 1, 0])
    expect(labels).toEqual(pixels)
    const [moved, mask] = seen(randomShift(2, 255))
    expect(mask).toEqual(moved)
    expect(mask).toContain(255)
    expect(mask).not.toEqual(numbersOf(batchOf(data, [0, 1]).labels))
  })

  test('is not made up for pixels from outside', () => {
    const { ignore: _, ...unmarked } = data
    expect(() => seen(randomShift(2), unmarked)).toThrow('--ignore-index')
    expect(seen(horizontalFlip(1), unmarked)).toEqual(seen(horizontalFlip(1)))
  })
})

test('augmentations by name', () => {
  expect(augmentationNamed([])).toBeUndefined()
  expect(augmentationNamed(['flip', 'shift:2'])).toBeTypeOf('function')
  for (const name of ['shift', 'shift:0', 'rotate'])
    expect(() => augmentationNamed([name])).toThrow('use flip or shift:')
})
