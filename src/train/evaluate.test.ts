import { describe, expect, test } from 'vitest'
import { float32, float32Of } from '../base/index.ts'
import { dataset, subset } from '../data/index.ts'
import { buildModel, linear } from '../nn/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { evaluate, withWeights } from './evaluate.ts'
import { inputOf } from './inputs.ts'
import { pace } from './pace.ts'
import { smallCnn, smallDigits } from './testing/samples.ts'

const runtime = nodeRuntime

/** Scores are the three inputs themselves. */
const identity = () => {
  const model = buildModel('identity', { dims: [3] }, { seed: 0 }, (net, input) =>
    linear(net, 'fc', input, { to: 3, output: 'logits' }),
  )
  model.graph.initializers.set('fc.weight', float32([3, 3], [1, 0, 0, 0, 1, 0, 0, 0, 1]))
  model.graph.initializers.set('fc.bias', float32([3], [0, 0, 0]))
  return model
}

describe('evaluating a classifier', () => {
  test('accuracy, loss and answers as computed by hand', async () => {
    const inputs = Float32Array.from([2, 1, 0, 0, 3, 1, 1, 1, 5, 1000, 0, -1000])
    const data = dataset({ name: 'by hand', inputs, sampleDims: [3], labels: [0, 2, 2, 0], classes: 3 })
    const found = await evaluate(identity(), data, { runtime, batch: 3 })
    expect([...found.predictions]).toEqual([0, 1, 2, 0])
    expect(found.accuracy).toBe(0.75)
    const softmax = (scores: number[], label: number) =>
      Math.log(scores.reduce((total, score) => total + Math.exp(score), 0)) - scores[label]!
    const expected = (softmax([2, 1, 0], 0) + softmax([0, 3, 1], 2) + softmax([1, 1, 5], 2) + 0) / 4
    expect(found.loss).toBeCloseTo(expected, 5)
  })

  test('does not depend on the batch', async () => {
    const data = await smallDigits(53)
    const whole = await evaluate(smallCnn(), data, { runtime, batch: 53, threads: 1 })
    for (const batch of [1, 10, 100]) {
      const found = await evaluate(smallCnn(), data, { runtime, batch, threads: 1 })
      expect(found.predictions).toEqual(whole.predictions)
      expect(found.loss).toBeCloseTo(whole.loss, 5)
    }
  })

  test('takes the first samples where only some are asked for', async () => {
    const data = await smallDigits(40)
    const some = await evaluate(smallCnn(), data, { runtime, samples: 15 })
    const first = await evaluate(
      smallCnn(),
      subset(
        data,
        Array.from({ length: 15 }, (_, i) => i),
      ),
      { runtime },
    )
    expect(some).toEqual(first)
    expect((await evaluate(smallCnn(), data, { runtime, samples: 1000 })).samples).toBe(40)
  })

  test('a label past the model’s classes is named', async () => {
    const data = dataset({ name: 'four', inputs: new Float32Array(12), sampleDims: [3], labels: [0, 1, 2, 3] })
    await expect(evaluate(identity(), data, { runtime })).rejects.toThrow(
      "value 'logits': sample 3 is of class 3 and the model tells 3 classes apart",
    )
  })

  test('other weights in place of its own', async () => {
    const model = identity()
    const swapped = withWeights(model, new Map([['fc.weight', Float32Array.from([0, 1, 0, 1, 0, 0, 0, 0, 1])]]))
    const data = dataset({ name: 'one', inputs: Float32Array.from([5, 1, 0]), sampleDims: [3], labels: [0] })
    expect([...(await evaluate(swapped, data, { runtime })).predictions]).toEqual([1])
    expect(float32Of(model.graph.initializers.get('fc.weight')!)[0]).toBe(1)
    expect(() => withWeights(model, new Map([['nothing', new Float32Array(1)]]))).toThrow("initializer 'nothing'")
  })

  test('a model of two inputs is refused', () => {
    const model = identity()
    model.graph.inputs.push({ name: 'second', type: 'float32', dims: [1] })
    expect(() => inputOf(model)).toThrow('the model has 2 inputs, and samples have one')

    model.graph.inputs.length = 0
    expect(() => inputOf(model)).toThrow('the model has 0 inputs')
  })
})

test('the pace counts samples a second and what is left', async () => {
  const clock = pace(10)
  await new Promise((done) => setTimeout(done, 40))
  const first = clock.tick(20)
  expect(first.rate).toBeGreaterThan(20)
  expect(first.rate).toBeLessThan(520)
  expect(first.secondsLeft).toBeGreaterThan(9 * 0.035)
  expect(clock.seconds()).toBeGreaterThan(0.035)
  for (let i = 0; i < 8; i++) clock.tick(20)
  expect(clock.tick(20).secondsLeft).toBe(0)
})
