import { expect, test } from 'vitest'
import { operatorCases } from './cases/index.ts'
import { checkSigns, testSigns } from './testing/signs.ts'

// Whole numbers stand for real ones there: 0 is the zero point.
const cases = operatorCases.filter(({ op }) => op !== 'QuantizeLinear' && op !== 'DynamicQuantizeLinear')

testSigns(cases)

test('most operators have units to look at', async () => {
  const looked = new Set<string>()
  for (const c of cases) if (!looked.has(c.op) && (await checkSigns(c)) > 0) looked.add(c.op)
  expect(looked.size).toBeGreaterThan(80)
})
