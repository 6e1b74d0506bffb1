import { expect, test } from 'vitest'
import { extent, linear, logarithmic, niceTicks, nines } from './scale.ts'

test.each([
  [
    [0, 1],
    [0, 0.2, 0.4, 0.6, 0.8, 1],
  ],
  [
    [0, 7200],
    [0, 2000, 4000, 6000],
  ],
  [
    [-0.3, 0.3],
    [-0.2, 0, 0.2],
  ],
  [
    [0.98, 0.992],
    [0.98, 0.985, 0.99],
  ],
  [[5, 5], [5]],
] as const)('nice ticks of %j', ([low, high], wanted) => {
  expect(niceTicks([low, high])).toEqual(wanted)
})

test('nice ticks lie inside any range, evenly, and are never many', () => {
  for (let k = 0; k < 200; k++) {
    const low = Math.tan(k) * 10 ** ((k % 13) - 6)
    const high = low + Math.abs(Math.sin(k)) * 10 ** ((k % 9) - 4)
    const ticks = niceTicks([low, high])
    expect(ticks.length).toBeLessThanOrEqual(12)
    for (const tick of ticks) {
      expect(tick).toBeGreaterThanOrEqual(low - (high - low) * 1e-6)
      expect(tick).toBeLessThanOrEqual(high + (high - low) * 1e-6)
    }
  }
})

test('scales send the ends of their domain to the ends of their range', () => {
  for (const make of [linear, logarithmic, nines]) {
    const scale = make([0.1, 0.99], [200, 20])
    expect(scale(0.1)).toBeCloseTo(200, 9)
    expect(scale(0.99)).toBeCloseTo(20, 9)
  }
})

test('a scale of nines spaces 90, 99 and 99.9 % evenly and keeps 1 in the frame', () => {
  const scale = nines([0.9, 0.999], [0, 100])
  expect(scale(0.99)).toBeCloseTo(50, 9)
  expect(scale(1)).toBeCloseTo(100, 9)
})

test('a logarithmic scale puts what has no logarithm at its lower end', () => {
  expect(logarithmic([0.01, 1], [0, 100])(0)).toBe(0)
})

test('extent passes over what is not finite', () => {
  expect(extent([Number.NaN, 3, Number.POSITIVE_INFINITY, -1])).toEqual([-1, 3])
  expect(extent([Number.NaN])).toEqual([0, 1])
})
