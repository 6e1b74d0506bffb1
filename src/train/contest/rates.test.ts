import { expect, test } from 'vitest'
import { nextRate, type Tried } from './index.ts'

/** The rates that a search tries, given how good each is. */
const searched = (start: number, count: number, score: (rate: number) => number): number[] => {
  const tried: Tried[] = []
  while (tried.length < count) {
    const rate = nextRate(start, tried)
    tried.push({ rate, score: score(rate) })
  }
  return tried.map(({ rate }) => Number(rate.toPrecision(2)))
}

test.each([
  ['the greatest is best: on and on up', (rate: number) => rate, [0.01, 0.032, 0.1, 0.32]],
  ['the least is best: on and on down', (rate: number) => -rate, [0.01, 0.032, 0.0032, 0.001]],
  ['one between is best: nearer to it', (rate: number) => -Math.abs(Math.log(rate / 0.035)), [0.01, 0.032, 0.1, 0.056]],
  [
    'the first is best: below it, then nearer',
    (rate: number) => -Math.abs(Math.log(rate / 0.009)),
    [0.01, 0.032, 0.0032, 0.0056],
  ],
])('%s', (_, score, expected) => {
  expect(searched(0.01, 4, score)).toEqual(expected)
})

test('a search among diverged runs goes down', () => {
  expect(searched(1, 3, () => 0)).toEqual([1, 3.2, 0.32])
})
