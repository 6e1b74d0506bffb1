import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FormatError, UsageError } from '../base/index.ts'
import { batchOf } from './batches.ts'
import { type DatasetOptions, dataset } from './dataset.ts'
import { reshape, statistics, withNormalise } from './normalise.ts'
import { split, subset } from './split.ts'

const options: DatasetOptions = {
  name: 'toy',
  inputs: Uint8Array.of(0, 1, 2, 3, 4, 5),
  sampleDims: [1, 2],
  labels: [0, 1, 0],
}

test('counts classes and divides bytes by 255, unless told otherwise', () => {
  const data = dataset(options)
  expect([data.size, data.classes, data.layout]).toEqual([3, ['0', '1'], 'channels-first'])
  expect(data.normalise).toEqual({ scale: 1 / 255, mean: [0], std: [1] })
  expect(dataset({ ...options, inputs: new Float32Array(6) }).normalise.scale).toBe(1)
  expect(dataset({ ...options, classes: ['cat', 'dog', 'eel'] }).classes[2]).toBe('eel')
})

test.each<[string, Partial<DatasetOptions>, RegExp]>([
  ['more labels than samples', { labels: [0, 1, 0, 1] }, /6 values are not 4 samples of shape \[1, 2\]/],
  ['no samples', { labels: [], inputs: new Uint8Array(0) }, /no samples/],
  ['a label past the classes', { classes: 1 }, /label of sample 1 is 1 and there are 1 classes/],
  ['a negative label', { labels: [0, -1, 1] }, /label of sample 1 is -1/],
  ['half a label', { labels: [0, 1, 0.5] }, /label of sample 2 is 0.5/],
  ['a label that is not a number', { labels: [0, Number.NaN, 1] }, /label of sample 1 is NaN/],
  ['a huge label', { labels: [0, 1, 2 ** 40] }, /label of sample 2 is 1099511627776/],
  ['an empty class', { labels: [0, 2, 0] }, /class 1 of 3 has no sample/],
  [
    'labels that are no numbers of classes',
    { labels: [0, 1e6, 2e9] },
    /the label of sample 2 is 2000000000 and there are 3 samples/,
  ],
  ['NaN pixels', { inputs: Float32Array.of(0, 0, 0, Number.NaN, 0, 0) }, /sample 1 holds the value NaN/],
])('%s is refused, naming the file', (_, changes, message) => {
  const make = () => dataset({ ...options, file: 'toy.npz', ...changes })
  expect(make).toThrow(FormatError)
  expect(make).toThrow(message)
  expect(make).toThrow(/file 'toy\.npz'/)
})

test('mean and std must fit the channels and make sense', () => {
  expect(() => dataset({ ...options, normalise: { mean: [0, 0] } })).toThrow(/mean has 2 numbers for 1 channels/)
  expect(() => dataset({ ...options, normalise: { std: [0] } })).toThrow(UsageError)
  expect(() => withNormalise(dataset(options), { scale: Number.NaN })).toThrow(UsageError)
})

test('subsets share their inputs, and subsets of subsets find the right rows', () => {
  const data = dataset(options)
  const inner = subset(subset(data, [2, 1]), [1, 0, 0])
  expect(inner.inputs).toBe(data.inputs)
  expect([...inner.labels]).toEqual([1, 0, 0])
  expect([...inner.rows!]).toEqual([1, 2, 2])
  expect(() => subset(data, [3])).toThrow(/no sample 3 among the 3/)
})

test('another shape of as many values, and of no other', () => {
  expect(reshape(dataset(options), [2, 1, 1]).sampleDims).toEqual([2, 1, 1])
  expect(() => reshape(dataset(options), [3])).toThrow(/shape \[1, 2\] of 'toy' cannot be seen as \[3\]/)
})

test('a split takes its share of every class and of what does not count, loses no sample, and repeats', () => {
  const labels = fc.array(fc.integer({ min: -1, max: 3 }), { minLength: 30, maxLength: 200 })
  fc.assert(
    fc.property(labels, fc.double({ min: 0.1, max: 0.9, noNaN: true }), fc.nat(), (labels, fraction, seed) => {
      const inputs = new Uint8Array(labels.length)
      const data = dataset({ name: 'd', inputs, sampleDims: [1], labels, classes: 4, ignore: -1 })
      const { train, validation } = split(data, fraction, seed)
      expect([...train.rows!, ...validation.rows!].sort((a, b) => a - b)).toEqual([...labels.keys()])
      for (let c = -1; c < 4; c++) {
        const all = labels.filter((label) => label === c).length
        const aside = validation.labels.filter((label) => label === c).length
        expect(Math.abs(aside - all * fraction)).toBeLessThan(1)
      }
      expect(split(data, fraction, seed)).toEqual({ train, validation })
    }),
  )
  expect(() => split(dataset(options), 1, 0)).toThrow(UsageError)
})

test('statistics make every channel of a batch centred and of unit spread, in both layouts', () => {
  const inputs = Uint8Array.from({ length: 60 }, (_, i) => (i * 37) % 251)
  for (const layout of ['channels-first', 'channels-last'] as const) {
    const sampleDims = layout === 'channels-first' ? [3, 2, 1] : [2, 1, 3]
    const raw = dataset({ name: 'd', inputs, sampleDims, labels: new Array(10).fill(0), layout })
    const data = withNormalise(raw, statistics(raw))
    const batch = batchOf(data, [...Array(10).keys()]).inputs
    const values = new Float32Array(batch.bytes.buffer)
    for (let channel = 0; channel < 3; channel++) {
      const own = values.filter((_, i) => (layout === 'channels-first' ? Math.floor(i / 2) : i) % 3 === channel)
      const mean = own.reduce((sum, x) => sum + x, 0) / own.length
      const square = own.reduce((sum, x) => sum + x * x, 0) / own.length
      expect([mean, square].map((x) => Math.round(x * 1e5) / 1e5 + 0)).toEqual([0, 1])
    }
  }
})
