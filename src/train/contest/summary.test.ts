import { expect, test } from 'vitest'
import { differences, summarise, type TrialResult } from './index.ts'

const run = (optimizer: string, more: Partial<TrialResult>): TrialResult => ({
  ...{ data: 'digits', network: 'net', optimizer, schedule: 'constant', rate: 0.1, seed: 1, on: 'test' },
  ...{ samples: 100, validation: 50, test: 50, epochs: 2, batch: 10, accuracy: 0.9, loss: 0.3, curve: [] },
  ...more,
})

const tuning = (optimizer: string, scores: Record<number, number>) =>
  Object.entries(scores).map(([rate, accuracy]) =>
    run(optimizer, { rate: Number(rate), accuracy, on: 'validation', seed: 0 }),
  )

const results = [
  ...tuning('a', { 0.1: 0.8, 0.3: 0.9, 1: 0.7 }),
  run('a', {
    rate: 0.3,
    accuracy: 0.9,
    curve: [
      [10, 0.5],
      [15, 0.88],
    ],
  }),
  run('a', {
    rate: 0.3,
    seed: 2,
    accuracy: 0.94,
    curve: [
      [10, 0.7],
      [15, 0.93],
    ],
  }),
  // Better on the test samples, but not what was chosen.
  run('a', { rate: 0.1, accuracy: 0.99 }),
  ...tuning('b', { 0.1: 0.8, 0.3: 0.7 }),
  run('b', {
    accuracy: 0.96,
    curve: [
      [10, 0.9],
      [15, 0.95],
    ],
  }),
  run('b', {
    seed: 2,
    accuracy: 0.8,
    curve: [
      [10, 0.7],
      [15, 0.75],
    ],
  }),
  // Not yet run with its best setting, or with one seed only.
  ...tuning('d', { 0.1: 0.99 }),
  run('d', { accuracy: 0.99 }),
  ...tuning('c', { 0.1: 0.99 }),
]

const [arena] = summarise(results)

test('an arena says how long its runs were and how many settings were tried', () => {
  // Twice 100 samples, ten at a time.
  expect(arena).toMatchObject({ data: 'digits', network: 'net', steps: 20, settings: 3 })
})

test('the setting chosen is the best on validation, and its runs alone count', () => {
  expect(arena!.standings.map(({ optimizer, rate, atEdge }) => [optimizer, rate, atEdge])).toEqual([
    ['a', 0.3, false],
    ['b', 0.1, true],
  ])
  const [a, b] = arena!.standings
  expect(a!.mean).toBeCloseTo(0.92)
  expect(a!.deviation).toBeCloseTo(Math.sqrt(2) * 0.02)
  expect(b!.mean).toBeCloseTo(0.88)
})

test('the target lies a point below where the median curve ends', () => {
  // The curves end at 0.905 and 0.85.
  expect(arena!.target).toBeCloseTo(0.8675)
  const [a, b] = arena!.standings
  expect(a!.stepsToTarget).toEqual([15, 15])
  expect(b!.stepsToTarget).toEqual([10, null])
})

test('curves are means over the seeds', () => {
  const curve = arena!.standings[0]!.curve
  expect(curve.map(([step]) => step)).toEqual([10, 15])
  expect(curve[0]![1]).toBeCloseTo(0.6)
  expect(curve[1]![1]).toBeCloseTo(0.905)
})

test('a variant is compared seed by seed', () => {
  const [difference] = differences(summarise(results), 'a', 'b')
  expect(difference).toMatchObject({ data: 'digits', network: 'net', steps: 20 })
  // 0.96 − 0.90 and 0.80 − 0.94.
  expect(difference!.mean).toBeCloseTo(-0.04)
  expect(difference!.error).toBeCloseTo(0.1)
  expect(differences(summarise(results), 'a', 'c')).toEqual([])
})

test('nothing finished, nothing said', () => {
  expect(summarise(tuning('a', { 0.1: 0.5 }))).toEqual([])
})
