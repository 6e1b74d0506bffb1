import { beforeAll, describe, expect, test } from 'vitest'
import { float32, float32Of } from '../base/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { analyzeModel } from './analyze.ts'
import { applyPlan, costOf, matches, type PlanOptions, planPruning } from './index.ts'
import { smallCnn } from './testing/networks.ts'
import type { Analysis, Plan } from './types.ts'

const model = smallCnn()
let analysis: Analysis
beforeAll(async () => {
  analysis = await analyzeModel(model, { runtime: nodeRuntime })
})

const plan = (options: PlanOptions): Plan => planPruning(model, analysis, options)
const widths = (options: PlanOptions) => plan(options).groups.map(({ kept }) => kept)

/** Sums of conv1's kernels, as the article computes them. */
const sums = () => {
  const w = float32Of(model.graph.initializers.get('conv1.weight')!)
  return Array.from({ length: 8 }, (_, k) => w.subarray(k * 18, (k + 1) * 18).reduce((total, x) => total + x, 0))
}

describe("the article's rule", () => {
  test('keeps the kernels whose sum is at least the sorted list’s threshold', () => {
    const sorted = sums().sort((a, b) => a - b)
    const kept = [...sums().keys()].filter((k) => sums()[k]! >= sorted[5]!)
    expect(plan({ criterion: 'sum', keepBest: { conv1: 3 } }).slices['conv1.weight']!['0']).toEqual(kept)
  })

  test('among equal kernels the earlier ones stay, and no more than asked', () => {
    const tied = smallCnn()
    tied.graph.initializers.set('conv1.weight', float32([8, 2, 3, 3], new Float32Array(144).fill(1)))
    const { slices } = planPruning(tied, analysis, { criterion: 'sum', keepBest: { conv1: 3 } })
    expect(slices['conv1.weight']!['0']).toEqual([0, 1, 2])
  })
})

describe('how much goes', () => {
  test('a local ratio takes the same share of every group, never all', () => {
    expect(widths({ target: { ratio: 0.25 } })).toEqual([6, 9])
    expect(widths({ target: { ratio: 0.99 } })).toEqual([1, 1])
    expect(widths({ target: { ratio: 0 } })).toEqual([8, 12])
  })

  test('a global ratio takes the lowest scores wherever they are', () => {
    const skewed = smallCnn()
    const { dims } = skewed.graph.initializers.get('conv2.weight')!
    skewed.graph.initializers.set(
      'conv2.weight',
      float32(
        dims,
        new Float32Array(12 * 72).map((_, i) => (i < 72 ? 9 : 1e-4)),
      ),
    )
    const { groups } = planPruning(skewed, analysis, { target: { ratio: 0.5 }, scope: 'global', criterion: 'l1' })
    expect(groups.map(({ kept }) => kept)).toEqual([8, 2])
  })

  test('an isomorphic ratio ranks only groups built alike', () => {
    // conv1 feeds a convolution and conv2 a dense layer: each is alone.
    expect(widths({ target: { ratio: 0.5 }, scope: 'isomorphic', criterion: 'l1' })).toEqual([4, 6])
  })

  test('per-layer ratios, and layers that are kept', () => {
    expect(widths({ target: { ratio: 0.5 }, ratios: { conv2: 0.75 } })).toEqual([4, 3])
    expect(widths({ ratios: { 'conv*': 0.25 } })).toEqual([6, 9])
    expect(widths({ target: { ratio: 0.5 }, keep: ['conv2'] })).toEqual([4, 12])
    expect(widths({ target: { ratio: 0.5 }, keep: ['conv2'], keepInputs: true })).toEqual([8, 12])
    expect(widths({ target: { ratio: 0.5 }, keep: ['fc'] })).toEqual([4, 6])
  })

  test('widths are rounded, and the cap holds after rounding', () => {
    expect(widths({ target: { ratio: 0.4 }, roundTo: 4, rounding: 'up' })).toEqual([8, 8])
    expect(widths({ target: { ratio: 0.4 }, roundTo: 4, rounding: 'down' })).toEqual([4, 8])
    expect(widths({ target: { ratio: 0.9 }, roundTo: 4 })).toEqual([4, 4])
    expect(widths({ target: { ratio: 0.9 }, maxRatio: 0.3 })).toEqual([6, 9])
    expect(widths({ target: { ratio: 0.9 }, maxRatio: 0.3, roundTo: 4 })).toEqual([8, 12])
  })

  test.each(['macs', 'params', 'bytes'] as const)(
    '%s come down to the target from above, and close to it',
    async (quantity) => {
      for (const scope of ['local', 'global'] as const) {
        const whole = await costOf(model, { runtime: nodeRuntime })
        const target = { macs: { macs: 0.5 }, params: { params: 0.5 }, bytes: { bytes: 0.5 } }[quantity]
        const chosen = plan({ target, scope })
        const cost = await costOf(applyPlan(model, chosen, analysis), { runtime: nodeRuntime })
        const measure = { macs: 'macs', params: 'parameters', bytes: 'bytes' } as const
        const share = cost[measure[quantity]] / whole[measure[quantity]]
        expect(share).toBeLessThanOrEqual(0.5)
        // One unit of this small network is up to 6 % of it.
        expect(share).toBeGreaterThan(0.44)
      }
    },
  )
})

describe('requests that make no sense', () => {
  test.each<[PlanOptions, string]>([
    [{ target: { ratio: 1 } }, 'ratio must be at least 0 and below 1, not 1'],
    [{ target: { macs: 0 } }, 'macs must be above 0'],
    [{ keepBest: { conv1: 0 } }, "'conv1' must keep a whole number of units, at least 1"],
    [{ keepBest: { conv9: 3 } }, "no layer matches 'conv9'; there are 'conv1.weight', 'conv2.weight'"],
    [{ ratios: { fc: 0.5 } }, "'fc' cannot be pruned: axis 0 of 'fc.weight' is frozen (an output of the graph)"],
    [{ keepBest: { conv1: 3 }, keep: ['conv1'] }, "group 'conv1.weight' is named by keep"],
    [{ keep: ['conv9'], target: { ratio: 0.5 } }, "no layer matches 'conv9'"],
    [{ target: { ratio: 0.5 }, roundTo: 0 }, 'round-to must be a whole number'],
    [{ target: { ratio: 0.5 }, maxRatio: 2 }, 'max-ratio must be above 0 and at most 1'],
    [{ target: { ratio: 0.5 }, criterion: 'best' }, "there is no criterion 'best'"],
  ])('%j', (options, message) => {
    expect(() => plan(options)).toThrow(message)
  })

  test('a target out of reach says what is in the way and what can be reached', () => {
    expect(() => plan({ target: { macs: 0.01 }, maxRatio: 0.5 })).toThrow(
      /the largest ratio of 0.5.*the least that can be reached is \d+/,
    )
  })
})

test('patterns name a layer, what lies below it, or a shape of names', () => {
  expect(matches('conv1', 'conv1.weight')).toBe(true)
  expect(matches('conv1', 'conv10.weight')).toBe(false)
  expect(matches('layer1.*.conv?', 'layer1.0.conv2.weight')).toBe(true)
  expect(matches('conv1', '/conv1/Conv')).toBe(true)
  expect(matches('a.b', 'axb')).toBe(false)
})
