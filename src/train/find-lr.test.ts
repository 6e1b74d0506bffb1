import { describe, expect, test } from 'vitest'
import { encodeModel } from '../onnx/index.ts'
import { adamw, type ParameterGroup, sgd } from '../optim/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { type FindLrEvent, type FindLrOptions, findLr } from './find-lr.ts'
import { smallCnn, smallDigits } from './testing/samples.ts'
import { train } from './trainer.ts'

const common = { runtime: nodeRuntime, threads: 1, batch: 20 }
const find = async (more: Partial<FindLrOptions> = {}) =>
  findLr(smallCnn(), { ...common, data: await smallDigits(200), recipe: sgd({ momentum: 0.9 }), ...more })

describe('the learning-rate range test', () => {
  test('goes through the range exponentially, ends where the loss runs away, and suggests a rate before that', async () => {
    const events: FindLrEvent[] = []
    const { points, suggestion, lowest, diverged } = await find({ from: 1e-5, to: 100, onEvent: (e) => events.push(e) })
    expect(diverged).toBe(true)
    expect(points.length).toBeGreaterThan(20)
    expect(points.length).toBeLessThan(100)
    for (const [i, { step, lr }] of points.entries()) {
      expect(step).toBe(i + 1)
      expect(lr / (1e-5 * 1e7 ** (i / 99))).toBeCloseTo(1, 9)
    }
    expect(suggestion).toBeGreaterThan(1e-4)
    expect(suggestion).toBeLessThan(lowest!)
    expect(lowest).toBeLessThan(points.at(-1)!.lr)
    expect(events).toHaveLength(points.length + 1)
    expect(events.at(-1)).toEqual({ type: 'end', diverged: true, suggestion })
  })

  test('suggests a rate that trains: better than a hundred times less or a hundred times more', async () => {
    const { suggestion } = await find({ recipe: adamw() })
    const data = await smallDigits(200)
    const lossAt = async (lr: number) => {
      const run = { ...common, data, recipe: adamw({ lr }), epochs: 3, evaluateEvery: 0 }
      return train(smallCnn(), run).then(
        ({ loss }) => loss,
        () => Number.POSITIVE_INFINITY,
      )
    }
    const [slow, good, fast] = [
      await lossAt(suggestion! / 100),
      await lossAt(suggestion!),
      await lossAt(suggestion! * 100),
    ]
    expect(good).toBeLessThan(slow)
    expect(good).toBeLessThan(fast)
  })

  test('leaves the model as it is, and gives the same again', async () => {
    const model = smallCnn()
    const before = encodeModel(model)
    const options = { ...common, data: await smallDigits(100), recipe: sgd(), steps: 30 }
    const first = await findLr(model, options)
    expect(encodeModel(model)).toEqual(before)
    expect(await findLr(model, options)).toEqual(first)
    expect(first.points).toHaveLength(30)
  })

  test('keeps the groups of the optimizer', async () => {
    const still: ParameterGroup[] = [{ lrFactor: 0 }]
    const { points, suggestion } = await find({
      recipe: sgd({ groups: still }),
      steps: 20,
      data: await smallDigits(20),
    })
    const losses = points.map(({ loss }) => loss)
    expect(Math.max(...losses) - Math.min(...losses)).toBeLessThan(1e-4)
    expect(points).toHaveLength(20)
    expect(suggestion).toBeUndefined()
  })

  test('refuses a range that is none', async () => {
    await expect(find({ from: 1, to: 0.1 })).rejects.toThrow(/from 1 to 0.1 make no range/)
    await expect(find({ steps: 3 })).rejects.toThrow(/3 steps are too few/)
  })
})
