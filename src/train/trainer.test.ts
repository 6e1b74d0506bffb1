import { describe, expect, test } from 'vitest'
import { EspalierError, float32, UsageError } from '../base/index.ts'
import { type Dataset, dataset, randomShift } from '../data/index.ts'
import { networks } from '../nn/index.ts'
import { copyModel, type Model } from '../onnx/index.ts'
import { adamw, optimizerNamed, ranger, schedules, sgd } from '../optim/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { evaluate, withWeights } from './evaluate.ts'
import type { TrainEvent } from './events.ts'
import { bitsOf, digits, smallCnn, smallDigits, smallResnet } from './testing/samples.ts'
import { type TrainOptions, type TrainState, train } from './trainer.ts'

const runtime = nodeRuntime
const base = { runtime, epochs: 1, batch: 20, seed: 7, threads: 1 } as const

const traced = async (model: Model, options: TrainOptions) => {
  const events: TrainEvent[] = []
  const result = await train(model, { ...options, onEvent: (event) => events.push(event) })
  const of = <T extends TrainEvent['type']>(type: T) =>
    events.filter((event): event is Extract<TrainEvent, { type: T }> => event.type === type)
  return { result, events, of }
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length

/** What a promise was rejected with. */
const failure = async (work: Promise<unknown>): Promise<Error> => {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof Error) return error
  throw new Error(`no error but ${String(error)}`)
}

describe('training on real images', () => {
  test('lowers the loss and learns the classes', async () => {
    const data = await digits(600)
    const { result, of } = await traced(networks['lenet-300-100']!.build({ seed: 1 }), {
      ...base,
      data,
      test: data,
      epochs: 4,
      recipe: ranger({ lr: 1e-2 }),
    })
    const losses = of('step').map(({ loss }) => loss)
    expect(losses.length).toBe(120)
    expect(losses[0]).toBeGreaterThan(2)
    expect(mean(losses.slice(-30))).toBeLessThan(0.5)
    expect(result.accuracy).toBeGreaterThan(0.9)
    expect(result.loss).toBe(losses.at(-1))
  })

  test('batch normalization is evaluated with the statistics that training gathered', async () => {
    const data = await smallDigits(300)
    const model = smallResnet(2)
    const { result } = await traced(model, { ...base, data, test: data, epochs: 6, recipe: adamw({ lr: 1e-2 }) })
    expect(result.accuracy).toBeGreaterThan(0.6)
    const { running_mean, running_var } = Object.fromEntries(
      ['running_mean', 'running_var'].map((kind) => [kind, result.state.weights.get(`bn1.${kind}`)!]),
    )
    expect(running_mean!.some((value) => Math.abs(value) > 0.01)).toBe(true)
    expect(running_var!.every((value) => value > 0)).toBe(true)
    // The model that comes out holds them, and evaluating it by itself gives the same.
    const again = await evaluate(result.model, data, { runtime })
    expect(again.accuracy).toBe(result.accuracy)
    const untrained = withWeights(
      result.model,
      new Map(
        [...result.state.weights.keys()]
          .filter((name) => name.includes('running'))
          .map((name) => [
            name,
            new Float32Array(result.state.weights.get(name)!.length).fill(name.endsWith('var') ? 1 : 0),
          ]),
      ),
    )
    expect((await evaluate(untrained, data, { runtime })).loss).not.toBe(again.loss)
  })

  test('the same seed gives the same weights to the last bit, another seed others', async () => {
    const data = await smallDigits(110)
    const run = async (seed: number) =>
      bitsOf(
        (
          await train(smallResnet(1), {
            ...base,
            seed,
            data,
            augment: { with: randomShift(1), seed },
            recipe: ranger({ lr: 1e-2 }),
          })
        ).state.weights,
      )
    const first = await run(5)
    expect(await run(5)).toEqual(first)
    expect(await run(6)).not.toEqual(first)
  })

  test.each([
    ['plain', smallCnn],
    ['with running statistics', smallResnet],
  ])('the model given is left as it was: %s', async (_, build) => {
    const model = build()
    const before = new Map([...model.graph.initializers].map(([name, { bytes }]) => [name, bytes.slice()]))
    await train(model, { ...base, data: await smallDigits(40), recipe: sgd({ lr: 0.1 }) })
    for (const [name, bytes] of before) expect(model.graph.initializers.get(name)!.bytes, name).toEqual(bytes)
  })

  test('only what is to be trained moves', async () => {
    const model = smallCnn()
    const { model: trained } = await train(model, {
      ...base,
      data: await smallDigits(40),
      trainable: ['fc.weight', 'fc.bias'],
      recipe: sgd({ lr: 0.1 }),
    })
    const changed = [...model.graph.initializers.keys()].filter(
      (name) =>
        Buffer.compare(model.graph.initializers.get(name)!.bytes, trained.graph.initializers.get(name)!.bytes) !== 0,
    )
    expect(changed.sort()).toEqual(['fc.bias', 'fc.weight'])
  })

  test('averaged weights are evaluated and come out, and those trained on stay in the state', async () => {
    const data = await smallDigits(60)
    const { result } = await traced(smallCnn(), {
      ...base,
      data,
      test: data,
      recipe: optimizerNamed('schedule-free-adamw', { lr: 1e-2 }),
    })
    const out = result.model.graph.initializers.get('conv1.weight')!.bytes
    const trainedOn = result.state.weights.get('conv1.weight')!
    expect(Buffer.compare(Buffer.from(out), Buffer.from(trainedOn.buffer))).not.toBe(0)
    expect((await evaluate(result.model, data, { runtime })).loss).not.toBe(
      (await evaluate(withWeights(smallCnn(), result.state.weights), data, { runtime })).loss,
    )
  })
})

