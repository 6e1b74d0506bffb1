import type { Dataset } from '../../data/index.ts'
import type { Model } from '../../onnx/index.ts'
import type { Runtime } from '../../runtime/index.ts'
import { copyWeights, type Engine, type EngineBatch, type EngineOptions, openEngine } from '../engine.ts'
import { DivergedError, train } from '../trainer.ts'
import type { Entrant } from './entrants.ts'

/** Everything that determines a run: plain data, by which a result is found again. */
export type Trial = {
  readonly data: string
  readonly network: string
  readonly optimizer: string
  readonly schedule: string
  readonly rate: number
  /** Of the starting weights and of the order of samples. */
  readonly seed: number
  /** Which samples this run is measured on. */
  readonly on: 'validation' | 'test'
  /** Samples trained on. */
  readonly samples: number
  /** Further samples, by which the setting is chosen. */
  readonly validation: number
  /** Samples that the chosen setting is measured on. */
  readonly test: number
  readonly epochs: number
  readonly batch: number
}

export type TrialResult = Trial & {
  /** Share right at the end, 0 where the run diverged. */
  readonly accuracy: number
  /** Mean cross-entropy at the end; null where the run diverged. */
  readonly loss: number | null
  /** Accuracy on the first `curveSamples` test samples as training went: [step, accuracy]. Only for runs on 'test'. */
  readonly curve: readonly (readonly [step: number, accuracy: number])[]
}

export type TrialOptions = {
  readonly runtime: Runtime
  /** Threads one operator may use; 1, with which a run repeats exactly. */
  readonly threads?: number
  /** Steps between points of the curve; 20. */
  readonly curveEvery?: number
  /** 1000. */
  readonly curveSamples?: number
  readonly open?: typeof openEngine
}

/** What a trial names, in full. */
export type Cast = {
  readonly entrant: Entrant
  readonly model: Model
  readonly train: Dataset
  readonly evaluation: Dataset
}

/** Trains once. A run that diverges is a result, and a bad one. */
export const runTrial = async (trial: Trial, cast: Cast, options: TrialOptions): Promise<TrialResult> => {
  const { runtime, threads = 1, curveEvery = 20, curveSamples = 1000, open = openEngine } = options
  const steps = trial.epochs * Math.ceil(trial.samples / trial.batch)
  const curve: [number, number][] = []
  let [accuracy, loss] = [0, Number.NaN]
  try {
    await train(cast.model, {
      runtime,
      threads,
      open,
      data: cast.train,
      test: cast.evaluation,
      recipe: cast.entrant.recipe(trial, steps),
      epochs: trial.epochs,
      batch: trial.batch,
      seed: trial.seed,
      evaluateEvery: trial.on === 'test' ? curveEvery : 0,
      evaluateSamples: curveSamples,
      onEvent(event) {
        if (event.type !== 'evaluation') return
        if (event.step < steps) curve.push([event.step, event.accuracy])
        else [accuracy, loss] = [event.accuracy, event.loss]
      },
    })
  } catch (error) {
    if (!(error instanceof DivergedError)) throw error
  }
  return { ...trial, accuracy, loss: Number.isFinite(loss) ? loss : null, curve }
}

/**
 * Opens each network's engine once and hands it out again and again, with the model's own weights put back: the graph is
 * the same for every seed. `close` ends them all.
 */
export const engineShelf = (): { open: typeof openEngine; close(): Promise<void> } => {
  const engines = new Map<string, Promise<Engine>>()
  return {
    async open(model: Model, options: EngineOptions, example: EngineBatch) {
      const key = model.graph.name
      const opened = engines.get(key) ?? openEngine(model, options, example)
      engines.set(key, opened)
      const engine = await opened
      for (const [name, values] of copyWeights(model, engine.weights.keys())) engine.weights.get(name)!.set(values)
      return { ...engine, close: async () => {} }
    },
    async close() {
      await Promise.all([...engines.values()].map(async (engine) => (await engine).close()))
    },
  }
}
