import type { SeriesPlot } from '../types.ts'

/** The learning rate over the run's steps: the schedule as it was followed. */
export const schedulePlot = (rates: readonly (readonly [step: number, lr: number])[]): SeriesPlot => ({
  title: 'Learning rate',
  y: 'rate',
  series: [{ name: 'learning rate', points: rates }],
  note: 'The schedule as it was followed, the base rate included.',
})
