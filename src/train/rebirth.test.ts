import { describe, expect, test } from 'vitest'
import { UsageError } from '../base/index.ts'
import { buildModel, conv, flatten, linear } from '../nn/index.ts'
import type { Model } from '../onnx/index.ts'
import { adamw, type OptimizerState, ranger } from '../optim/index.ts'
import { analyzeModel, applyPlan, costOf, parsePlan, serializePlan, verifyPlan } from '../prune/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import type { PruneSchedule } from './prune-schedule.ts'
import { type Round, rebirth } from './rebirth.ts'
import { smallCnn, smallDigits, smallResnet } from './testing/samples.ts'
import { train } from './trainer.ts'

const runtime = nodeRuntime

const retrain = async (model: Model): Promise<Model> =>
  (
    await train(model, {
      runtime,
      threads: 1,
      data: await smallDigits(60),
      batch: 20,
      epochs: 1,
      recipe: adamw({ lr: 1e-2 }),
    })
  ).model

/** One convolution of 16 channels. */
const wide = (): Model =>
  buildModel('wide', { dims: [1, 14, 14] }, { seed: 0 }, (net, input) =>
    linear(net, 'fc', flatten(net, conv(net, 'conv1', input, { to: 16, kernel: 3, stride: 2 }), 'features'), {
      to: 10,
      output: 'logits',
    }),
  )

const widthsOf = ({ whole }: Round) => whole.groups.map(({ kept }) => kept)

const shapesOf = ({ graph }: Model) =>
  Object.fromEntries([...graph.initializers].map(([name, { dims }]) => [name, dims]))

