import { expect, test } from 'vitest'
import { type Random, random } from '../base/index.ts'
import { compose, horizontalFlip, randomShift, type Sample } from './augment.ts'

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
