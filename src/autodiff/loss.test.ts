import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { float32, float32Of, int64, type Tensor, UsageError } from '../base/index.ts'
import { GraphBuilder, type Model, makeGraph, makeModel } from '../onnx/index.ts'
import { nodeRuntime as runtime } from '../runtime/node.ts'
import { type LossOptions, lossNamed, lossNames, trainingGraph } from './index.ts'

/** A loss of scores z as PyTorch 1.13 computes it in double, with ∂L/∂z. */
type Recorded = {
  readonly name: string
  readonly loss: string
  readonly options: LossOptions
  readonly dims: readonly number[]
  readonly z: readonly number[]
  readonly labels?: readonly number[]
  readonly target?: readonly number[]
  readonly teacher?: readonly number[]
  readonly value: number
  readonly gradient: readonly number[]
}

const recorded: Recorded[] = JSON.parse(readFileSync(join(import.meta.dirname, 'testing/losses.json'), 'utf8'))

/** A network that adds its weights to its input: ∂L/∂weights is ∂L/∂scores. */
const scores = (dims: readonly number[]): Model => {
  const graph = makeGraph('scores')
  graph.inputs.push({ name: 'x', type: 'float32', dims: [...dims] })
  graph.initializers.set('w', float32(dims, new Float32Array(dims.reduce((a, b) => a * b, 1))))
  const b = new GraphBuilder(graph)
  graph.outputs.push({ name: b.op('Add', ['x', 'w']), type: 'float32' })
  b.op('ReduceSum', [graph.outputs[0]!.name], { keepdims: 0 }, { name: 'total' })
  return makeModel(graph)
}

/** The loss and its gradient as functions of z. */
const opened = async (c: Recorded) => {
  const training = await trainingGraph(scores(c.dims), {
    runtime,
    inputs: { x: c.dims },
    loss: lossNamed(c.loss, c.options),
    trainable: ['w'],
  })
  const session = await runtime.open(training.model)
  const targets: { [name: string]: Tensor } = {}
  const places = c.loss === 'token-cross-entropy' ? c.dims.slice(0, -1) : [c.dims[0]!, ...c.dims.slice(2)]
  if (c.labels) targets.labels = int64(places, c.labels)
  if (c.target) targets.target = float32(c.dims, c.target)
  if (c.teacher) targets.teacher = float32(c.dims, c.teacher)
  expect(Object.keys(training.targets).sort()).toEqual(Object.keys(targets).sort())
  const w = float32(c.dims, new Float32Array(c.z.length))
  return {
    async at(z: readonly number[]) {
      const values = await session.run({ x: float32(c.dims, z), w, ...targets })
      return {
        loss: float32Of(values[training.loss]!)[0]!,
        gradient: Array.from(float32Of(values[training.gradients.get('w')!]!)),
      }
    },
    close: () => session.close(),
  }
}

describe('a loss and its gradient', () => {
  test.each(recorded.map((c) => [`${c.loss}: ${c.name}`, c] as const))('%s is PyTorch’s', async (_, c) => {
    const at = await opened(c)
    const { loss, gradient } = await at.at(c.z)
    expect(Math.abs(loss - c.value)).toBeLessThan(2e-6 * Math.max(1, Math.abs(c.value)))
    for (const [i, g] of gradient.entries()) expect(Math.abs(g - c.gradient[i]!)).toBeLessThan(1e-6)
    await at.close()
  })

  test.each(recorded.map((c) => [`${c.loss}: ${c.name}`, c] as const))('%s agrees with differences', async (_, c) => {
    const at = await opened(c)
    const { gradient } = await at.at(c.z)
    const step = 1 / 64
    for (const i of c.z.keys()) {
      const moved = async (by: number) => (await at.at(c.z.map((z, j) => (i === j ? z + by * step : z)))).loss
      const [near, far] = [(await moved(1)) - (await moved(-1)), (await moved(2)) - (await moved(-2))]
      expect(Math.abs((8 * near - far) / (12 * step) - gradient[i]!)).toBeLessThan(2e-4)
    }
    await at.close()
  })

  test('every loss is recorded', () => {
    expect([...new Set(recorded.map(({ loss }) => loss))].sort()).toEqual([...lossNames].sort())
  })

  test('large scores overflow nowhere', async () => {
    for (const [loss, more] of [
      ['bce', { target: [0, 1] }],
      ['cross-entropy', { labels: [0] }],
      ['kl', { teacher: [200, -200] }],
    ] as const) {
      const at = await opened({ name: '', loss, options: {}, dims: [1, 2], z: [0, 0], value: 0, gradient: [], ...more })
      const { loss: value, gradient } = await at.at([300, -300])
      expect(Number.isFinite(value), loss).toBe(true)
      expect(gradient.every(Number.isFinite), loss).toBe(true)
      await at.close()
    }
  })
})

describe('a value of the network as its loss', () => {
  const model = scores([2, 3])
  const total = model.graph.nodes.find(({ name }) => name === 'total')!.outputs[0]!

  test('is differentiated as it is', async () => {
    const training = await trainingGraph(model, {
      runtime,
      inputs: { x: [2, 3] },
      loss: lossNamed(`output:${total}`),
      trainable: ['w'],
    })
    expect(training.targets).toEqual({})
    expect(training.outputDims).toEqual([2, 3])
    const session = await runtime.open(training.model)
    const values = await session.run({
      x: float32([2, 3], [1, 2, 3, 4, 5, 6]),
      w: float32([2, 3], new Float32Array(6)),
    })
    expect(float32Of(values[training.loss]!)).toEqual(Float32Array.of(21))
    expect(float32Of(values[training.gradients.get('w')!]!)).toEqual(new Float32Array(6).fill(1))
    await session.close()
  })

  test.each([
    ['nothing', "no value 'nothing'", model.graph.outputs[0]!.name],
    [model.graph.outputs[0]!.name, 'float32 of shape [2, 3]', 'single number'],
  ])('%s cannot be one', async (name, ...texts) => {
    const made = trainingGraph(model, { runtime, inputs: { x: [2, 3] }, loss: lossNamed(`output:${name}`) })
    const error: unknown = await made.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(UsageError)
    for (const text of texts) expect(String(error)).toContain(text)
  })
})

test.each([
  ['hinge', {}, 'cross-entropy'],
  ['mse', { labelSmoothing: 0.1 }, 'takes no label smoothing'],
  ['huber', { classWeights: [1] }, 'takes no class weights'],
  ['cross-entropy', { labelSmoothing: 1.5 }, 'from 0 to 1'],
  ['cross-entropy', { classWeights: [1, -1] }, 'class weight of -1'],
  ['distillation', { temperature: 0 }, 'temperature of 0'],
  ['distillation', { weight: 2 }, 'share of 2'],
  ['huber', { delta: 0 }, 'delta of 0'],
])('the loss %s with %o is refused', (name, options, text) => {
  expect(() => lossNamed(name, options)).toThrow(UsageError)
  expect(() => lossNamed(name, options)).toThrow(text)
})

test('as many class weights as classes', async () => {
  const made = trainingGraph(scores([5, 4]), {
    runtime,
    inputs: { x: [5, 4] },
    loss: lossNamed('cross-entropy', { classWeights: [1, 2, 3] }),
  })
  await expect(made).rejects.toThrow('3 class weights for 4 outputs')
})
