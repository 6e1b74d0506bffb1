import type { Model } from '../onnx/index.ts'
import { type Engine, type EngineBatch, openEngine } from './engine.ts'
import { isSplittable, openShardedEngine, type ShardedOptions } from './shards/index.ts'

/** How a step is formulated: all ways compute the same, but for the last digits. */
export type Formulation = {
  /** Whether batches are split over threads, or every operator uses all of them. */
  readonly split: boolean
  /** Least channels of convolutions done by minimal filtering; none where left out. */
  readonly minimalFiltering?: number
}

export type Timing = { readonly formulation: Formulation; readonly ms: number }

/** Opens the engine of a formulation. */
export const openFormulation = (
  model: Model,
  options: ShardedOptions,
  { split, ...rest }: Formulation,
  example: EngineBatch,
): Promise<Engine> =>
  split
    ? openShardedEngine(model, { ...options, ...rest }, example)
    : openEngine(model, { ...options, ...rest, threads: options.shards }, example)

/** The formulations that may differ in time for a model. */
export const formulationsOf = async (
  model: Model,
  options: ShardedOptions,
  example: EngineBatch,
): Promise<Formulation[]> => {
  const splits = (await isSplittable(model, options, example)) ? [true, false] : [false]
  const widest = Math.max(0, ...kernels3x3(model).map(([outputs = 0, channels = 0]) => Math.min(outputs, channels)))
  const widths = [128, 64, 32].filter((width) => width <= widest)
  return splits.flatMap((split) => [{ split }, ...widths.map((minimalFiltering) => ({ split, minimalFiltering }))])
}

const kernels3x3 = ({ graph }: Model): (readonly number[])[] =>
  graph.nodes
    .filter((node) => node.opType === 'Conv')
    .map((node) => graph.initializers.get(node.inputs[1] ?? '')?.dims ?? [])
    .filter(([, , height, width]) => height === 3 && width === 3)

export type TuneOptions = ShardedOptions & {
  /** Steps timed of each formulation, after two that are not; the fastest counts. 5 unless said. */
  readonly steps?: number
  readonly onTiming?: (trial: Timing, of: number) => void
}

/**
 * Runs a few steps of every formulation on an example batch; the fastest comes first. The weights are left alone. What a busy
 * machine measures may differ from run to run: keep the answer where runs must repeat.
 */
export const tune = async (model: Model, options: TuneOptions, example: EngineBatch): Promise<Timing[]> => {
  const { steps = 5, onTiming, ...engine } = options
  const formulations = await formulationsOf(model, engine, example)
  const trials: Timing[] = []
  for (const formulation of formulations) {
    const opened = await openFormulation(model, engine, formulation, example)
    let ms = Number.POSITIVE_INFINITY
    try {
      for (let i = -2; i < steps; i++) {
        const start = performance.now()
        await opened.step(example)
        if (i >= 0) ms = Math.min(ms, performance.now() - start)
      }
    } finally {
      await opened.close()
    }
    trials.push({ formulation, ms })
    onTiming?.({ formulation, ms }, formulations.length)
  }
  return trials.sort((a, b) => a.ms - b.ms)
}
