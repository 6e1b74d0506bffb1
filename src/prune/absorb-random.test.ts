import { expect, test } from 'vitest'
import { random } from '../base/index.ts'
import { nodeRuntime as runtime } from '../runtime/node.ts'
import { absorbConstants, analyzeModel, applyPlan, differenceOf, planOf, sampleInputs, verifyPlan } from './index.ts'
import { absorbingModel, heldByHand } from './testing/absorbing.ts'

/** How an absorbed prune of half of all units compares with the network whose removed units are held at their constants. */
const absorbedAt = async (seed: number) => {
  const model = absorbingModel(seed)
  const analysis = await analyzeModel(model, { runtime })
  const dice = random(seed)
  const exact = analysis.groups.filter(({ approximate }) => approximate === undefined)
  const gone = (size: number) => [...dice.shuffle([...Array(size).keys()])].slice(0, size >> 1)
  const cut = planOf(analysis, new Map(exact.map((group) => [group, gone(group.size)])), { criterion: 'chance' })
  const pruned = applyPlan(model, cut, analysis)
  const { model: absorbed, plan } = await absorbConstants(pruned, model, cut, analysis, { runtime })
  const [held, smaller] = [await runtime.open(heldByHand(analysis, plan)), await runtime.open(absorbed)]
  const differences: number[] = []
  for (const batch of [1, 4]) {
    const feeds = sampleInputs(model, { batch, seed: seed + batch })
    const [expected, found] = [await held.run(feeds), await smaller.run(feeds)]
    differences.push(...Object.entries(expected).map(([name, tensor]) => differenceOf(tensor, found[name])))
  }
  await held.close()
  await smaller.close()
  const proof = await verifyPlan(model, absorbed, plan, { runtime })
  return { groups: plan.absorbed?.groups.length ?? 0, difference: Math.max(...differences), proof: proof.equal }
}

test('whatever reads the removed units: absorbing their constants is the network with them held there, or left undone', async () => {
  let groups = 0
  for (let seed = 1; seed <= 60; seed++) {
    const found = await absorbedAt(seed)
    groups += found.groups
    expect({ seed, ...found, difference: found.difference < 1e-4 }).toMatchObject({ difference: true, proof: true })
  }
  expect(groups).toBeGreaterThan(20)
})
