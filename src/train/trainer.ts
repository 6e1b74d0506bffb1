import { type Loss, lossNamed } from '../autodiff/index.ts'
import { EspalierError, int64, numbersOf, random, sizeOf, UsageError } from '../base/index.ts'
import { type Augment, type Batch, type BatchesState, batches, type Dataset } from '../data/index.ts'
import type { Model } from '../onnx/index.ts'
import { type OptimizerState, parametersOf, type Recipe, restoreState, stateOf } from '../optim/index.ts'
import type { Values } from '../runtime/index.ts'
import { gathering, takeBatches } from './accumulate.ts'
import { type Engine, type EngineBatch, type EngineOptions, openEngine } from './engine.ts'
import { type Evaluation, evaluate, withWeights } from './evaluate.ts'
import type { OnTrainEvent } from './events.ts'
import { checkClasses, feedsOf, targetsFor } from './feeds.ts'
import { scoresOf } from './head.ts'
import { pace } from './pace.ts'
import { recalibrate } from './recalibrate.ts'

export type TrainOptions = Omit<EngineOptions, 'output'> & {
  readonly data: Dataset
  /** Samples the accuracy is taken on as training goes; none, no accuracy. */
  readonly test?: Dataset
  readonly recipe: Recipe
  readonly epochs: number
  /** Samples in a batch; 50. */
  readonly batch?: number
  /** Batches whose gradients are gathered before the weights move once, the next epoch's aside; 1. */
  readonly accumulate?: number
  /** Seed of the order of samples; 0. */
  readonly seed?: number
  readonly augment?: Augment
  /** What the loss reads of a batch; its labels, where it reads any. */
  readonly targetsOf?: (batch: Batch) => Promise<Values>
  /** Steps between evaluations; 50, as the article has it. 0 for none but the last. */
  readonly evaluateEvery?: number
  /** Test samples used for those (the last evaluation uses all); 2000, as the article's code does. */
  readonly evaluateSamples?: number
  /** Opens what computes the gradients; `openEngine`, or one that shards the batch. */
  readonly open?: (model: Model, options: EngineOptions, example: EngineBatch) => Promise<Engine>
  /** Saves a checkpoint and says where; called every `checkpointEvery` steps and at the end. */
  readonly save?: (state: TrainState) => Promise<string>
  /** Steps between checkpoints; an epoch. */
  readonly checkpointEvery?: number
  /** Seconds after which the next step's checkpoint is saved whatever `checkpointEvery`; none. */
  readonly checkpointSeconds?: number
  readonly resume?: TrainState
  /** What the optimizer remembers from before, such as a pruned network's (`pruneState`). */
  readonly optimizerState?: OptimizerState
  readonly onEvent?: OnTrainEvent
  /** Measures the statistics of every BatchNormalization anew for the weights the run ends with (`recalibrate`); false. */
  readonly recalibrate?: boolean
  /** Asks the optimizer's links for telemetry every so many steps; 0, never. */
  readonly telemetryEvery?: number
  /** Ends the run after the step under way, with a checkpoint. */
  readonly signal?: AbortSignal
  /** Whether a run that the signal ends is evaluated before it returns; default true. */
  readonly evaluateStopped?: boolean
}

/** Everything a run needs to go on exactly where it was. */
export type TrainState = {
  /** Steps done. */
  readonly step: number
  /** Parameters and running statistics, by initializer. */
  readonly weights: ReadonlyMap<string, Float32Array>
  /** The last loss on a training batch; NaN before the first step. */
  readonly loss: number
  readonly optimizer: OptimizerState
  readonly batches: BatchesState
  /** The evaluation that belongs to this step has yet to be made; false. */
  readonly evaluationDue?: boolean
}

export type TrainResult = {
  /** The model with the weights to use: averaged ones where the optimizer keeps such. */
  readonly model: Model
  readonly state: TrainState
  /** Whether the signal ended the run before its last step or evaluation. */
  readonly stopped: boolean
  /** The last loss on a training batch. */
  readonly loss: number
  /** On all test samples, where there are any; no accuracy where they have numbers to meet that are no yes or no. */
  readonly evaluation?: Evaluation
  readonly accuracy?: number
}

/** The loss or a weight is no longer finite. */
export class DivergedError extends EspalierError {
  override readonly name = 'DivergedError'
}

