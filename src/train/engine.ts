import { float32Of, type Tensor } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import { recyclerFor } from '../runtime/release.ts'
import { copyWeights, type EngineBatch, type EngineOptions, type Prepared, prepare, weightFeeds } from './prepare.ts'

export { copyWeights, type EngineBatch, type EngineOptions, type Prepared, prepare, weightFeeds } from './prepare.ts'

/** What a step found. `output` is the network's answer, [n, ...]. */
export type StepResult = { readonly loss: number; readonly output: Tensor }

/**
 * Computes losses and gradients of a model whose weights live outside it. `weights` holds every trainable parameter and
 * every running statistic; an optimizer changes the parameters between steps, the engine the statistics within one.
 */
export type Engine = {
  readonly weights: ReadonlyMap<string, Float32Array>
  /** The parameters among the weights. */
  readonly trainable: readonly string[]
  /** Shape of what the loss reads, [n, classes, …] for a classifier. */
  readonly outputDims: readonly number[]
  /** ∂loss/∂parameter of the last step, by parameter; in WebAssembly the next step takes their memory back. */
  readonly gradients: ReadonlyMap<string, Float32Array>
  step(batch: EngineBatch): Promise<StepResult>
  close(): Promise<void>
}

/** An engine that runs whole batches in one session, opened anew for each batch shape it meets. */
export const openEngine = async (model: Model, options: EngineOptions, example: EngineBatch): Promise<Engine> => {
  const prepared = new Map<string, Prepared>()
  const shapeOf = (batch: EngineBatch) =>
    JSON.stringify(Object.entries(batch.inputs).map(([name, t]) => [name, t.dims]))
  const preparedFor = async (batch: EngineBatch) => {
    const key = shapeOf(batch)
    const found = prepared.get(key) ?? (await prepare(model, options, batch))
    prepared.set(key, found)
    return found
  }

  const first = (await preparedFor(example)).graph
  const trainable = [...first.gradients.keys()]
  const weights = copyWeights(model, [...trainable, ...first.updates.map((update) => update.initializer)])
  const gradients = new Map<string, Float32Array>(
    trainable.map((name) => [name, new Float32Array(weights.get(name)!.length)]),
  )
  const feeds = weightFeeds(model, weights)
  // Natively such memory is recycled anyway.
  const recycler =
    options.runtime.name === 'web'
      ? recyclerFor([...gradients.values()].reduce((bytes, gradient) => bytes + gradient.byteLength, 0))
      : undefined

  return {
    weights,
    trainable,
    outputDims: first.outputDims,
    gradients,
    async step(batch) {
      const { graph, session } = await preparedFor(batch)
      recycler?.release()
      const results = await session.run({ ...feeds, ...batch.inputs, ...batch.targets })
      const names = new Set([...graph.gradients.values(), ...graph.updates.map(({ value }) => value)])
      recycler?.take(Array.from(names, (name) => results[name]!))
      for (const [name, output] of graph.gradients) gradients.set(name, float32Of(results[output]!))
      for (const { initializer, value } of graph.updates) weights.get(initializer)!.set(float32Of(results[value]!))
      return { loss: float32Of(results[graph.loss]!)[0]!, output: results[graph.output]! }
    },
    async close() {
      await Promise.all([...prepared.values()].map(({ session }) => session.close()))
    },
  }
}
