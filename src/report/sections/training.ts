import { lineChart } from '../charts/line.ts'
import { percent, significant, tidy } from '../format.ts'
import { type Markup, markup } from '../markup.ts'
import type { CurvePoint, ReportData, SeriesPlot } from '../types.ts'
import { figure, key } from './parts.ts'

type Field = Exclude<keyof CurvePoint, 'step' | 'epoch'>
type Line = { readonly field: Field; readonly name: string; readonly colour: number; readonly noisy?: boolean }

const losses: readonly Line[] = [
  { field: 'loss', name: 'training batch', colour: 0, noisy: true },
  { field: 'validationLoss', name: 'validation', colour: 1 },
  { field: 'testLoss', name: 'test', colour: 2 },
]
const accuracies: readonly Line[] = [
  { field: 'accuracy', name: 'training batch', colour: 0, noisy: true },
  { field: 'validationAccuracy', name: 'validation', colour: 1 },
  { field: 'testAccuracy', name: 'test', colour: 2 },
]

/** Loss and accuracy over the whole run, the prunes marked. */
export const trainingCurves = (data: ReportData): Markup | undefined => {
  const curve = data.curve ?? []
  const name = data.lossName ?? (data.curveNotes?.loss ? 'loss' : 'cross-entropy')
  const loss = plotOf(data, curve, losses, 'Loss', name)
  const accuracy = plotOf(data, curve, accuracies, 'Accuracy', 'right answers, log scale of the error')
  if (!loss && !accuracy) return undefined
  return markup`<p class="tools"><label><input type="checkbox" data-smooth checked/>average the training batches</label></p><div class="pair">${loss}${accuracy}</div>`
}

const plotOf = (
  data: ReportData,
  curve: readonly CurvePoint[],
  lines: readonly Line[],
  caption: string,
  y: string,
): Markup | undefined => {
  const curves = lines
    .map((line) => ({
      ...line,
      points: curve.flatMap((point): [number, number][] => {
        const value = point[line.field]
        return typeof value === 'number' && Number.isFinite(value) ? [[point.step, value]] : []
      }),
    }))
    .filter(({ points }) => points.length > 1)
  if (curves.length === 0) return undefined
  const accuracy = caption === 'Accuracy'
  // Some losses fall below zero.
  const log = curves.every(({ points }) => points.every(([, value]) => value > 0))
  return figure(
    markup`${caption}${key(curves.map(({ name, colour }) => ({ name, colour: `c${colour}` })))}`,
    lineChart({
      title: `${caption} over training steps`,
      x: 'step',
      y: accuracy || !log ? y : `${y}, log scale`,
      curves,
      scale: accuracy ? 'nines' : log ? 'log' : 'linear',
      marks: data.marks ?? [],
      format: accuracy ? (v) => tidy(percent(v)) : (v) => tidy(significant(v, 2)),
    }),
    accuracy ? data.curveNotes?.accuracy : data.curveNotes?.loss,
  )
}

/** Schedules, telemetry and whatever else was measured along the way. */
export const seriesPlots = (plots: readonly SeriesPlot[]): Markup =>
  markup`<div class="pair">${plots
    .filter((plot) => plot.series.some(({ points }) => points.length > 1))
    .map((plot) =>
      figure(
        markup`${plot.title}${
          plot.series.length > 1 && key(plot.series.map(({ name }, k) => ({ name, colour: `c${k % 4}` })))
        }`,
        lineChart({
          title: plot.title,
          x: plot.x ?? 'step',
          y: plot.y,
          curves: plot.series.map((series, k) => ({ ...series, colour: k % 4 })),
          scale: plot.log ? 'log' : 'linear',
          height: 240,
        }),
        plot.note,
      ),
    )}</div>`
