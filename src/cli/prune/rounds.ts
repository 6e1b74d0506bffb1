import { EspalierError, UsageError } from '../../base/index.ts'
import { type Dataset, split, withPreprocessing } from '../../data/index.ts'
import type { Model } from '../../onnx/index.ts'
import { analyzeModel, applyPlan, type Latency, type PlanOptions, planForLatency } from '../../prune/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import {
  evaluate,
  type Round,
  rebirth,
  type SoftRound,
  softTrain,
  type Trained,
  type TrainOptions,
  type TrainResult,
  train,
  updatesPerEpoch,
} from '../../train/node.ts'
import { type Console, percent } from '../console.ts'
import type { Interrupt } from '../interrupt.ts'
import { onStage } from '../limits/report.ts'
import { outputsOf, saidLoss } from '../losses.ts'
import { interruption, showTraining } from '../progress.ts'
import { trainingFrom } from '../runs.ts'
import { samplesFor } from '../samples.ts'
import { latencyFrom, type PruneValues, scheduleOf } from './flags.ts'
import type { Prove } from './proof.ts'
import type { PruneRun, Stage } from './run.ts'

export type Work = {
  readonly options: PlanOptions
  /** Epochs before and after the cut of a round; nothing is trained in a dry run. */
  readonly soft: number
  readonly retrain: number
  /** Needed where something is trained or judged. */
  readonly data: Splits | undefined
  readonly teacher: Model | undefined
  /** Proves what a round removed, before it is retrained. */
  readonly prove: Prove | undefined
  readonly values: PruneValues
  readonly console: Console
  readonly interrupt: Interrupt
  /** Where training is kept as it goes, so that it can be resumed; none where nothing is trained. */
  readonly run: PruneRun | undefined
}

type Splits = {
  readonly train: Dataset
  readonly validation: Dataset
  /** Writes down how the samples were prepared, and which were set aside. */
  stamp(model: Model): Model
}

/** A round as it was judged on the validation samples. */
export type Judged = {
  readonly round: number
  readonly loss: number
  readonly accuracy: number
  readonly passes: boolean
}

export type Result = Pick<Round, 'model' | 'whole' | 'first' | 'round' | 'left'> & {
  readonly judged: readonly Judged[]
}

/** Retraining is judged on samples set aside from the training ones: test samples are for the end. */
export const splitsFor = async (model: Model, spec: string, values: PruneValues): Promise<Splits> => {
  const { seed, loss, teacher, 'ignore-index': ignore } = values
  const {
    train: all,
    preprocessing,
    splitSeed,
  } = await samplesFor(model, spec, {
    ...{ seed, values, ignore, loss, taught: teacher !== undefined },
  })
  const outputs = outputsOf(model)
  const [what, told] = all.targets ? ['numbers', outputs] : ['classes', outputs === 1 ? 2 : outputs]
  if (told !== undefined && all.classes.length > told && !loss.startsWith('output:'))
    throw new UsageError(`'${all.name}' has ${all.classes.length} ${what} and the model tells ${told}`, {
      remedy: `${all.labelDims ? 'say which label does not count (--ignore-index), or ' : ''}use data of the kind the model was trained on; a new last layer is given by train --new-head`,
    })
  const stamp = (pruned: Model) =>
    withPreprocessing(pruned, preprocessing, all.classes, { loss: saidLoss(values), splitSeed })
  return { ...split(all, 0.1, seed), stamp }
}

/** Prunes in rounds, or in one go by the clock. */
export const roundsOf = async (model: Model, work: Work): Promise<Result> => {
  const { options, values, console } = work
  const { latency, steps } = values
  if (latency !== undefined) return byTheClock(model, work, latencyFrom(latency))
  const judged: Judged[] = []
  const { 'stop-loss': loss, 'stop-accuracy': accuracy } = values
  const bounded = work.data !== undefined && (loss !== undefined || accuracy !== undefined)
  const last = await rebirth({
    ...options,
    runtime: nodeRuntime,
    model,
    steps,
    schedule: scheduleOf(values['prune-schedule']),
    ...(values.absorb !== undefined && { absorb: values.absorb === 'all' ? 'all' : 'exact' }),
    ...(work.soft > 0 && { soften: (before: Model, round: SoftRound) => soften(before, round, work) }),
    ...(work.retrain > 0 && {
      retrain: async (pruned: Model, round: Round) => {
        await work.prove?.(round.whole, round.first)
        return reborn(pruned, round, work, `round ${round.round} of ${steps}: retraining`)
      },
    }),
    ...(bounded && {
      judge: async (round: Round) => {
        const found = await judge(round, work)
        judged.push(found)
        if (round.round === 1 && !found.passes)
          throw new EspalierError(`the first round passes the bound already: ${figures(found)} on validation samples`, {
            remedy: 'prune less, in more --steps, or --retrain for longer',
          })
        return found.passes
      },
    }),
  })
  for (const found of judged) console.say(`round ${found.round} of ${steps}: ${figures(found)} on validation samples`)
  if (judged.some(({ passes }) => !passes))
    console.say(`stopped after round ${last.round}: the next one passes the bound`)
  return { ...last, judged }
}

