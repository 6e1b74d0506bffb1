import { describe, expect, test } from 'vitest'
import { float32Of } from '../base/index.ts'
import { dataset } from '../data/index.ts'
import { batchNorm, buildModel, flatten, linear, relu } from '../nn/index.ts'
import { encodeModel } from '../onnx/index.ts'
import { adamw, ranger } from '../optim/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { evaluate, withWeights } from './evaluate.ts'
import { recalibrate } from './recalibrate.ts'
import { smallCnn, smallDigits, smallResnet } from './testing/samples.ts'
import { train } from './trainer.ts'

const runtime = nodeRuntime
const statistic = (
  model: { graph: { initializers: ReadonlyMap<string, Parameters<typeof float32Of>[0]> } },
  name: string,
) => [...float32Of(model.graph.initializers.get(name)!)]

describe('running statistics measured anew', () => {
  test('of a first layer are the mean and variance of all samples, whatever the batches', async () => {
    const model = buildModel('bn', { dims: [2, 3] }, { seed: 0 }, (net, input) =>
      linear(net, 'fc', flatten(net, relu(net, batchNorm(net, 'bn', input)), 'flat'), { to: 2, output: 'logits' }),
    )
    const inputs = Float32Array.from({ length: 7 * 6 }, (_, i) => Math.sin(i * i) * (1 + (i % 5)) + 2)
    const data = dataset({ name: 'seven', inputs, sampleDims: [2, 3], labels: [0, 1, 0, 1, 0, 1, 0] })
    for (const batch of [7, 3, 2]) {
      const found = await recalibrate(model, { runtime, data, batch })
      for (const channel of [0, 1]) {
        const values = [...inputs].filter((_, i) => Math.floor(i / 3) % 2 === channel)
        const mean = values.reduce((a, b) => a + b, 0) / values.length
        const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length
        expect(statistic(found, 'bn.running_mean')[channel]).toBeCloseTo(mean, 5)
        expect(statistic(found, 'bn.running_var')[channel]).toBeCloseTo(variance, 4)
      }
    }
    // The model given is left alone.
    expect(statistic(model, 'bn.running_mean')).toEqual([0, 0])
  })

  test('change statistics only, and bring a network with wrong ones back', async () => {
    const data = await smallDigits(300)
    const { model } = await train(smallResnet(), {
      ...{ runtime, threads: 1, data, batch: 30, epochs: 8, recipe: adamw({ lr: 1e-2 }), evaluateEvery: 0 },
    })
    const names = [...model.graph.initializers.keys()].filter((name) => name.includes('running'))
    expect(names.length).toBeGreaterThan(2)
    const spoilt = withWeights(
      model,
      new Map(
        names.map((name) => [name, new Float32Array(statistic(model, name).length).fill(name.endsWith('var') ? 9 : 3)]),
      ),
    )
    const mended = await recalibrate(spoilt, { runtime, data, threads: 1 })
    for (const [name, tensor] of spoilt.graph.initializers)
      if (!names.includes(name)) expect(mended.graph.initializers.get(name)!.bytes).toEqual(tensor.bytes)
    const accuracy = async (m: typeof model) => (await evaluate(m, data, { runtime, threads: 1 })).accuracy
    const [good, bad, again] = [await accuracy(model), await accuracy(spoilt), await accuracy(mended)]
    expect(bad).toBeLessThan(good - 0.2)
    expect(again).toBeGreaterThan(good - 0.05)
  })

  test('for the averaged weights that a run ends with, when asked', async () => {
    const data = await smallDigits(90)
    const run = { runtime, threads: 1, data, test: data, batch: 30, epochs: 2, seed: 4, evaluateEvery: 0 }
    const trained = (again: boolean) => train(smallResnet(), { ...run, recipe: ranger({ k: 3 }), recalibrate: again })
    const [plain, mended] = [await trained(false), await trained(true)]
    const expected = await recalibrate(plain.model, { runtime, threads: 1, data, batch: 30, seed: 4 })
    expect(encodeModel(mended.model)).toEqual(encodeModel(expected))
    expect(statistic(mended.model, 'bn1.running_mean')).not.toEqual(statistic(plain.model, 'bn1.running_mean'))
    expect(mended.accuracy).toBe((await evaluate(mended.model, data, { runtime, threads: 1 })).accuracy)
    // What the run would go on from is untouched.
    expect(mended.state).toEqual(plain.state)
  })

  test('a model without any comes back as it is', async () => {
    const model = smallCnn()
    expect(await recalibrate(model, { runtime, data: await smallDigits(10) })).toBe(model)
  })
})