/**
 * Trains a model: batch by batch, gradients from the engine, weights moved by the optimizer.
 * @throws DivergedError naming the step and the last checkpoint when the loss or a weight is no longer finite.
 */
export const train = async (model: Model, options: TrainOptions): Promise<TrainResult> => {
  const { data, test, recipe, epochs, batch = 50, seed = 0, evaluateEvery = 50, evaluateSamples = 2000 } = options
  const { accumulate = 1, loss: objective = lossNamed('cross-entropy') } = options
  const emit: OnTrainEvent = (event) => options.onEvent?.(event)
  const output = objective.scores ? scoresOf(model) : undefined
  const inputsOf = feedsOf(model, objective)
  const targetsOf = options.targetsOf ?? targetsFor(data, objective)
  if (!(epochs > 0)) throw new UsageError(`${epochs} epochs make no sense`, { remedy: 'give a number above 0' })

  const feed = batches(data, { batch, shuffle: random(seed), augment: options.augment }, options.resume?.batches)
  const stepsPerEpoch = Math.ceil(feed.perEpoch / accumulate)
  const steps = Math.ceil(epochs * stepsPerEpoch)
  const engineBatch = async (b: Batch): Promise<EngineBatch> => ({
    inputs: inputsOf(b),
    targets: await targetsOf(b),
  })
  const first = batches(data, { batch }).next()
  // Labels are looked up by index: the engine is tried on ones that every classifier has, until they are checked.
  const example = await engineBatch({
    ...first,
    labels: int64(first.labels.dims, new BigInt64Array(sizeOf(first.labels.dims))),
  })
  const engine = await (options.open ?? openEngine)(
    model,
    { ...options, loss: objective, ...(output !== undefined && { output }) },
    example,
  )
  try {
    if (objective.value === undefined) checkClasses(data, engine)
    const gather = gathering(engine, engineBatch)
    const parameters = parametersOf(model.graph, engine.trainable).map((p) => ({
      ...p,
      values: engine.weights.get(p.name)!,
    }))
    let step = options.resume?.step ?? 0
    const optimizer = recipe.start(parameters, {
      ...(options.telemetryEvery && {
        onEvent: (event) => emit({ type: 'optimizer', step, event }),
      }),
    })
    if (options.optimizerState) restoreState(optimizer, options.optimizerState)
    if (options.resume) {
      restoreState(optimizer, options.resume.optimizer)
      for (const [name, values] of options.resume.weights) restoreWeights(engine, name, values)
    }

    const resumed = options.resume
    let loss = resumed?.loss ?? Number.NaN
    let evaluationDue = resumed?.evaluationDue ?? false
    const stopping = () => options.signal?.aborted ?? false
    const stateNow = (): TrainState => ({
      step,
      loss,
      weights: new Map([...engine.weights].map(([name, values]) => [name, values.slice()])),
      optimizer: stateOf(optimizer),
      batches: feed.state(),
      ...(evaluationDue && { evaluationDue }),
    })
    const modelNow = () => withWeights(model, new Map([...engine.weights, ...(optimizer.evaluationWeights() ?? [])]))
    const epochNow = () => Math.floor((step - 1) / stepsPerEpoch)
    const checkpointEvery = options.checkpointEvery ?? stepsPerEpoch
    let lastCheckpoint = resumed && `that of step ${resumed.step}, from which the run went on`
    let savedAt = performance.now()
    const checkpoint = async () => {
      // An infinite gradient spoils the weights a step before the loss shows it.
      if (!allFinite(engine.weights.values()))
        throw diverged(`the weights are no longer finite after step ${step}`, lastCheckpoint)
      if (!options.save) return
      lastCheckpoint = await options.save(stateNow())
      savedAt = performance.now()
      emit({ type: 'checkpoint', step, path: lastCheckpoint })
    }
    const { signal } = options
    const evaluateNow = async (samples?: number, of = modelNow(), until = signal) => {
      if (!test) return undefined
      const found = await evaluate(of, test, {
        runtime: options.runtime,
        loss: objective.name,
        ...(options.threads && { threads: options.threads }),
        ...(samples && { samples }),
        ...(until && { signal: until }),
      })
      const { predictions: _, ...rest } = found
      emit({ type: 'evaluation', step, epoch: epochNow(), trainLoss: loss, ...rest })
      return found
    }
    /** What the signal ends before it is done is due when the run goes on. */
    const whole = async <T>(evaluation: () => Promise<T>): Promise<T | undefined> => {
      evaluationDue = true
      try {
        signal?.throwIfAborted()
        const result = await evaluation()
        evaluationDue = false
        return result
      } catch (error) {
        if (stopping() && error === signal?.reason) return undefined
        throw error
      }
    }

    emit({
      type: 'start',
      steps,
      stepsPerEpoch,
      from: step + 1,
      trainable: engine.trainable,
      parameters: parameters.reduce((sum, p) => sum + sizeOf(p.dims), 0),
    })
    const clock = pace(steps - step)
    if (evaluationDue && step < steps) await whole(() => evaluateNow(evaluateSamples))
    while (step < steps && !stopping()) {
      const next = takeBatches(feed, accumulate)
      step++
      const lr = optimizer.rate()
      const gathered = await gather(next)
      loss = gathered.loss
      if (!Number.isFinite(loss)) throw lossless(loss, step, next, objective, lastCheckpoint)
      const telemetry = options.telemetryEvery ? step % options.telemetryEvery === 0 : false
      const moved = optimizer.step(gathered.gradients, { consume: true, telemetry })
      if (!moved.moved) emit({ type: 'skipped', step, reason: moved.reason })
      emit({ type: 'step', step, epoch: epochNow(), loss, lr, ...clock.tick(gathered.samples) })
      if (evaluateEvery > 0 && step % evaluateEvery === 0 && step < steps)
        await whole(() => evaluateNow(evaluateSamples))
      const late = performance.now() - savedAt > 1000 * (options.checkpointSeconds ?? Number.POSITIVE_INFINITY)
      if ((step % checkpointEvery === 0 || late) && step < steps && !stopping()) await checkpoint()
    }
    const { runtime, threads } = options
    const finish = async () => {
      const settings = { runtime, data, batch, seed, ...(threads && { threads }), ...(signal && { signal }) }
      const model = options.recalibrate ? await recalibrate(modelNow(), settings) : modelNow()
      return { model, last: await evaluateNow(undefined, model) }
    }
    const finished = step < steps ? undefined : await whole(finish)
    const changed = step !== (resumed?.step ?? 0) || evaluationDue !== (resumed?.evaluationDue ?? false)
    if (changed) await checkpoint()
    const stopped = finished === undefined
    const evaluatedStopped = stopped && (options.evaluateStopped ?? true)
    const last = evaluatedStopped
      ? await evaluateNow(undefined, modelNow(), new AbortController().signal)
      : finished?.last
    emit({ type: 'end', step, seconds: clock.seconds(), stopped })
    return {
      model: finished?.model ?? modelNow(),
      state: stateNow(),
      stopped,
      loss,
      ...(last && { evaluation: last, ...(Number.isFinite(last.accuracy) && { accuracy: last.accuracy }) }),
    }
  } finally {
    await engine.close()
  }
}