const figures = ({ loss, accuracy }: Judged) =>
  `loss ${loss.toFixed(4)}, ${Number.isFinite(accuracy) ? `accuracy ${percent(accuracy)}` : 'of numbers to meet'}`

const judge = async ({ model, round }: Round, { data, values }: Work): Promise<Judged> => {
  const { loss, accuracy } = await evaluate(model, data!.validation, { runtime: nodeRuntime, loss: values.loss })
  const { 'stop-loss': most = Number.POSITIVE_INFINITY, 'stop-accuracy': least = 0 } = values
  return { round, loss, accuracy, passes: loss <= most && accuracy >= least }
}

const byTheClock = async (model: Model, work: Work, latency: Latency): Promise<Result> => {
  const { options } = work
  const first = await analyzeModel(model, { runtime: nodeRuntime, onEvent: onStage })
  const measure = () => planForLatency(model, first, options, { runtime: nodeRuntime, latency })
  const { plan } = await (work.run?.decided('latency', measure) ?? measure())
  await work.prove?.(plan, first)
  const pruned = applyPlan(model, plan, first)
  const trained = work.retrain > 0 ? (await reborn(pruned, { round: 1 }, work, 'retraining')).model : pruned
  return { model: trained, whole: plan, first, round: 1, judged: [] }
}

/** Trains a pruned model, its optimizer going on with what it remembers. */
const reborn = (
  pruned: Model,
  { optimizer, round }: Pick<Round, 'optimizer' | 'round'>,
  work: Work,
  label: string,
): Promise<Trained> =>
  trained(pruned, work, { name: `round-${round}`, epochs: work.retrain, label }, async (training) => {
    const found = await train(pruned, { ...training, ...(optimizer && { optimizerState: optimizer }) })
    return { ...found, optimizer: found.state.optimizer }
  })

const soften = (
  before: Model,
  { round, steps, analysis, choose, optimizer }: SoftRound,
  work: Work,
): Promise<Trained> => {
  const label = `round ${round} of ${steps}: training before the cut`
  return trained(before, work, { name: `round-${round}-soft`, epochs: work.soft, label }, (training) =>
    softTrain(before, {
      ...training,
      epochs: work.soft,
      analysis,
      choose,
      ...(optimizer && { optimizerState: { ...optimizer, scalars: { ...optimizer.scalars, count: 0 } } }),
    }),
  )
}

type Training = Omit<Awaited<ReturnType<typeof trainingFrom>>, 'close'> &
  Pick<TrainOptions, 'test' | 'onEvent' | 'signal'> &
  Partial<Stage>

/** One training of a round, which is kept as it goes and goes on from where it was kept. */
const trained = async (
  model: Model,
  { data, teacher, values, console, interrupt, run }: Work,
  { name, epochs, label }: { name: string; epochs: number; label: string },
  training: (options: Training) => Promise<Trained & Pick<TrainResult, 'stopped' | 'state'>>,
): Promise<Trained> => {
  const { train: samples, validation } = data!
  const { close, ...given } = await trainingFrom(model, values, {
    data: samples,
    epochs,
    lr: 3e-4,
    ...(teacher && { teacher }),
  })
  const { batch, accumulate } = values
  try {
    const stage = await run?.stage(name, model)
    const from = stage?.resume
    // What is done already is not shown again.
    const done = from && from.step >= Math.ceil(epochs * updatesPerEpoch(samples, batch, accumulate))
    console.say(done ? `${label}, done before` : label)
    const shown = done && !from.evaluationDue ? {} : { test: validation, onEvent: showTraining(console, 'retraining') }
    const { model: result, optimizer } = await interrupt.orderly(
      (signal) => training({ ...given, ...stage, ...shown, signal }),
      (found) => interruption(found, label),
    )
    return { model: result, ...(optimizer && { optimizer }) }
  } finally {
    await close()
  }
}
