import fc from 'fast-check'
import { expect, test } from 'vitest'
import { float32Of, numbersOf, random, UsageError } from '../base/index.ts'
import { compose, horizontalFlip, randomShift } from './augment.ts'
import { type BatchesOptions, batches, batchOf } from './batches.ts'
import { dataset } from './dataset.ts'

const data = dataset({
  name: 'toy',
  inputs: Uint8Array.from({ length: 10 * 6 }, (_, i) => i * 4),
  sampleDims: [1, 2, 3],
  labels: [0, 1, 2, 3, 0, 1, 2, 3, 0, 1],
})

test('a batch has normalised floats, int64 labels and its indices', () => {
  const { inputs, labels, indices } = batchOf(data, [3, 0])
  expect([inputs.type, inputs.dims, labels.type, labels.dims]).toEqual(['float32', [2, 1, 2, 3], 'int64', [2]])
  expect(numbersOf(labels)).toEqual([3, 0])
  expect([...indices]).toEqual([3, 0])
  expect(float32Of(inputs)).toEqual(Float32Array.of(72, 76, 80, 84, 88, 92, 0, 4, 8, 12, 16, 20).map((x) => x / 255))
  expect(() => batchOf(data, [10])).toThrow(/no sample 10/)
})

test('every byte over 255 is the float32 nearest to the quotient', () => {
  const bytes = dataset({
    name: 'b',
    inputs: Uint8Array.from({ length: 256 }, (_, i) => i),
    sampleDims: [256],
    labels: [0],
  })
  const values = float32Of(batchOf(bytes, [0]).inputs)
  expect([...values]).toEqual(Array.from({ length: 256 }, (_, i) => Math.fround(i / 255)))
})

test('floats are normalised as bytes are, channel by channel', () => {
  const normalise = { scale: 0.5, mean: [1, 2], std: [2, 4] }
  for (const inputs of [Uint8Array.of(2, 4, 6, 8), Float32Array.of(2, 4, 6, 8)]) {
    const first = dataset({ name: 'f', inputs, sampleDims: [2, 2], labels: [0], normalise })
    expect(numbersOf(batchOf(first, [0]).inputs)).toEqual([0, 0.5, 0.25, 0.5])
    const last = dataset({ name: 'l', inputs, sampleDims: [2, 2], labels: [0], normalise, layout: 'channels-last' })
    expect(numbersOf(batchOf(last, [0]).inputs)).toEqual([0, 0, 1, 0.5])
  }
})

test('an epoch gives each sample once, in order or shuffled anew', () => {
  const ordered = batches(data, { batch: 4 })
  expect(ordered.perEpoch).toBe(3)
  expect([...ordered].map(({ indices }) => [...indices])).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9],
  ])
  const shuffled = batches(data, { batch: 4, shuffle: random(5) })
  const epochs = [1, 2].map(() => [...shuffled].flatMap(({ indices }) => [...indices]))
  for (const epoch of epochs) expect(epoch.toSorted((a, b) => a - b)).toEqual([...Array(10).keys()])
  expect(epochs[0]).not.toEqual(epochs[1])
  expect([...batches(data, { batch: 4, dropLast: true })].map(({ indices }) => indices.length)).toEqual([4, 4])
})

test('a saved position continues exactly, from every step, through JSON', () => {
  const augment = { with: compose(randomShift(1), horizontalFlip()), seed: 3 }
  const options = (): BatchesOptions => ({ batch: 3, shuffle: random(11), augment })
  fc.assert(
    fc.property(fc.nat(20), fc.boolean(), (steps, dropLast) => {
      const whole = batches(data, { ...options(), dropLast })
      for (let i = 0; i < steps; i++) whole.next()
      const resumed = batches(data, { ...options(), dropLast }, JSON.parse(JSON.stringify(whole.state())))
      for (let i = 0; i < 9; i++) {
        expect(resumed.state()).toEqual(whole.state())
        expect(resumed.next()).toEqual(whole.next())
      }
    }),
  )
})

test('the caller’s generator goes on alike whether a run is fresh or resumed', () => {
  const fresh = random(1)
  const state = batches(data, { batch: 3, shuffle: fresh }).state()
  const resumed = random(1)
  batches(data, { batch: 3, shuffle: resumed }, state)
  expect(resumed.state()).toEqual(fresh.state())
})

test('an interrupted epoch goes on where it stopped', () => {
  const some = batches(data, { batch: 4 })
  for (const { indices } of some) if (indices[0] === 4) break
  expect([...some].map(({ indices }) => [...indices])).toEqual([[8, 9]])
  expect(some.state()).toEqual({ epoch: 1, position: 0, random: null })
})

test('requests that make no sense are refused', () => {
  expect(() => batches(data, { batch: 0 })).toThrow(UsageError)
  expect(() => batches(data, { batch: 1.5 })).toThrow(/whole number/)
  expect(() => batches(data, { batch: 11, dropLast: true })).toThrow(/less than a batch of 11/)
  const far = { epoch: 0, position: 10, random: null }
  expect(() => batches(data, { batch: 1 }, far)).toThrow(/saved position does not fit/)
  expect(() => batches(data, { batch: 1, shuffle: random(1) }, { ...far, position: 0 })).toThrow(/does not fit/)
})

test('augmentation depends on the sample and the epoch, not on how batches are cut', () => {
  const augment = { with: randomShift(1), seed: 7 }
  const together = numbersOf(batchOf(data, [4, 5], { ...augment, epoch: 2 }).inputs)
  const apart = [4, 5].flatMap((index) => numbersOf(batchOf(data, [index], { ...augment, epoch: 2 }).inputs))
  expect(together).toEqual(apart)
  const epochs = Array.from({ length: 20 }, (_, epoch) =>
    String(numbersOf(batchOf(data, [4], { ...augment, epoch }).inputs)),
  )
  expect(new Set(epochs).size).toBeGreaterThan(3)
})