const restoreWeights = (engine: Engine, name: string, values: Float32Array) => {
  const weights = engine.weights.get(name)
  if (weights?.length !== values.length)
    throw new EspalierError('the checkpoint does not fit the model', {
      place: { initializer: name },
      remedy: 'resume with the model that the run began with',
    })
  weights.set(values)
}

const allFinite = (arrays: Iterable<Float32Array>): boolean => {
  for (const array of arrays) for (const value of array) if (!Number.isFinite(value)) return false
  return true
}

/** What made a loss infinite or NaN. */
const lossless = (
  loss: number,
  step: number,
  taken: readonly Batch[],
  objective: Loss,
  checkpoint: string | undefined,
) => {
  const what = `the loss is ${loss} at step ${step}`
  const { counts } = objective
  const empty = counts && taken.some(({ labels }) => !numbersOf(labels).some(counts))
  if (empty)
    return new EspalierError(`${what}: no sample of its batch counts, by the class weights or the ignored label`, {
      remedy: 'give the classes there are weights above 0, or use a larger batch',
    })
  // The rate has had no part in a first loss.
  if (step === 1)
    return new DivergedError(what, {
      remedy:
        'the samples or the weights it begins with are too large or no numbers: check the range of the data and the model’s file, or use another loss',
    })
  return diverged(what, checkpoint)
}

const diverged = (what: string, checkpoint: string | undefined) =>
  new DivergedError(what, {
    remedy: `use a smaller learning rate or clip the gradients${
      checkpoint ? `; the last good checkpoint is ${checkpoint}` : ' (no checkpoint had been written yet)'
    }`,
  })
