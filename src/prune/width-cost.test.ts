import { describe, expect, test } from 'vitest'
import { random } from '../base/index.ts'
import { networks } from '../nn/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { analyzeModel } from './analyze.ts'
import { costEvaluator } from './cost.ts'
import { widthCosts } from './width-cost.ts'

describe('costs told by widths alone are those of the cut itself', () => {
  test.each(['lenet-5', 'resnet-20', 'mobilenet-small', 'gpt-small'])('%s', async (name) => {
    const analysis = await analyzeModel(networks[name]!.build({ seed: 0 }), { runtime: nodeRuntime })
    const { groups } = analysis
    const byUnits = costEvaluator(analysis)
    const byWidth = widthCosts(analysis, groups)!
    const dice = random(1)
    for (let trial = 0; trial < 12; trial++) {
      // Some groups whole, so that shared vectors become one again.
      const counts = groups.map(({ size }) => (dice.below(3) === 0 ? 0 : dice.below(size)))
      const roots = groups.flatMap((group, g) => [...group.roots.subarray(0, counts[g])])
      const { uncounted: _, ...exact } = byUnits(roots)
      const told = byWidth(counts)
      expect(told.macs).toBe(exact.macs)
      expect(told.parameters).toBe(exact.parameters)
      expect(told.bytes).toBe(exact.bytes)
    }
  })
})
