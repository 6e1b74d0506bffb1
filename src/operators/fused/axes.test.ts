import { expect, test } from 'vitest'
import { fusedCases, fusedPruningCases } from '../cases/fused.ts'
import { fusedRows, operatorOf } from '../index.ts'
import { caseContext, factsOf, testAxes } from '../testing/axes.ts'
import { testSigns } from '../testing/signs.ts'

const all = [...fusedCases, ...fusedPruningCases]
const contextOfCase = async (op: string, name: string) =>
  (await caseContext(all.find((c) => c.op === op && c.name === name)!)).context
const cases: typeof all = []
for (const c of all) if (operatorOf((await caseContext(c)).one.node)) cases.push(c)

testAxes(cases)
testSigns(cases)

test('every row has a case', () => {
  const tried = new Set(all.map(({ domain = '', op }) => `${domain} ${op}`))
  const rows = Object.entries(fusedRows).flatMap(([domain, names]) => Object.keys(names).map((op) => `${domain} ${op}`))
  expect(rows.filter((name) => !tried.has(name))).toEqual([])
})

test.each([
  ['Attention', 'plain', 2],
  ['Attention', 'sizes of its own', 2],
  ['MultiHeadAttention', 'biases', 2],
  // Query heads 0 and 1 share a head of keys and values.
  ['GroupQueryAttention', 'past words', 2],
])('%s (%s): its heads are units', async (op, name, heads) => {
  const { units } = factsOf(await contextOfCase(op, name), 0)
  expect([...units.values()].filter((places) => places.some((place) => place.startsWith('out0 2 '))).length).toBe(heads)
})