describe('rounds of pruning and retraining', () => {
  test.each([
    ['a plain network', smallCnn()],
    ['a residual one', smallResnet()],
  ])('%s: the plan of all rounds is in the original’s indices, and proves itself', async (_, model) => {
    const rounds: Round[] = []
    const last = await rebirth({
      model,
      runtime,
      steps: 3,
      target: { ratio: 0.6 },
      retrain,
      judge: async (round) => rounds.push(round) > 0,
    })
    expect(rounds.map(({ round, steps }) => [round, steps])).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ])
    // What was trained in between changed the weights but not which units went.
    const whole = parsePlan(serializePlan(last.whole))
    const cut = applyPlan(model, whole, await analyzeModel(model, { runtime }))
    expect(shapesOf(cut)).toEqual(shapesOf(last.model))
    expect((await verifyPlan(model, cut, whole, { runtime })).equal).toBe(true)
    // Each round's own plan is about the model before it.
    for (const [i, round] of rounds.entries()) {
      const before = rounds[i - 1]?.model ?? model
      expect((await verifyPlan(before, round.pruned, round.plan, { runtime })).equal).toBe(true)
      const verification = await verifyPlan(before, round.model, round.plan, { runtime })
      expect(verification.equal, 'retrained weights are others').toBe(false)
    }
    // Kept units are ever fewer and among those kept before.
    for (const [name, axes] of Object.entries(rounds[0]!.whole.slices))
      for (const [axis, kept] of Object.entries(axes))
        for (const index of whole.slices[name]![axis]!) expect(kept).toContain(index)
  })

  test('as many units stay as one round alone leaves, whatever the number of rounds', async () => {
    const model = smallCnn()
    for (const asked of [
      { target: { ratio: 0.5 } },
      { target: { ratio: 0.3 }, scope: 'global' as const },
      { ratios: { conv2: 0.5 } },
      { keepBest: { conv1: 3 } },
      { target: { ratio: 0.7 }, roundTo: 2 },
    ]) {
      const one = await rebirth({ model, runtime, ...asked })
      for (const steps of [2, 3, 5]) {
        const many = await rebirth({ model, runtime, steps, ...asked })
        if ('scope' in asked) expect(sum(widthsOf(many)), JSON.stringify(asked)).toBe(sum(widthsOf(one)))
        else expect(widthsOf(many), JSON.stringify({ asked, steps })).toEqual(widthsOf(one))
      }
    }
  })

  test('the cap on what a layer loses holds over all rounds', async () => {
    const { whole } = await rebirth({ model: smallCnn(), runtime, steps: 4, target: { ratio: 0.9 }, maxRatio: 0.5 })
    expect(whole.groups.map(({ size, kept }) => [size, kept])).toEqual([
      [4, 2],
      [8, 4],
    ])
  })

  test.each([['macs'], ['params'], ['bytes']] as const)('%s fall round by round to the goal', async (quantity) => {
    const model = smallCnn()
    const measure = async (m: Model) => {
      const { macs, parameters: params, bytes } = await costOf(m, { runtime })
      return { macs, params, bytes }[quantity]
    }
    const costs = [await measure(model)]
    const target = { macs: { macs: 0.3 }, params: { params: 0.3 }, bytes: { bytes: 0.5 } }[quantity]
    const share = Object.values(target)[0]!
    await rebirth({
      model,
      runtime,
      steps: 3,
      target,
      judge: async (round) => costs.push(await measure(round.model)) > 0,
    })
    expect(costs).toEqual([...costs].sort((a, b) => b - a))
    expect(costs.at(-1)).toBeLessThanOrEqual(share * costs[0]!)
    expect(costs.at(-2)).toBeGreaterThan(share * costs[0]!)
  })

  test('a judge that says no gets the round before back', async () => {
    const last = await rebirth({
      model: smallCnn(),
      runtime,
      steps: 5,
      target: { ratio: 0.8 },
      judge: async ({ round }) => round < 3,
    })
    expect(last.round).toBe(2)
  })

  test('a judge that refuses the first round leaves nothing to give back', async () => {
    const asked = { model: smallCnn(), runtime, steps: 3, target: { ratio: 0.5 } }
    await expect(rebirth({ ...asked, judge: async () => false })).rejects.toThrow('round 1 of 3 was refused')
  })

  test('schedules: all at once, equal steps, much at first, and the same share of what is left', async () => {
    const gone = async (schedule: PruneSchedule) => {
      const found: number[] = []
      const judge = async (round: Round) => found.push(16 - widthsOf(round)[0]!) > 0
      await rebirth({ model: wide(), runtime, steps: 4, schedule, target: { ratio: 0.75 }, judge })
      return found
    }
    // 16 · 0.75 · (1 − (1 − t/4)³) is 6.9, 10.5, 11.8, 12; 16 · (1 − 4^(−t/4)) is 4.7, 8, 10.3, 12.
    expect(await gone('one-shot')).toEqual([12, 12, 12, 12])
    expect(await gone('linear')).toEqual([3, 6, 9, 12])
    expect(await gone('agp')).toEqual([6, 10, 11, 12])
    expect(await gone('geometric')).toEqual([4, 8, 10, 12])
  })

  test('what the optimizer remembers goes on from round to round, cut as the weights are', async () => {
    const seen: { state: OptimizerState | undefined; round: Round }[] = []
    const model = smallResnet()
    const data = await smallDigits(60)
    await rebirth({
      model,
      runtime,
      steps: 3,
      target: { ratio: 0.5 },
      retrain: async (pruned, round) => {
        seen.push({ state: round.optimizer, round })
        const { model, state } = await train(pruned, {
          ...{ runtime, threads: 1, data, batch: 20, epochs: 1, recipe: ranger({ lr: 1e-3 }) },
          ...(round.optimizer && { optimizerState: round.optimizer }),
        })
        return { model, optimizer: state.optimizer }
      },
    })
    expect(seen.map(({ state }) => state !== undefined)).toEqual([false, true, true])
    const { state, round } = seen[2]!
    const memory = [...state!.tensors].filter(([key]) => key.includes('momentum'))
    expect(memory.length).toBeGreaterThan(5)
    for (const [key, { dims }] of memory)
      expect(dims, key).toEqual(round.pruned.graph.initializers.get(key.split(':').slice(2).join(':'))!.dims)
    // Two retrainings of three batches each lie behind it; the schedule begins anew.
    expect(new Set(Object.values(state!.scalars.steps))).toEqual(new Set([6]))
    expect(state!.scalars.count).toBe(0)
  })

  test('rounds that make no sense are refused', async () => {
    for (const steps of [0, -1, 1.5, Number.NaN])
      await expect(rebirth({ model: smallCnn(), runtime, steps, target: { ratio: 0.5 } })).rejects.toThrow(UsageError)
  })
})

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)
