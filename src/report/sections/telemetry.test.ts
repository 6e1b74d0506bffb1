import { describe, expect, test } from 'vitest'
import type { Telemetry } from '../../train/index.ts'
import { renderReport } from '../page.ts'
import { sampleReport } from '../testing/sample.ts'
import { schedulePlot } from './schedule.ts'
import { telemetryPlots } from './telemetry.ts'

const layers = ['conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'fc']
const byLayer = (value: number) => Object.fromEntries(layers.map((name, i) => [name, value * (i + 1)]))
const line = (step: number): Telemetry => ({
  type: 'telemetry',
  step,
  rectification: { factor: step / 100, rho: step, mode: step > 5 ? 'adaptive' : 'sgd' },
  centralized: byLayer(0.01),
  distance: byLayer(step),
  ratio: { ...byLayer(1e-3), 'fc.bias': 1 },
})

describe('plots of telemetry', () => {
  test('are one for each link that had something to say', () => {
    const plots = telemetryPlots([5, 10, 15, 20].map(line))
    expect(plots.map(({ title }) => title)).toEqual([
      'Update against weight',
      'Update against weight, layer by layer',
      'Rectification',
      'Taken by centralization',
      'Fast and slow weights',
    ])
    // Before it adapts, RAdam's factor is not used.
    expect(plots[2]!.series[0]!.points).toEqual([
      [10, 0.1],
      [15, 0.15],
      [20, 0.2],
    ])
  })

  test('show some layers of many, the first and the last among them, and no biases', () => {
    const [ratio] = telemetryPlots([5, 10].map(line))
    expect(ratio!.series.map(({ name }) => name)).toEqual(['conv1', 'conv3', 'conv4', 'fc'])
    expect(ratio!.series[3]!.points).toEqual([
      [5, 6e-3],
      [10, 6e-3],
    ])
  })

  test('show every layer at some moments, where one plot has no room for their lines', () => {
    const plot = telemetryPlots(Array.from({ length: 31 }, (_, i) => line(100 * i)))[1]!
    expect(plot.series.map(({ name }) => name)).toEqual(['step 0', 'step 1,000', 'step 2,000', 'step 3,000'])
    expect(plot.series[0]!.points.map(([k]) => k)).toEqual([1, 2, 3, 4, 5, 6])
    expect(plot.series[0]!.points[5]![1]).toBeCloseTo(6e-3, 12)
    const few = { ...line(5), centralized: { a: 1 }, ratio: { a: 1 } }
    expect(telemetryPlots([few, few]).some(({ title }) => title.endsWith('layer by layer'))).toBe(false)
  })

  test('name layers by what tells them apart', () => {
    const named = (names: readonly string[]) =>
      telemetryPlots(
        [1, 2].map((step) => ({
          ...{ type: 'telemetry', step },
          ratio: Object.fromEntries(names.map((name) => [name, 1])),
        })),
      )[0]!.series.map(({ name }) => name)
    expect(named(['net.conv1.weight', 'net.block.conv.weight'])).toEqual(['conv1', 'block.conv'])
    expect(named(['a.b', 'a.b.c'])).toEqual(['b', 'b.c'])
    expect(named(['fc.weight'])).toEqual(['fc.weight'])
  })

  test('of clipping and of nothing', () => {
    const clipped = [1, 2].map((step): Telemetry => ({ type: 'telemetry', step, clip: { 'clip-norm': 1 }, norm: step }))
    expect(telemetryPlots(clipped).map(({ title }) => title)).toEqual(['Clipped', 'Gradient norm'])
    expect(telemetryPlots([])).toEqual([])
  })

  test('stand in the page, the schedule before them', () => {
    const rates = [0, 100, 200].map((step) => [step, 1e-3 * (1 - step / 200)] as const)
    const page = renderReport({
      ...sampleReport(0, 40),
      series: [schedulePlot(rates), ...telemetryPlots([5, 10].map(line))],
    })
    const titles = ['Learning rate', 'Update against weight', 'Fast and slow weights'].map((title) =>
      page.indexOf(title),
    )
    expect(titles.every((at) => at > 0)).toBe(true)
    expect(titles).toEqual([...titles].sort((a, b) => a - b))
  })
})