test.each(['ranger', 'schedule-free-adamw'])(
  'evaluating averaged weights of %s, as often as one likes, leaves training as it is',
  async (name) => {
    const data = await smallDigits(60)
    const under = (evaluateEvery: number) =>
      traced(smallResnet(), { ...base, data, test: data, epochs: 3, evaluateEvery, recipe: optimizerNamed(name) })
    const [often, never] = [await under(1), await under(0)]
    expect([often.of('evaluation').length, never.of('evaluation').length]).toEqual([9, 1])
    expect(often.result.state).toEqual(never.result.state)
    expect(often.of('step').map(({ loss }) => loss)).toEqual(never.of('step').map(({ loss }) => loss))
    // What is evaluated are not the weights trained on, batch statistics aside.
    const { model, state } = often.result
    const told = (weights: Model) => weights.graph.initializers.get('conv1.weight')!.bytes
    expect(Buffer.compare(told(model), told(withWeights(model, state.weights)))).not.toBe(0)
    expect(often.of('evaluation').at(-1)!.loss).toBe((await evaluate(model, data, { runtime, threads: 1 })).loss)
  },
)

describe('what a run tells', () => {
  test('steps, evaluations as the article prints them, checkpoints and the end', async () => {
    const data = await smallDigits(110)
    const saved: TrainState[] = []
    const { of, events } = await traced(smallCnn(), {
      ...base,
      data,
      test: data,
      epochs: 2,
      evaluateEvery: 4,
      evaluateSamples: 30,
      checkpointEvery: 5,
      recipe: sgd({ lr: 0.05, schedule: schedules.linear(12) }),
      save: async (state) => {
        saved.push(state)
        return `checkpoint ${state.step}`
      },
    })
    expect(events[0]).toMatchObject({ type: 'start', steps: 12, stepsPerEpoch: 6, from: 1, parameters: 1066 })
    expect(of('step').map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1))
    expect(of('step').map(({ epoch }) => epoch)).toEqual([...Array(6).fill(0), ...Array(6).fill(1)])
    const rates = of('step').map(({ lr }) => lr)
    expect(rates[0]).toBe(0.05)
    expect(rates).toEqual([...rates].sort((a, b) => b - a))
    for (const { rate, secondsLeft } of of('step')) {
      expect(rate).toBeGreaterThan(0)
      expect(secondsLeft).toBeGreaterThanOrEqual(0)
    }
    expect(of('evaluation').map(({ step, samples }) => [step, samples])).toEqual([
      [4, 30],
      [8, 30],
      [12, 110],
    ])
    expect(of('checkpoint').map(({ step, path }) => [step, path])).toEqual([
      [5, 'checkpoint 5'],
      [10, 'checkpoint 10'],
      [12, 'checkpoint 12'],
    ])
    expect(saved.map(({ step }) => step)).toEqual([5, 10, 12])
    expect(saved.map(({ loss }) => loss)).toEqual([5, 10, 12].map((step) => of('step')[step - 1]!.loss))
    expect(events.at(-1)).toMatchObject({ type: 'end', step: 12, stopped: false })
  })

  test('a signal stops it after the step under way, with a checkpoint', async () => {
    const stop = new AbortController()
    const saved: number[] = []
    const events: TrainEvent[] = []
    const { state } = await train(smallCnn(), {
      ...base,
      data: await smallDigits(200),
      recipe: sgd({ lr: 0.1 }),
      signal: stop.signal,
      save: async ({ step }) => `${saved.push(step)}`,
      onEvent: (event) => {
        events.push(event)
        if (event.type === 'step' && event.step === 3) stop.abort()
      },
    })
    expect(state.step).toBe(3)
    expect(saved).toEqual([3])
    expect(events.at(-1)).toMatchObject({ type: 'end', step: 3, stopped: true })
  })

  test('telemetry comes as often as asked for', async () => {
    const { of } = await traced(smallCnn(), {
      ...base,
      data: await smallDigits(200),
      recipe: ranger({ lr: 1e-3 }),
      telemetryEvery: 4,
    })
    expect(new Set(of('optimizer').map(({ step }) => step))).toEqual(new Set([4, 8]))
  })
})

