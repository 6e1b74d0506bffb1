import { describe, expect, test } from 'vitest'
import { lossNamed } from '../autodiff/index.ts'
import { int64 } from '../base/index.ts'
import { networks } from '../nn/index.ts'
import { GraphBuilder, type Model, makeNode } from '../onnx/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { type Engine, openEngine } from './engine.ts'
import { openParallelEngine, openShardedEngine } from './shards/index.ts'
import { bitsOf, digits, engineBatchOf, smallCnn, smallDigits, smallResnet } from './testing/samples.ts'

const runtime = nodeRuntime

/** Worker threads alive. */
let workers = 0
process.on('worker', (worker) => {
  workers++
  worker.once('exit', () => workers--)
})

/** ‖a − b‖ / ‖b‖ */
const relative = (a: Float32Array, b: Float32Array) => {
  let [error, norm] = [0, 0]
  for (let i = 0; i < b.length; i++) {
    error += (a[i]! - b[i]!) ** 2
    norm += b[i]! ** 2
  }
  return Math.sqrt(error / norm)
}

/** Both engines step through the same batches, and a little descent in between keeps them on one path. */
const alike = async (whole: Engine, sharded: Engine, sizes: readonly number[], model: 'mnist' | 'small') => {
  const data = await (model === 'mnist' ? digits(64) : smallDigits(64))
  let at = 0
  for (const size of sizes) {
    const batch = engineBatchOf(data, at % (64 - size), size)
    at += size
    const [a, b] = [await whole.step(batch), await sharded.step(batch)]
    expect(Math.abs(b.loss - a.loss) / a.loss).toBeLessThan(1e-5)
    expect(b.output.dims).toEqual(a.output.dims)
    expect(b.output.dims[0]).toBe(size)
    expect([...sharded.gradients.keys()]).toEqual([...whole.gradients.keys()])
    for (const [name, gradient] of whole.gradients) {
      expect(relative(sharded.gradients.get(name)!, gradient), name).toBeLessThan(1e-5)
      for (const engine of [whole, sharded]) {
        const weights = engine.weights.get(name)!
        for (let i = 0; i < weights.length; i++) weights[i] = weights[i]! - 0.05 * gradient[i]!
      }
    }
  }
}

describe('a batch split over threads', () => {
  test.each([
    { shards: 2, sizes: [8, 8, 7, 1] },
    { shards: 3, sizes: [10, 2, 10] },
    { shards: 4, sizes: [3] },
    { shards: 1, sizes: [5] },
  ])(
    'gives the loss, answers and gradients of the whole one: $shards shards, batches of $sizes',
    async ({ shards, sizes }) => {
      const model = smallCnn()
      const example = engineBatchOf(await smallDigits(64), 0, sizes[0]!)
      const whole = await openEngine(model, { runtime }, example)
      const sharded = await openShardedEngine(model, { runtime, shards }, example)
      try {
        await alike(whole, sharded, sizes, 'small')
      } finally {
        await Promise.all([whole.close(), sharded.close()])
      }
    },
  )

  test('holds for the article’s network too', async () => {
    const model = networks['seed-cnn']!.build({ seed: 3 })
    const example = engineBatchOf(await digits(64), 0, 9)
    const whole = await openEngine(model, { runtime }, example)
    const sharded = await openShardedEngine(model, { runtime, shards: 2 }, example)
    await alike(whole, sharded, [9, 6], 'mnist')
    await Promise.all([whole.close(), sharded.close()])
  })

  test('the workers are gone when the engine is closed, and closing twice does no harm', async () => {
    const data = await smallDigits(64)
    const sharded = await openShardedEngine(smallCnn(), { runtime, shards: 3 }, engineBatchOf(data, 0, 9))
    await sharded.step(engineBatchOf(data, 0, 9))
    await sharded.step(engineBatchOf(data, 0, 5))
    expect(workers).toBe(4)
    await sharded.close()
    await sharded.close()
    expect(workers).toBe(0)
  })

  test('what goes wrong in a worker is an error here, and the engine can still be closed', async () => {
    const data = await smallDigits(64)
    const engine = await openShardedEngine(smallCnn(), { runtime, shards: 2 }, engineBatchOf(data, 0, 8))
    const good = engineBatchOf(data, 0, 8)
    await engine.step(good)
    // The last label is of the worker's half, and no class of the network.
    const labels = int64([8], [1, 2, 3, 4, 5, 6, 7, 99])
    await expect(engine.step({ ...good, targets: { labels } })).rejects.toThrow(
      'a worker thread could not run its share',
    )
    await engine.close()
    expect(workers).toBe(0)
  })
})

