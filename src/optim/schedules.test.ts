import { describe, expect, test } from 'vitest'
import { parseSchedule } from './schedule-text.ts'
import {
  constant,
  cosine,
  exponential,
  flatCosine,
  join,
  linear,
  oneCycle,
  polynomial,
  product,
  stepDecay,
  triangle,
  untunedWarmUp,
  warmDown,
  warmUp,
} from './schedules.ts'

describe('schedules', () => {
  test.each([
    ['constant', constant(), [1, 1, 1, 1, 1]],
    ['linear', linear(100), [1, 0.75, 0.5, 0.25, 0]],
    ['linear to an end', linear(100, { end: 0.2 }), [1, 0.8, 0.6, 0.4, 0.2]],
    ['cosine', cosine(100), [1, 0.853553, 0.5, 0.146447, 0]],
    ['flat, then cosine', flatCosine(100, { flat: 0.5 }), [1, 1, 1, 0.5, 0]],
    ['one cycle', oneCycle(100, { rise: 0.25, start: 0.1, end: 0 }), [0.1, 1, 0.75, 0.25, 0]],
    ['step', stepDecay([50, 75]), [1, 1, 0.1, 0.01, 0.01]],
    ['exponential', exponential(0.5, 25), [1, 0.5, 0.25, 0.125, 0.0625]],
    ['polynomial', polynomial(100), [1, 0.5625, 0.25, 0.0625, 0]],
    ['warm-down', warmDown(100, { from: 50 }), [1, 1, 1, 0.5, 0]],
    [
      'joined',
      join([
        [linear(50), 50],
        [constant(0.3), 50],
      ]),
      [1, 0.5, 0.3, 0.3, 0.3],
    ],
    ['multiplied', product([linear(100), constant(0.5)]), [0.5, 0.375, 0.25, 0.125, 0]],
  ] as const)('%s', (_, schedule, expected) => {
    for (const [i, factor] of expected.entries()) expect(schedule(25 * i)).toBeCloseTo(factor, 5)
  })

  test('warm up to 1 at the last step of the warm-up', () => {
    expect([0, 1, 2, 3, 4].map(warmUp(4))).toEqual([0.25, 0.5, 0.75, 1, 1])
    expect(untunedWarmUp(0.99)(99)).toBeCloseTo(0.5, 9)
    expect(untunedWarmUp(0.99)(199)).toBe(1)
  })

  test('rise and fall as a triangle', () => {
    const schedule = triangle(100, { rise: 0.2 })
    expect(schedule(0)).toBeGreaterThan(0)
    expect(schedule(20)).toBe(1)
    expect(schedule(60)).toBeCloseTo(0.5, 9)
  })

  test("Ranger's is flat for 72 % of the run", () => {
    const schedule = flatCosine(1000)
    expect(schedule(719)).toBe(1)
    expect(schedule(860)).toBeCloseTo(0.5, 6)
  })

  test('past their end stay where they ended', () => {
    for (const schedule of [linear(10), cosine(10), flatCosine(10), polynomial(10)])
      expect(schedule(1000)).toBeCloseTo(0, 12)
  })
})

describe('schedules from text', () => {
  const horizon = { steps: 1000, stepsPerEpoch: 10 }
  test.each([
    ['flat-cosine', flatCosine(1000)],
    ['cosine', cosine(1000)],
    ['constant', constant()],
    ['step:30,60:0.5', stepDecay([300, 600], 0.5)],
    ['step:50%', stepDecay([500])],
    ['warmup:100s+linear', product([warmUp(100), linear(1000)])],
    ['warmup:5+flat-cosine:0.5', product([warmUp(50), flatCosine(1000, { flat: 0.5 })])],
    ['exponential:0.9', exponential(0.9, 10)],
    ['untuned-warmup+warmdown', product([untunedWarmUp(), warmDown(1000)])],
    ['polynomial:3', polynomial(1000, { power: 3 })],
    [
      'constant@30%>linear:0.5@200s>cosine',
      join([
        [constant(), 300],
        [linear(200, { end: 0.5 }), 200],
        [cosine(500), 500],
      ]),
    ],
    [
      'warmup:50%+linear:0.8@10>cosine',
      join([
        [product([warmUp(50), linear(100, { end: 0.8 })]), 100],
        [cosine(900), 900],
      ]),
    ],
  ] as const)('%s', (text, expected) => {
    const schedule = parseSchedule(text, horizon)
    for (const t of [0, 1, 49, 299, 300, 500, 601, 999]) expect(schedule(t)).toBeCloseTo(expected(t), 12)
  })

  test.each([
    ['constant>cosine', /every part but the last needs a duration/],
    ['constant@50%>cosine@50%', /every part but the last needs a duration/],
    ['constant@110%>cosine', /leave no step for the last/],
    ['constant@soon>cosine', /'soon' is no argument/],
  ])('%s is refused', (text, message) => expect(() => parseSchedule(text, horizon)).toThrow(message))

  test('an unknown name lists the known ones', () => {
    expect(() => parseSchedule('sawtooth', horizon)).toThrow(/no schedule 'sawtooth'; known are constant, .*cosine/)
  })

  test('an argument that is none says how to write it', () => {
    expect(() => parseSchedule('step:soon', horizon)).toThrow(/'soon'.*write step:WHEN/)
    expect(() => parseSchedule('step', horizon)).toThrow(/write step:WHEN/)
  })
})
