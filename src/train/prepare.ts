import { type Loss, type TrainingGraph, trainableInitializers, trainingGraph } from '../autodiff/index.ts'
import { float32, float32Of } from '../base/index.ts'
import { copyModel, type Model } from '../onnx/index.ts'
import {
  blockConvolutions,
  blockSizeOf,
  infer,
  type Runtime,
  type Session,
  type SessionOptions,
  type Values,
  winogradConvolutions,
} from '../runtime/index.ts'

/** One batch as the graph takes it: the network's inputs and the loss's (`labels` and the like), by name. */
export type EngineBatch = { readonly inputs: Values; readonly targets: Values }

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
  /**
   * Which convolutions are done by minimal filtering (`winogradConvolutions`): those of at least so many channels in and
   * out. Left out, none natively, and in WebAssembly those where it is surely less work. Results differ in the last digits.
   */
  readonly minimalFiltering?: number
}

/** A training graph made ready for one batch shape. */
export type Prepared = { readonly graph: TrainingGraph; readonly session: Session; readonly settings: SessionOptions }

/**
 * Makes the training graph of a batch's shape and opens it. Without ONNX Runtime's memory pattern, one block planned for all
 * values, a step takes no longer and up to half the memory: activations wait for the way back and leave holes in any plan.
 */
export const prepare = async (model: Model, options: EngineOptions, batch: EngineBatch): Promise<Prepared> => {
  const { runtime, threads, minimalFiltering, ...rest } = options
  const inputs = Object.fromEntries(Object.entries(batch.inputs).map(([name, { dims }]) => [name, dims]))
  const form = await formFor(runtime, model, batch.inputs, minimalFiltering)
  const trainable = rest.trainable ?? trainableInitializers(model.graph)
  const graph = await trainingGraph(form, { runtime, ...rest, trainable, inputs })
  await layOutInBlocks(runtime, model, graph, batch)
  const settings = { ...(threads !== undefined && { threads }), memoryPattern: false }
  return { graph, session: await runtime.open(graph.model, settings), settings }
}

/** Convolutions of the training graph in the engine's blocked layout, where it has one. */
const layOutInBlocks = async (
  runtime: Runtime,
  model: Model,
  { model: training, updates }: TrainingGraph,
  batch: EngineBatch,
): Promise<void> => {
  const block = await blockSizeOf(runtime)
  if (block < 2) return
  const names = new Set(training.graph.inputs.map((input) => input.name))
  const weights = [...model.graph.initializers].filter(([name]) => names.has(name))
  // ONNX Runtime writes a training BatchNormalization's new statistics over the ones it was fed.
  const statistics = copyWeights(
    model,
    updates.map((update) => update.initializer),
  )
  const feeds = {
    ...Object.fromEntries(weights),
    ...weightFeeds(model, statistics),
    ...batch.inputs,
    ...batch.targets,
  }
  const types = await infer(runtime, training, feeds)
  blockConvolutions(training, types, block)
}

/** The model with its convolutions as the engine does them fastest, before it is differentiated. */
const formFor = async (runtime: Runtime, model: Model, inputs: Values, channels?: number): Promise<Model> => {
  const filters = channels !== undefined || (await runtime.provider()) === 'wasm'
  if (!filters || !model.graph.nodes.some((node) => node.opType === 'Conv')) return model
  const form = copyModel(model)
  const types = await infer(runtime, form, inputs)
  winogradConvolutions(form, types, channels === undefined ? undefined : ({ c, o }) => Math.min(c, o) >= channels)
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
