import { expect, test } from 'vitest'
import { operatorCases } from './cases/index.ts'
import { checkSigns, testSigns } from './testing/signs.ts'

testSigns(operatorCases)

test('most operators have units to look at', async () => {
  const looked = new Set<string>()
  for (const c of operatorCases) if (!looked.has(c.op) && (await checkSigns(c)) > 0) looked.add(c.op)
  expect(looked.size).toBeGreaterThan(80)
})
