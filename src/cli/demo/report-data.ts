import { float32Of } from '../../base/index.ts'
import { encodeModel } from '../../onnx/index.ts'
import { kernelStatistics } from '../../prune/index.ts'
import type { ReportData } from '../../report/index.ts'
import type { measureStage } from '../measure.ts'
import { changedAnswers, confusionOf, drawingOf, mapOf, pictureOf } from './pictures.ts'
import type { Story } from './story.ts'

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

  return {
    title: 'A network trained, pruned and reborn',
    model: 'seed-cnn',
    dataset: `MNIST, ${test.size} test images`,
    optimizer: 'Ranger (RAdam, Lookahead, gradient centralization)',
    criterion: 'L2 norm of each kernel',
    stages: stages.map(({ evaluation: _, ...stage }) => ({ ...stage, file: `${stage.name}.onnx` })),
    curve: story.curve,
    marks: story.marks,
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
    embeddings: {
      method: 't-SNE, perplexity 30, PCA start',
      of: 'the values before the last layer',
      classes: test.classes,
      labels: [...test.labels.subarray(0, mapped)],
      maps: [
        { title: first.name, ...(await mapOf(original, test, mapped, settings.seed)), answers: answers(first) },
        { title: last.name, ...(await mapOf(retrained, test, mapped, settings.seed)), answers: answers(last) },
      ],
      pictures: Array.from({ length: mapped }, (_, i) => pictureOf(test, i)),
    },
    confusion: [first, last].map(({ name, evaluation }) => confusionOf(name, test, evaluation)),
    changed: {
      classes: test.classes,
      between: [first.name, last.name],
      images: changedAnswers(test, first.evaluation, last.evaluation),
    },
    made: {
      command: `espalier demo --seed ${settings.seed}`,
      seed: settings.seed,
      date: new Date().toISOString(),
      seconds,
      latencyNote: 'median of 101 runs of 32 images in ONNX Runtime',
      settings: { ...settings, ratios: JSON.stringify(settings.ratios) },
      versions: { node: process.version },
    },
  }
}

const answers = ({ evaluation }: MeasuredStages[number]) => [...evaluation.predictions.subarray(0, mapped)]

const rowsOf = (values: Float32Array, rows: number): number[][] =>
  Array.from({ length: rows }, (_, row) => [
    ...values.subarray((row * values.length) / rows, ((row + 1) * values.length) / rows),
  ])