describe('the engine for several cores', () => {
  const openedFor = async (model: Model, size: number) => {
    const data = await smallDigits(64)
    const example = engineBatchOf(data, 0, size)
    const engine = await openParallelEngine(model, { runtime, shards: 2 }, example)
    const whole = await openEngine(model, { runtime, threads: 2 }, example)
    return { engine, whole, batch: engineBatchOf(data, 20, size) }
  }

  test('a network whose samples mix is not split: statistics are of the whole batch', async () => {
    const { engine, whole, batch } = await openedFor(smallResnet(), 16)
    const [a, b] = [await whole.step(batch), await engine.step(batch)]
    expect(workers).toBe(0)
    expect(b.loss).toBe(a.loss)
    expect(bitsOf(engine.weights)).toEqual(bitsOf(whole.weights))
    expect([...engine.weights.keys()].filter((name) => name.endsWith('running_mean')).length).toBeGreaterThan(0)
    expect(engine.trainable.some((name) => name.includes('running'))).toBe(false)
    await Promise.all([engine.close(), whole.close()])
  })

  test('opening it leaves weights and running statistics as the model has them', async () => {
    for (const build of [smallCnn, smallResnet]) {
      const { engine, whole } = await openedFor(build(), 16)
      const model = build()
      for (const [name, values] of engine.weights)
        expect(
          Buffer.compare(Buffer.from(values.buffer), Buffer.from(model.graph.initializers.get(name)!.bytes)),
          name,
        ).toBe(0)
      await Promise.all([engine.close(), whole.close()])
    }
  })

  test('samples that mix in another way are found out', async () => {
    // Every score less the batch's mean score: no operator that says so in its name.
    const model = smallCnn()
    const { graph } = model
    const scores = graph.nodes.at(-1)!
    const name = scores.outputs[0]!
    scores.outputs[0] = 'raw'
    const b = new GraphBuilder(graph, 'centred', graph.nodes)
    const mean = b.op('ReduceMean', ['raw'], { axes: [0], keepdims: 1 })
    graph.nodes.push(makeNode('Sub', ['raw', mean], [name]))
    const { engine, whole, batch } = await openedFor(model, 16)
    expect(workers).toBe(0)
    expect((await engine.step(batch)).loss).toBe((await whole.step(batch)).loss)
    await Promise.all([engine.close(), whole.close()])
  })

  test('a loss that is no mean over samples is not split', async () => {
    const example = engineBatchOf(await smallDigits(16), 0, 16)
    const loss = lossNamed('cross-entropy', { classWeights: Array.from({ length: 10 }, (_, i) => i + 1) })
    const engine = await openParallelEngine(smallCnn(), { runtime, shards: 2, loss }, example)
    expect(workers).toBe(0)
    await engine.close()
  })

  test('a network whose samples do not mix is split', async () => {
    const { engine, whole, batch } = await openedFor(smallCnn(), 16)
    const [a, b] = [await whole.step(batch), await engine.step(batch)]
    expect(Math.abs(b.loss - a.loss) / a.loss).toBeLessThan(1e-5)
    expect(workers).toBe(1)
    await Promise.all([engine.close(), whole.close()])
  })
})
