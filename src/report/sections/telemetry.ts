import type { Telemetry } from '../../train/index.ts'
import { count } from '../format.ts'
import type { SeriesPlot } from '../types.ts'

/** Lines drawn in one plot: as many as there are colours for them. */
const most = 4

/** What the optimizer's links told while training, as plots; links that were not in the chain have none. */
export const telemetryPlots = (lines: readonly Telemetry[]): SeriesPlot[] => {
  const all = namesIn(lines, namesIn(lines, 'centralized').length > 0 ? 'centralized' : 'ratio')
  const layers = spread(all)
  const some = all.length > layers.length ? ` ${layers.length} of ${all.length} layers are drawn.` : ''
  const names = withoutCommon(layers)
  const byLayer = (field: ByLayer) =>
    layers.map((layer, k) => ({ name: names[k]!, points: pointsOf(lines, (line) => line[field]?.[layer]) }))
  const links = [...new Set(lines.flatMap(({ clip }) => Object.keys(clip ?? {})))]
  const plots: SeriesPlot[] = [
    {
      title: 'Update against weight',
      y: '‖step‖ ÷ ‖weights‖, log scale',
      log: true,
      series: byLayer('ratio'),
      note: `How much of itself a layer changes in one step.${some}`,
    },
    {
      title: 'Update against weight, layer by layer',
      x: 'layer, in the order of the file',
      y: '‖step‖ ÷ ‖weights‖, log scale',
      log: true,
      series:
        all.length > most
          ? spread(lines.filter(({ ratio }) => ratio)).map(({ step, ratio }) => ({
              name: `step ${count(step)}`,
              points: all.flatMap((name, k) => (ratio?.[name] === undefined ? [] : [[k + 1, ratio[name]] as const])),
            }))
          : [],
      note: 'All layers at some moments of the run.',
    },
    {
      title: 'Rectification',
      y: 'factor r',
      series: [
        {
          name: 'r',
          points: pointsOf(lines, ({ rectification: r }) => (r?.mode === 'adaptive' ? r.factor : undefined)),
        },
      ],
      note: 'RAdam: the share of Adam’s step that is taken while the variance of its rate is still large.',
    },
    {
      title: 'Taken by centralization',
      y: 'share of ‖gradient‖²',
      series: byLayer('centralized'),
      note: 'What the means of the filters’ gradients are of the whole.',
    },
    {
      title: 'Fast and slow weights',
      y: '‖fast − slow‖',
      series: byLayer('distance'),
      note: 'Lookahead: how far the fast weights have gone from the slow ones. It grows until the two meet, and starts again.',
    },
    {
      title: 'Clipped',
      y: 'share',
      series: links.slice(0, most).map((name) => ({ name, points: pointsOf(lines, ({ clip }) => clip?.[name]) })),
      note: 'The share of a gradient’s elements or units that was clipped, a mean over layers; by a common norm, all or none.',
    },
    {
      title: 'Gradient norm',
      y: '‖gradient‖',
      series: [{ name: 'norm', points: pointsOf(lines, ({ norm }) => norm) }],
    },
  ]
  return plots.flatMap(({ series, ...plot }) => {
    const drawn = series.filter(({ points }) => points.length > 1)
    return drawn.length > 0 ? [{ ...plot, series: drawn }] : []
  })
}

type ByLayer = 'centralized' | 'distance' | 'ratio'

const namesIn = (lines: readonly Telemetry[], field: ByLayer): string[] => [
  ...new Set(lines.flatMap((line) => Object.keys(line[field] ?? {}))),
]

/** The first, the last and some between, where there are too many. */
const spread = <T>(all: readonly T[]): T[] =>
  all.length <= most
    ? [...all]
    : Array.from({ length: most }, (_, i) => all[Math.round((i * (all.length - 1)) / (most - 1))]!)

/** Names without the parts that all begin with and all end with: backbone.conv1.weight, backbone.fc.weight → conv1, fc. */
const withoutCommon = (names: readonly string[]): readonly string[] => {
  if (names.length < 2) return names
  const parts = names.map((name) => name.split('.'))
  const least = Math.min(...parts.map(({ length }) => length)) - 1
  const same = (at: number) => parts.every((name) => name.at(at) === parts[0]?.at(at))
  let [front, back] = [0, 0]
  while (front < least && same(front)) front++
  while (front + back < least && same(-1 - back)) back++
  return parts.map((name) => name.slice(front, name.length - back).join('.'))
}

const pointsOf = (
  lines: readonly Telemetry[],
  value: (line: Telemetry) => number | undefined,
): (readonly [number, number])[] =>
  lines.flatMap((line) => {
    const y = value(line)
    return y === undefined ? [] : [[line.step, y] as const]
  })
