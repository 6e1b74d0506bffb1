import { expect, test } from 'vitest'
import { entrantOf, finished, type TrialResult } from './index.ts'
import { type Budget, search } from './search.ts'

const arena = {
  ...{ data: 'digits', network: 'net', samples: 100, validation: 50, test: 50 },
  ...{ epochs: 2, batch: 10, curve: [] },
}

/** Runs an entrant's search where accuracy falls with the distance of the rate from `best`, along the logarithm. */
const searched = (optimizer: string, best: number, budget: Budget): TrialResult[] => {
  const found: TrialResult[] = []
  const trials = search(entrantOf(optimizer), budget)
  for (let next = trials.next(); !next.done; ) {
    const { rate, schedule } = next.value
    const accuracy = 0.9 - 0.1 * Math.abs(Math.log(rate / best)) - (schedule === 'linear' ? 0 : 0.001)
    const result = { ...arena, optimizer, ...next.value, accuracy, loss: 0.3 }
    found.push(result)
    next = trials.next(result)
  }
  return found
}
const settings = (results: readonly TrialResult[]) =>
  results.map(({ schedule, rate, on, seed }) => [schedule, rate, on, seed])

test('each schedule gets its rates, the second from the first’s best on; then the best with new seeds', () => {
  const found = searched('sgd', 10, { schedules: ['constant', 'linear'], rates: 3, seeds: 2 })
  expect(settings(found)).toEqual([
    ['constant', 0.032, 'validation', 0],
    ['constant', 0.1, 'validation', 0],
    ['constant', 0.32, 'validation', 0],
    ['linear', 0.32, 'validation', 0],
    ['linear', 1, 'validation', 0],
    ['linear', 3.2, 'validation', 0],
    ['linear', 3.2, 'test', 1],
    ['linear', 3.2, 'test', 2],
  ])
})

test('of a file to which contests with other budgets have added, a budget finds its own runs alone', () => {
  const budgets = [3, 4, 2].map((rates) => ({ schedules: ['constant', 'linear'], rates, seeds: 2 }))
  const contests = budgets.map((budget) => [...searched('sgd', 10, budget), ...searched('radam', 0.02, budget)])
  const file = contests.flat()
  for (const [i, budget] of budgets.entries()) expect(finished(file, budget)).toEqual(contests[i])
  // More rates found a better one: with the runs of both, the table of the smaller budget would show it.
  expect(contests[0]!.at(7)!.rate).not.toBe(contests[1]!.at(9)!.rate)
})

test('rates and seeds that are left open are those with which most are finished, of equals the most', () => {
  const schedules = ['constant', 'linear']
  const of = (optimizer: string, rates: number, seeds: number) => searched(optimizer, 10, { schedules, rates, seeds })
  const [three, four] = [[...of('sgd', 3, 2), ...of('radam', 3, 2)], of('sgd', 4, 2)]
  expect(finished([...three, ...four], { schedules })).toEqual(three)
  const both = [...four, ...of('radam', 4, 2)]
  expect(finished([...three, ...both], { schedules })).toEqual(both)
  expect(finished([...three, ...of('radam', 3, 3)], { schedules })).toEqual(of('radam', 3, 3))
  // Another arena is looked at for itself.
  const longer = three.map((result) => ({ ...result, epochs: 9 }))
  expect(finished([...both, ...longer], { schedules })).toEqual([...both, ...longer])
})

test('fewer seeds or schedules are part of more', () => {
  const file = searched('sgd', 1, { schedules: ['constant', 'linear'], rates: 2, seeds: 3 })
  expect(finished(file, { schedules: ['constant', 'linear'], rates: 2, seeds: 2 })).toEqual(file.slice(0, -1))
})

test('who lacks a run is left out', () => {
  const budget = { schedules: ['linear'], rates: 3, seeds: 2 }
  const [whole, other] = [searched('sgd', 1, budget), searched('radam', 1, budget)]
  for (const missing of other)
    expect(finished([...whole, ...other.filter((result) => result !== missing)], budget)).toEqual(whole)
})

test('runs of another length or measured on other samples are another arena’s', () => {
  const budget = { schedules: ['linear'], rates: 2, seeds: 1 }
  const [short, long] = [searched('sgd', 1, budget), searched('sgd', 0.01, budget).map((r) => ({ ...r, epochs: 9 }))]
  expect(finished([...short, ...long], budget)).toEqual([...short, ...long])
  const mixed = [...short.slice(0, 2), ...short.slice(2).map((result) => ({ ...result, test: 9 }))]
  expect(finished(mixed, budget)).toEqual([])
})
