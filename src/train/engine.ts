import { type Loss, type TrainingGraph, trainableInitializers, trainingGraph } from '../autodiff/index.ts'
import { float32, float32Of, type Tensor } from '../base/index.ts'
import { copyModel, type Model } from '../onnx/index.ts'
import {
  blockConvolutions,
  blockSizeOf,
  type Runtime,
  type Session,
  trace,
  type Values,
  winogradConvolutions,
} from '../runtime/index.ts'

/** One batch as the graph takes it: the network's inputs and the loss's (`labels` and the like), by name. */
export type EngineBatch = { readonly inputs: Values; readonly targets: Values }

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
  /** ∂loss/∂parameter of the last step, by parameter. */
  readonly gradients: ReadonlyMap<string, Float32Array>
  step(batch: EngineBatch): Promise<StepResult>
  close(): Promise<void>
}

export type EngineOptions = {
  readonly runtime: Runtime
  readonly loss?: Loss
  /** The value the loss reads; the graph's first output unless said. */
  readonly output?: string
  readonly trainable?: readonly string[]
  /** 'train' uses the batch's statistics in BatchNormalization, 'eval' the running ones. */
  readonly mode?: 'train' | 'eval'
  /** Computes activations a second time on the way back instead of keeping them all; false. */
  readonly recompute?: boolean
  /** Threads one operator may use. */
  readonly threads?: number
}

/** A training graph made ready for one batch shape. */
export type Prepared = { readonly graph: TrainingGraph; readonly session: Session }

/** Makes the training graph of a batch's shape and opens it. */
export const prepare = async (model: Model, options: EngineOptions, batch: EngineBatch): Promise<Prepared> => {
  const { runtime, threads, ...rest } = options
  const inputs = Object.fromEntries(Object.entries(batch.inputs).map(([name, { dims }]) => [name, dims]))
  const form = await formFor(runtime, model, batch.inputs)
  const trainable = rest.trainable ?? trainableInitializers(model.graph)
  const graph = await trainingGraph(form, { runtime, ...rest, trainable, inputs })
  const block = await blockSizeOf(runtime)
  if (block > 1) {
    const names = new Set(graph.model.graph.inputs.map((input) => input.name))
    const weights = [...model.graph.initializers].filter(([name]) => names.has(name))
    // ONNX Runtime writes a training BatchNormalization's new statistics over the ones it was fed.
    const statistics = copyWeights(
      model,
      graph.updates.map((update) => update.initializer),
    )
    const feeds = {
      ...Object.fromEntries(weights),
      ...weightFeeds(model, statistics),
      ...batch.inputs,
      ...batch.targets,
    }
    blockConvolutions(graph.model, await trace(runtime, graph.model, feeds), block)
  }
  return { graph, session: await runtime.open(graph.model, threads === undefined ? {} : { threads }) }
}

/** The model with its convolutions as the engine does them fastest, before it is differentiated. */
const formFor = async (runtime: Runtime, model: Model, inputs: Values): Promise<Model> => {
  if ((await runtime.provider()) !== 'wasm' || !model.graph.nodes.some((node) => node.opType === 'Conv')) return model
  const form = copyModel(model)
  winogradConvolutions(form, await trace(runtime, form, inputs))
  return form
}

/** Copies of a model's float32 initializers: weights that can change while the model stays. */
export const copyWeights = (model: Model, names: Iterable<string>): Map<string, Float32Array> =>
  new Map(Array.from(names, (name) => [name, float32Of(model.graph.initializers.get(name)!).slice()]))

/** Feeds of the weights a graph takes. */
export const weightFeeds = (model: Model, weights: ReadonlyMap<string, Float32Array>): Values =>
  Object.fromEntries(
    [...weights].map(([name, values]) => [name, float32(model.graph.initializers.get(name)!.dims, values)]),
  )

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

  return {
    weights,
    trainable,
    outputDims: first.outputDims,
    gradients,
    async step(batch) {
      const { graph, session } = await preparedFor(batch)
      const results = await session.run({ ...feeds, ...batch.inputs, ...batch.targets })
      for (const [name, output] of graph.gradients) gradients.set(name, float32Of(results[output]!))
      for (const { initializer, value } of graph.updates) weights.get(initializer)!.set(float32Of(results[value]!))
      return { loss: float32Of(results[graph.loss]!)[0]!, output: results[graph.output]! }
    },
    async close() {
      await Promise.all([...prepared.values()].map(({ session }) => session.close()))
    },
  }
}
