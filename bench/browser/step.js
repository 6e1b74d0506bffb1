import { float32, int64, sizeOf } from 'espalier/base'
import { networkNamed } from 'espalier/nn'
import { optimizerNamed, parametersOf } from 'espalier/optim'
import { openEngine } from 'espalier/train'

/** Samples in a batch: 50 for MNIST's networks, as the article has it, else 32. */
export const batchOf = (name) => (name === 'seed-cnn' || name === 'tf-cnn' ? 50 : 32)

/**
 * A training step made ready: forward, backward and Ranger's update of a named network on one thread. `run` does so many
 * in a row.
 */
export const stepOf = async (name, runtime, threads = 1) => {
  const network = networkNamed(name)
  const model = network.build({ seed: 0 })
  const batch = batchOf(name)
  const dims = [batch, ...network.sampleDims]
  const values = Float32Array.from({ length: sizeOf(dims) }, (_, i) => Math.max(0, Math.sin(i * 7.3)))
  const labels = Array.from({ length: batch }, (_, i) => i % network.classes)
  const example = { inputs: { input: float32(dims, values) }, targets: { labels: int64([batch], labels) } }
  const engine = await openEngine(model, { runtime, threads }, example)
  const parameters = parametersOf(model.graph, engine.trainable)
  const optimizer = optimizerNamed('ranger', { lr: 1e-4 }).start(
    parameters.map((p) => ({ ...p, values: engine.weights.get(p.name) })),
  )
  const run = async (count) => {
    for (let i = 0; i < count; i++) {
      await engine.step(example)
      optimizer.step(engine.gradients, { consume: true })
    }
  }
  return { run, close: () => engine.close() }
}
