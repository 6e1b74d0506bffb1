import { describe, expect, test } from 'vitest'
import { networks } from '../nn/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { analyzeModel } from './analyze.ts'
import { applyPlan, type Cost, costOf, type PlanOptions, planPruning } from './index.ts'

const runtime = nodeRuntime
const read = { macs: 'macs', params: 'parameters', bytes: 'bytes' } as const satisfies Record<string, keyof Cost>
const quantities = ['macs', 'params', 'bytes'] as const

/** What is left of a target: 1 is all of the budget, above it too much. */
const reached = async (name: string, requests: readonly PlanOptions[]): Promise<[string, number][]> => {
  const model = networks[name]!.build({ seed: 0 })
  const [analysis, whole] = [await analyzeModel(model, { runtime }), await costOf(model, { runtime })]
  const found: [string, number][] = []
  for (const request of requests)
    for (const quantity of quantities)
      for (const share of [0.35, 0.6, 0.85]) {
        const target = { macs: { macs: share }, params: { params: share }, bytes: { bytes: share } }[quantity]
        const plan = planPruning(model, analysis, { ...request, target, approximate: true })
        const cost = await costOf(applyPlan(model, plan, analysis), { runtime })
        found.push([
          `${name} ${quantity} ${share} ${JSON.stringify(request)}`,
          cost[read[quantity]] / (share * whole[read[quantity]]),
        ])
      }
  return found
}

/** Networks of a few narrow layers come as near as the widths of their layers allow. */
const scopes = (['local', 'global', 'isomorphic'] as const).map((scope) => ({ scope }))

describe('budgets are kept, and used to two per cent', () => {
  test.each([
    ['seed-cnn', scopes],
    ['tf-cnn', [...scopes, { scope: 'global', maxRatio: 0.9 }]],
    ['lenet-300-100', [...scopes, { roundTo: 4 }]],
    ['resnet-20', [{}, { scope: 'global', roundTo: 4, rounding: 'up' }, { roundTo: 8 }]],
    ['mobilenet-small', [{ scope: 'isomorphic' }, { roundTo: 4, rounding: 'down' }]],
    ['gpt-small', [{ scope: 'global', roundTo: 8 }]],
  ] as [string, PlanOptions[]][])('%s', async (name, requests) => {
    for (const [request, share] of await reached(name, requests)) {
      expect(share, request).toBeLessThanOrEqual(1)
      expect(share, request).toBeGreaterThan(0.98)
    }
  })
})
