import type { Telemetry, TrainEvent } from '../train/index.ts'
import { count, percent, significant } from './format.ts'
import { schedulePlot } from './sections/schedule.ts'
import { telemetryPlots } from './sections/telemetry.ts'
import type { CurvePoint, Figure, ReportData, SeriesPlot } from './types.ts'

/** A line of a run's journal. */
export type RunLine = TrainEvent | Telemetry

/** What a run's journal does not say. */
export type RunFacts = Pick<ReportData, 'model' | 'dataset' | 'optimizer' | 'lossName' | 'made'> & {
  /** Passes over the samples, and how many of them there are to train on. */
  readonly epochs: number
  readonly samples: number
  /** Of the network, and those of them that were trained. */
  readonly parameters: number
  readonly trained: number
}

/** The page of a training run: how loss, accuracy and rate went, and what the optimizer's links did. */
export const runReport = (lines: readonly RunLine[], facts: RunFacts): ReportData => {
  const { model, dataset, optimizer, lossName, made } = facts
  const evaluations = linesOf(lines, 'evaluation')
  const steps = linesOf(lines, 'step')
  const [last, earlier] = [evaluations.at(-1), evaluations.at(-2)]
  return {
    title: 'A training run',
    model,
    ...(dataset !== undefined && { dataset }),
    ...(optimizer !== undefined && { optimizer }),
    headline: headlineOf(lines, facts),
    stages: [],
    curve: lines.flatMap(pointOf),
    ...(lossName !== undefined && { lossName }),
    ...(last &&
      earlier &&
      earlier.samples < last.samples && {
        curveNotes: {
          accuracy: `On ${count(earlier.samples)} test samples, to save time; the last on all ${count(last.samples)}.`,
        },
      }),
    series: [
      schedulePlot(steps.map(({ step, lr }) => [step, lr])),
      ...judgementPlots(evaluations),
      ...telemetryPlots(linesOf(lines, 'telemetry')),
    ],
    ...(made && { made }),
  }
}

const linesOf = <T extends RunLine['type']>(lines: readonly RunLine[], type: T) =>
  lines.filter((line): line is Extract<RunLine, { type: T }> => line.type === type)

const pointOf = (line: RunLine): CurvePoint[] => {
  if (line.type === 'step') return [{ step: line.step, epoch: line.epoch, loss: line.loss }]
  if (line.type !== 'evaluation') return []
  return [{ step: line.step, epoch: line.epoch, testLoss: line.loss, testAccuracy: line.accuracy }]
}

const headlineOf = (lines: readonly RunLine[], facts: RunFacts): NonNullable<ReportData['headline']> => {
  const { model, dataset, optimizer, lossName = 'cross-entropy', epochs, samples, parameters, trained } = facts
  const last = linesOf(lines, 'evaluation').at(-1)
  const step = linesOf(lines, 'step').at(-1)?.step ?? 0
  const skipped = linesOf(lines, 'skipped').length
  const passes = `${count(epochs) === String(epochs) ? epochs : significant(epochs, 2)} ${epochs === 1 ? 'pass' : 'passes'}`
  // Where samples have numbers to meet, nothing is right or wrong; a journal's NaN is null.
  const judged = last && Number.isFinite(last.accuracy)
  const figures: Figure[] = [
    ...(judged
      ? [{ what: 'Test accuracy', value: percent(last.accuracy), note: `of ${count(last.samples)} samples` }]
      : []),
    ...(last?.explained === undefined
      ? []
      : [{ what: 'Variance explained', value: percent(last.explained), note: `R², ${count(last.samples)} samples` }]),
    ...(last?.meanError === undefined
      ? []
      : [{ what: 'Mean error', value: significant(last.meanError, 3), note: '|answer − target|' }]),
    ...(last ? [{ what: 'Test loss', value: significant(last.loss, 3), note: lossName }] : []),
    { what: 'Steps', value: count(step), note: `${passes} over ${count(samples)} samples` },
    {
      what: 'Weights trained',
      value: count(trained),
      note: trained === parameters ? 'all there are' : `of ${count(parameters)}`,
    },
  ]
  return {
    text: `${judged ? `${percent(last.accuracy)} right` : last ? `A test loss of ${significant(last.loss, 3)}` : 'Trained'} after ${count(step)} ${step === 1 ? 'step' : 'steps'}`,
    lead: `${model}${dataset ? ` on ${dataset}` : ''}${optimizer ? `, trained with ${optimizer}` : ''}.${
      skipped > 0 ? ` ${count(skipped)} of the steps moved nothing: their gradients were not finite.` : ''
    }`,
    figures,
  }
}

type EvaluationLine = Extract<TrainEvent, { type: 'evaluation' }>

/** What only some samples are judged by: pixels that have a class, or numbers to meet. */
const judgements: readonly (Omit<SeriesPlot, 'series'> & { of(line: EvaluationLine): number | undefined })[] = [
  {
    title: 'Mean intersection over union',
    y: 'share',
    note: 'Pixels of a class that were found, over those that have it or were taken for it; a mean over classes.',
    of: ({ meanIoU }) => meanIoU,
  },
  {
    title: 'Variance explained',
    y: 'R²',
    note: 'The share of the test targets’ variance that the answers account for.',
    of: ({ explained }) => explained,
  },
  { title: 'Mean error', y: '|answer − target|', of: ({ meanError }) => meanError },
]

const judgementPlots = (evaluations: readonly EvaluationLine[]): SeriesPlot[] =>
  judgements.flatMap(({ of, ...plot }) => {
    const points = evaluations.flatMap((line) => {
      const value = of(line)
      return value === undefined ? [] : [[line.step, value] as const]
    })
    return points.length > 0 ? [{ ...plot, series: [{ name: plot.title, points }] }] : []
  })
