import { float32Of } from '../../base/index.ts'
import { encodeModel } from '../../onnx/index.ts'
import { describePlan, kernelStatistics } from '../../prune/index.ts'
import { type ReportData, schedulePlot, telemetryPlots } from '../../report/index.ts'
import { latencyBatch, type measureStage } from '../measure.ts'
import { changedAnswers, confusionOf, drawingOf, mapOf, pictureOf } from './pictures.ts'
import { type Story, type StorySettings, watched } from './story.ts'

export type MeasuredStages = readonly Awaited<ReturnType<typeof measureStage>>[]

/** Images drawn on the maps of the last layer. */
const mapped = 600

/** The page's data: what the story found, as plain numbers. */
export const reportData = async (story: Story, stages: MeasuredStages, seconds: number): Promise<ReportData> => {
  const { settings, test, original, retrained, plan, analysis } = story
  const [first, last] = [stages[0]!, stages.at(-1)!]
  const pruned = kernelStatistics(original).filter(({ layer, axis }) => plan.slices[layer]?.[axis])
  const layers = pruned.map(({ layer, axis, l2 }) => ({
    name: layer,
    scores: [...l2],
    kept: Array.from(l2, (_, k) => plan.slices[layer]?.[axis]?.includes(k) ?? true),
    criterion: 'L2 norm',
  }))
  const [front, frontScores] = [pruned[0], layers[0]]
  const before = await mapOf(original, test, mapped, settings.seed)
  const after = await mapOf(retrained, test, mapped, settings.seed, before)

  return {
    title: 'A network trained, pruned and reborn',
    model: 'seed-cnn',
    dataset: `MNIST, ${grouped(test.size)} test images`,
    optimizer: 'Ranger (RAdam, Lookahead, gradient centralization)',
    criterion: 'L2 norm of each kernel, judged anew in every round',
    stages: stages.map(({ evaluation: _, ...stage }) => ({ ...stage, file: `${stage.name}.onnx` })),
    curve: story.curve,
    marks: story.marks,
    curveNotes: {
      loss: 'Cross-entropy until the first round; from there on the loss of distillation, which learns the answers of the original beside the labels.',
      accuracy: `On the first ${grouped(watched)} test images, to save time; further down it is all ${grouped(test.size)}. Rebirth goes on with the round that was chosen.`,
    },
    latencyOf: `${latencyBatch} images`,
    ...(front &&
      frontScores && {
        kernels: {
          layer: front.layer,
          channels: front.dims[1] ?? 1,
          height: front.dims[2] ?? 1,
          width: front.dims[3] ?? 1,
          weights: rowsOf(float32Of(original.graph.initializers.get(front.layer)!), front.l2.length),
          kept: frontScores.kept,
          scores: frontScores.scores,
        },
      }),
    layers,
    network: { layers: drawingOf(analysis, plan) },
    groups: describePlan(original, analysis, plan, { criterion: 'l2' }),
    rounds: [
      { label: 'original', bytes: first.bytes, accuracy: story.standard },
      ...story.rounds.map(({ round, pruned: prunedAccuracy, retrained: accuracy, chosen }) => ({
        label: `round ${round.round}`,
        bytes: encodeModel(round.model).byteLength,
        accuracy,
        prunedAccuracy,
        chosen,
      })),
    ],
    roundsNote: `Measured on the validation images, each round after ${passes(settings.roundEpochs)} over the training images; the one kept was then trained for ${settings.lastEpochs} more.`,
    embeddings: {
      method: 't-SNE, perplexity 30; the second map sets out from the first, so that places can be compared',
      of: 'the values before the last layer',
      classes: test.classes,
      labels: [...test.labels.subarray(0, mapped)],
      maps: [
        { title: first.name, x: [...before.x], y: [...before.y], answers: answers(first) },
        { title: last.name, x: [...after.x], y: [...after.y], answers: answers(last) },
      ],
      pictures: Array.from({ length: mapped }, (_, i) => pictureOf(test, i)),
    },
    confusion: [first, last].map(({ name, evaluation }) => confusionOf(name, test, evaluation)),
    changed: {
      classes: test.classes,
      between: [first.name, last.name],
      images: changedAnswers(test, first.evaluation, last.evaluation),
    },
    series: [schedulePlot(story.rates), ...telemetryPlots(story.telemetry)],
    made: {
      command: `espalier demo --seed ${settings.seed}`,
      seed: settings.seed,
      date: `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`,
      seconds,
      latencyNote: '101 runs in ONNX Runtime on its default threads',
      settings: settingsInWords(settings),
      versions: { Node: process.version.slice(1) },
    },
  }
}

/** Each setting under a name that says what it is. */
const settingsInWords = (settings: StorySettings) => ({
  'training the original': passes(settings.epochs),
  'learning rate': settings.lr,
  'rounds of pruning': settings.rounds,
  'kernels removed in all': Object.entries(settings.ratios)
    .map(([layer, ratio]) => `${layer} ${ratio}`)
    .join(', '),
  'retraining each round': passes(settings.roundEpochs),
  'last rebirth': passes(settings.lastEpochs),
  'learning rate of retraining': settings.retrainLr,
  'batch size': settings.batch,
  'size allowed': `${100 * settings.budget} % of the bytes`,
  'accuracy a round may lose': `${(100 * settings.reach).toFixed(1)} points`,
})

const grouped = (count: number): string => count.toLocaleString('en-US')

const passes = (count: number): string => `${count} ${count === 1 ? 'pass' : 'passes'}`

const answers = ({ evaluation }: MeasuredStages[number]) => [...evaluation.predictions.subarray(0, mapped)]

const rowsOf = (values: Float32Array, rows: number): number[][] =>
  Array.from({ length: rows }, (_, row) => [
    ...values.subarray((row * values.length) / rows, ((row + 1) * values.length) / rows),
  ])
