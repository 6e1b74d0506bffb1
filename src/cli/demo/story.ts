import { lossNamed } from '../../autodiff/index.ts'
import { float32, float32Of } from '../../base/index.ts'
import { type Augment, type Batch, batches, type Dataset, randomShift, split } from '../../data/index.ts'
import { loadDataset } from '../../data/node.ts'
import { networks } from '../../nn/index.ts'
import { encodeModel, type Model } from '../../onnx/index.ts'
import { optimizerNamed, parseSchedule } from '../../optim/index.ts'
import {
  type Analysis,
  analyzeModel,
  applyPlan,
  kernelStatistics,
  type Plan,
  type PlanSource,
  type Verification,
  verifyPlan,
} from '../../prune/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import {
  evaluate,
  inputOf,
  openParallelEngine,
  type Round,
  rebirth,
  type Telemetry,
  type TrainEvent,
  type TrainOptions,
  telemetryLines,
  train,
} from '../../train/node.ts'
import { type Console, percent, sparkline } from '../console.ts'
import { showTraining } from '../progress.ts'
import { defaultThreads } from '../runs.ts'

export type StorySettings = {
  readonly seed: number
  /** Passes over the training images: of the original, of each round's retraining, and of the last rebirth. */
  readonly epochs: number
  readonly roundEpochs: number
  readonly lastEpochs: number
  readonly rounds: number
  /** Share of each layer's kernels that is gone after the last round. */
  readonly ratios: { readonly [layer: string]: number }
  readonly lr: number
  /** The small rate of retraining. */
  readonly retrainLr: number
  readonly batch: number
  /** Share of the original's bytes that the result may have at most. */
  readonly budget: number
  /** How far below the original, after its one round of retraining, a network may be that the last rebirth takes on. */
  readonly reach: number
}

/** One measurement of a curve, its steps counted on through pruning and retraining. */
export type CurvePoint = { step: number; epoch: number; loss?: number; testAccuracy?: number }

/** Test images the curve follows: the first ones, always the same, since another number would make a jump. */
export const watched = 2000

/** One round of pruning, as it was judged on the validation images. */
export type ToldRound = {
  readonly round: Round
  readonly pruned: number
  readonly retrained: number
  readonly chosen: boolean
}

export type Story = {
  readonly settings: StorySettings
  readonly test: Dataset
  /** The original's accuracy on the validation images. */
  readonly standard: number
  readonly original: Model
  readonly analysis: Analysis
  /** The original cut by the whole plan, and the network that grew from it. */
  readonly pruned: Model
  readonly retrained: Model
  readonly plan: Plan
  readonly proof: Verification
  readonly rounds: readonly ToldRound[]
  readonly curve: readonly CurvePoint[]
  readonly marks: readonly { step: number; label: string }[]
  /** The learning rate by step, and what the optimizer's links told. */
  readonly rates: readonly (readonly [step: number, lr: number])[]
  readonly telemetry: readonly Telemetry[]
}

/**
 * The article's six steps on real MNIST: train, look, prune, compare, retrain at a small rate, repeat. Everything is
 * decided on validation images that are set aside from the training ones; test images are only ever shown.
 */
