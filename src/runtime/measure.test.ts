import { expect, test } from 'vitest'
import { latencyOf } from './measure.ts'

test.each([
  { times: [5], median: 5, min: 5, p10: 5, p90: 5 },
  { times: [1, 3], median: 2, min: 1, p10: 1, p90: 3 },
  { times: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], median: 5.5, min: 1, p10: 1, p90: 9 },
  { times: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], median: 6, min: 1, p10: 2, p90: 10 },
])('of $times.length times', ({ times, ...expected }) => {
  expect(latencyOf(Float64Array.from(times))).toEqual(expected)
})
