import { expect, test } from 'vitest'
import { ablations, entrantOf, standardField } from './index.ts'

const chainOf = (text: string) =>
  entrantOf(text)
    .recipe({ rate: 0.1, schedule: 'flat-cosine' }, 100)
    .links.map(({ name }) => name)

test('an entrant starts from its preset’s rate and takes the one it is given', () => {
  const entrant = entrantOf('nadam:weightDecay=0.01')
  expect(entrant).toMatchObject({ name: 'nadam:weightDecay=0.01', rate: 2e-3 })
  const recipe = entrant.recipe({ rate: 0.5, schedule: 'one-cycle' }, 100)
  expect(recipe.lr).toBe(0.5)
  expect(recipe.schedule!(0)).toBeCloseTo(1 / 25)
  expect(recipe.schedule!(30)).toBe(1)
})

test('options stay, and links go round the chain', () => {
  expect(chainOf('ranger')).toEqual(['radam', 'centralize', 'decay', 'lookahead'])
  expect(chainOf('ranger:gc=false')).toEqual(['radam', 'decay', 'lookahead'])
  expect(chainOf('gc+nesterov')).toEqual(['centralize', 'decay', 'momentum'])
  expect(chainOf('lookahead+cautious+adamw')).toEqual([...['cautious-hold', 'adam', 'decay', 'cautious', 'lookahead']])
  expect(chainOf('gc+lookahead+adamw')).toEqual(['centralize', 'adam', 'decay', 'lookahead'])
})

test('a link more keeps rate and schedule', () => {
  const recipe = entrantOf('gc+sgd').recipe({ rate: 0.2, schedule: 'linear' }, 10)
  expect([recipe.lr, recipe.schedule!(5)]).toEqual([0.2, 0.5])
})

test('every ablation is against one of its own family, and can be made', () => {
  for (const { base, variant } of ablations) {
    expect(chainOf(variant).length).toBeGreaterThan(0)
    expect(variant).not.toBe(base)
    expect(standardField).toContain(base)
  }
})

test.each([
  ['best', /there is no optimizer 'best'/],
  ['ranger:speed=1', /has no option 'speed'/],
  ['ranger:gc', /'gc' of 'ranger:gc' is no option/],
  ['ranger:lr=1', /fixes the rate, which is tuned/],
  ['turbo+ranger', /'turbo' of 'turbo\+ranger' is no link.*gc, lookahead, cautious/],
])('%s is refused', (text, message) => {
  expect(() => entrantOf(text)).toThrow(message)
})