describe('a run that cannot go on', () => {
  test('a loss that is no number: the step and the last good checkpoint are named, and nothing is saved after', async () => {
    const saved: TrainState[] = []
    const error = await failure(
      train(smallCnn(), {
        ...base,
        data: await smallDigits(400),
        checkpointEvery: 2,
        // The rate is small for five steps, then far too large.
        recipe: sgd({ lr: 1, schedule: (count) => (count < 5 ? 0.01 : 1e30) }),
        save: async (state) => {
          saved.push(state)
          return `run/checkpoint-${state.step}.json`
        },
      }),
    )
    expect(error).toBeInstanceOf(EspalierError)
    expect(error.message).toMatch(
      /^the (loss is \S+ at|weights are no longer finite after) step [67]; .*smaller learning rate.*run\/checkpoint-[46]\.json$/,
    )
    for (const { weights } of saved)
      for (const values of weights.values()) expect(values.every(Number.isFinite)).toBe(true)
    expect(error.message).toContain(`checkpoint-${saved.at(-1)!.step}.json`)
  })

  test('before any checkpoint it says so; after a resume it names the one it came from', async () => {
    const options = { ...base, data: await smallDigits(100), recipe: sgd({ lr: 1e38 }) }
    expect((await failure(train(smallCnn(), options))).message).toContain('no checkpoint had been written yet')

    const { state } = await train(smallCnn(), { ...options, epochs: 0.4, recipe: sgd({ lr: 0.01 }) })
    const error = await failure(train(smallCnn(), { ...options, resume: state }))
    expect(error.message).toContain('step 2, from which the run went on')
  })

  test('weights spoilt by the last step are an error, not a model', async () => {
    const error = await failure(train(smallCnn(), { ...base, data: await smallDigits(20), recipe: sgd({ lr: 1e45 }) }))
    expect(error.message).toContain('the weights are no longer finite after step 1')
  })

  const never = async (model: Model, options: Partial<TrainOptions> & { data: Dataset }) => {
    const events: TrainEvent[] = []
    const error = await failure(
      train(model, { ...base, recipe: sgd(), ...options, onEvent: (event) => events.push(event) }),
    )
    expect(events).toEqual([])
    return error
  }

  test('more classes than outputs are refused before any step', async () => {
    const { inputs } = await smallDigits(12)
    const labels = Array.from({ length: 12 }, (_, i) => i)
    const data = dataset({ name: 'twelve', inputs, sampleDims: [1, 14, 14], labels })
    const error = await never(smallCnn(), { data })
    expect(error).toBeInstanceOf(UsageError)
    expect(error.message).toContain("'twelve' has 12 classes and the model tells 10 apart")
  })

  test('epochs, batches and parameters that make no sense', async () => {
    const data = await smallDigits(20)
    for (const [options, text] of [
      [{ epochs: 0 }, '0 epochs make no sense'],
      [{ epochs: Number.NaN }, 'NaN epochs make no sense'],
      [{ batch: 0 }, 'a batch of 0 samples makes no sense'],
      [{ trainable: ['nothing'] }, "the model has no initializer 'nothing'"],
    ] as const) {
      const error = await never(smallCnn(), { data, ...options })
      expect(error).toBeInstanceOf(UsageError)
      expect(error.message).toContain(text)
    }
  })

  test('samples of another shape: the input is named', async () => {
    const error = await never(smallCnn(), { data: await digits(20) })
    expect(error).toBeInstanceOf(EspalierError)
    expect(error.message).toMatch(/conv|logits|fc|features|input/)
  })

  test('an operator without a gradient on the way is named before any step', async () => {
    const model = copyModel(smallCnn())
    const relu = model.graph.nodes.find(({ opType }) => opType === 'Relu')!
    relu.domain = 'com.example'
    relu.opType = 'Mystery'
    const error = await never(model, { data: await smallDigits(20) })
    expect(error.message).toContain('Mystery')
  })

  test('a state of another network does not fit', async () => {
    const data = await smallDigits(20)
    const { state } = await train(smallCnn(), { ...base, data, recipe: sgd() })
    const other = withWeights(smallCnn(), new Map())
    other.graph.initializers.set('extra', float32([1], [0]))
    const error = await failure(
      train(smallCnn(), {
        ...base,
        data,
        recipe: sgd(),
        resume: { ...state, weights: new Map([['conv1.weight', new Float32Array(3)]]) },
      }),
    )
    expect(error.message).toContain("initializer 'conv1.weight': the checkpoint does not fit the model")
  })
})