export const tellStory = async (
  settings: StorySettings,
  console: Console,
  keep: (model: Model) => Promise<PlanSource>,
): Promise<Story> => {
  const { seed, batch } = settings
  const { train: all, test } = await loadDataset('mnist')
  const { train: data, validation } = split(all, 1 / 12, seed)
  const curve: CurvePoint[] = []
  const marks: { step: number; label: string }[] = []
  const rates: [step: number, lr: number][] = []
  const telemetry: Telemetry[] = []

  const teach = async (
    model: Model,
    how: { epochs: number; lr: number; label: string; guide?: Guide; augment?: Augment },
  ) => {
    const from = curve.at(-1)?.step ?? 0
    const steps = Math.ceil((how.epochs * data.size) / batch)
    const show = showTraining(console, how.label)
    const gather = telemetryLines((line) => telemetry.push({ ...line, step: from + line.step }))
    const onEvent = (event: TrainEvent) => {
      show(event)
      gather(event)
      if (event.type === 'step' && event.step % 10 === 0) rates.push([from + event.step, event.lr])
      if (event.type === 'step' && event.step % 10 === 0)
        curve.push({ step: from + event.step, epoch: event.epoch, loss: event.loss })
      if (event.type === 'evaluation' && event.samples === watched)
        curve.push({ step: from + event.step, epoch: event.epoch, loss: event.trainLoss, testAccuracy: event.accuracy })
    }
    const { model: taught } = await train(model, {
      runtime: nodeRuntime,
      threads: defaultThreads(),
      data,
      test,
      epochs: how.epochs,
      batch,
      seed,
      recipe: optimizerNamed('ranger', { lr: how.lr, schedule: parseSchedule('flat-cosine', { steps }) }),
      evaluateEvery: how.guide ? 200 : 50,
      evaluateSamples: watched,
      telemetryEvery: 20,
      ...(how.guide && { loss: lossNamed('distillation'), targetsOf: how.guide }),
      ...(how.augment && { augment: how.augment }),
      open: (m, options, example) => openParallelEngine(m, { ...options, shards: defaultThreads() }, example),
      onEvent,
    })
    return taught
  }
  /** A moment on the curves when another network takes over, and how it does on the test images before it learns more. */
  const mark = async (label: string, model: Model) => {
    const { step, epoch } = curve.at(-1) ?? { step: 0, epoch: 0 }
    marks.push({ step, label })
    const { accuracy } = await evaluate(model, test, { runtime: nodeRuntime, samples: watched })
    curve.push({ step, epoch, testAccuracy: accuracy })
  }
  const judge = async (model: Model) => (await evaluate(model, validation, { runtime: nodeRuntime })).accuracy

  console.say(`1. Training seed-cnn with Ranger on ${data.size} images (${validation.size} set aside to decide by)`)
  const original = await teach(networks['seed-cnn']!.build({ seed }), {
    epochs: settings.epochs,
    lr: settings.lr,
    label: 'training',
  })
  const source = await keep(original)
  const standard = await judge(original)
  console.say(`   on the validation images: ${percent(standard)}`)
  console.say()

  console.say('2. Looking at its kernels: L2 norms, the weakest first')
  for (const { layer, l2 } of kernelStatistics(original))
    console.say(
      `   ${layer.padEnd(12)} ${String(l2.length).padStart(3)} kernels  ${sparkline([...l2].sort((a, b) => a - b))}`,
    )
  console.say()

  console.say(`3. Pruning in ${settings.rounds} rounds, each followed by retraining with the original as teacher`)
  const guide = await answersOf(original, data)
  const rounds: Omit<ToldRound, 'chosen'>[] = []
  const analysis = await analyzeModel(original, { runtime: nodeRuntime })
  await rebirth({
    model: original,
    runtime: nodeRuntime,
    steps: settings.rounds,
    criterion: 'l2',
    ratios: settings.ratios,
    source,
    retrain: async (pruned, { round }) => {
      await mark(`round ${round}`, pruned)
      return teach(pruned, {
        epochs: settings.roundEpochs,
        lr: settings.retrainLr,
        label: `round ${round}`,
        guide,
      })
    },
    judge: async (round) => {
      const told = { round, pruned: await judge(round.pruned), retrained: await judge(round.model) }
      rounds.push(told)
      console.say(
        `   round ${round.round}: ${widths(round.whole)} kernels, validation accuracy ${percent(told.pruned)} pruned, ${percent(told.retrained)} retrained`,
      )
      return true
    },
  })
  // Of the networks within the budget the smallest in reach of the original on the validation images, else the best.
  const bytesOf = (model: Model) => encodeModel(model).byteLength
  const small = rounds.filter(({ round }) => bytesOf(round.model) <= settings.budget * bytesOf(original))
  const candidates = small.length > 0 ? small : rounds.slice(-1)
  const chosen =
    candidates.findLast(({ retrained }) => retrained >= standard - settings.reach) ??
    candidates.reduce((a, b) => (b.retrained > a.retrained ? b : a))
  console.say(`   chosen: round ${chosen.round.round}`)
  console.say()

  console.say('4. Rebirth: the chosen network trained on')
  await mark('rebirth', chosen.round.model)
  const reborn = await teach(chosen.round.model, {
    epochs: settings.lastEpochs,
    lr: settings.retrainLr,
    label: 'rebirth',
    guide,
    augment: { with: randomShift(1), seed },
  })
  const plan = chosen.round.whole
  const pruned = applyPlan(original, plan, analysis)
  const proof = await verifyPlan(original, pruned, plan, { runtime: nodeRuntime, seed })
  return {
    settings,
    test,
    standard,
    original,
    analysis,
    pruned,
    retrained: reborn,
    plan,
    proof,
    rounds: rounds.map((round) => ({ ...round, chosen: round === chosen })),
    curve,
    marks,
    rates,
    telemetry,
  }
}

/** '6, 9': what is left of each group. */
const widths = (plan: Plan): string => plan.groups.map(({ kept, size }) => `${kept} of ${size}`).join(' and ')

type Guide = NonNullable<TrainOptions['targetsOf']>

/** A network's answers to all samples, asked once: what a smaller one learns beside the labels. */
const answersOf = async (model: Model, data: Dataset): Promise<Guide> => {
  const session = await nodeRuntime.open(model, { threads: defaultThreads() })
  const [input, output] = [inputOf(model), session.outputs[0]!]
  const answers = new Float32Array(data.size * data.classes.length)
  const width = data.classes.length
  for (const { inputs, indices } of batches(data, { batch: 250 })) {
    const found = await session.run({ [input]: inputs }, [output])
    answers.set(float32Of(found[output]!), indices[0]! * width)
  }
  await session.close()
  return async ({ labels, indices }: Batch) => {
    const teacher = new Float32Array(indices.length * width)
    for (const [row, sample] of indices.entries())
      teacher.set(answers.subarray(sample * width, (sample + 1) * width), row * width)
    return { labels, teacher: float32([indices.length, width], teacher) }
  }
}
