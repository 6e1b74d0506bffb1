import { lineChartFile } from '../../report/index.ts'
import type { Ablation, ArenaSummary, Difference, Standing } from '../../train/index.ts'
import { percent, table } from '../console.ts'
import type { StepTimes } from './optimizer-times.ts'

/** An ablation with what was found of it in each arena. */
export type Part = Ablation & { readonly found: readonly Difference[] }

type Rows = { readonly header: readonly string[]; readonly rows: readonly (readonly string[])[] }

/** What the command prints. */
export const contestText = (
  arenas: readonly ArenaSummary[],
  parts: readonly Part[],
  times: readonly StepTimes[],
): string[] => [
  ...arenas.flatMap((arena) => [titleOf(arena), ...plain(arenaRows(arena)), '']),
  ...(arenas.length > 1 ? ['all together', ...plain(overallRows(arenas)), ''] : []),
  ...(parts.length > 0 ? ['parts, in points of accuracy ± standard error', ...plain(partRows(parts)), ''] : []),
  'processor milliseconds of a step',
  ...plain(timeRows(times)),
]

/** The same in Markdown, for a document. */
export const contestPage = (
  arenas: readonly ArenaSummary[],
  parts: readonly Part[],
  times: readonly StepTimes[],
): string =>
  `${[
    ...(arenas.length > 1 ? ['### All together', markdown(overallRows(arenas))] : []),
    ...arenas.flatMap((arena) => [
      `### ${titleOf(arena)}`,
      markdown(arenaRows(arena)),
      `![Accuracy by step on ${arena.data}, ${arena.network}](${curvesFile(arena)})`,
    ]),
    ...(parts.length > 0 ? ['### Parts in and out', markdown(partRows(parts))] : []),
    '### Cost of a step',
    markdown(timeRows(times)),
  ].join('\n\n')}\n`

/** Mean accuracy over the seeds as training goes: the six best, and Ranger wherever it stands. */
export const arenaCurves = ({ data, network, standings }: ArenaSummary): string => {
  const shown = standings.filter(({ optimizer }, rank) => rank < 6 || optimizer.includes('ranger'))
  return lineChartFile({
    title: `${data}, ${network}`,
    x: 'step',
    y: 'test accuracy',
    scale: 'nines',
    format: (value) => percent(value, 1),
    curves: shown.map(({ optimizer, curve }) => ({ name: optimizer, points: curve })),
  })
}

/** Where an arena's curves are put. */
export const curvesFile = ({ data, network, steps }: ArenaSummary): string => `curves-${data}-${network}-${steps}.svg`

const titleOf = (arena: ArenaSummary): string => `${arenaOf(arena)}, settings tried: ${arena.settings}`

const plain = ({ header, rows }: Rows): string[] => table(header, rows)

const markdown = ({ header, rows }: Rows): string =>
  [header, header.map((_, i) => (i === 0 ? '---' : '--:')), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')

const arenaRows = ({ target, standings }: ArenaSummary): Rows => ({
  header: ['optimizer', 'schedule', 'rate', 'test accuracy', 'each seed', `steps to ${percent(target, 1)}`],
  rows: standings.map((standing) => [
    standing.optimizer,
    standing.schedule,
    `${standing.rate}${standing.atEdge ? '*' : ''}`,
    `${percent(standing.mean)} ± ${(100 * standing.deviation).toFixed(2)}`,
    standing.accuracies.map((accuracy) => (100 * accuracy).toFixed(1)).join(' '),
    stepsText(standing),
  ]),
})

/** Median (least–most); of runs that never got there, how many. */
const stepsText = ({ stepsToTarget }: Standing): string => {
  const there = stepsToTarget.filter((steps) => steps !== null).sort((a, b) => a - b)
  const missed = stepsToTarget.length - there.length
  if (there.length === 0) return 'never'
  const middle = there[Math.floor((there.length - 1) / 2)]
  return `${middle} (${there[0]}–${there.at(-1)})${missed > 0 ? `, ${missed} never` : ''}`
}

/** How far behind the arena's best each is on average, and its mean rank, where all have run. */
const overallRows = (all: readonly ArenaSummary[]): Rows => {
  const names = [...new Set(all.flatMap(({ standings }) => standings.map(({ optimizer }) => optimizer)))]
  const arenas = all.filter(({ standings }) => standings.length === names.length)
  const rows = names.map((name) => {
    const places = arenas.flatMap(({ standings }) => {
      const rank = standings.findIndex(({ optimizer }) => optimizer === name)
      return rank < 0 ? [] : [{ rank: rank + 1, behind: standings[0]!.mean - standings[rank]!.mean }]
    })
    const mean = (of: 'rank' | 'behind') => places.reduce((sum, place) => sum + place[of], 0) / places.length
    return { name, rank: mean('rank'), behind: mean('behind'), first: places.filter(({ rank }) => rank === 1).length }
  })
  return {
    header: ['optimizer', 'mean rank', 'points behind the best', 'times first'],
    rows: rows
      .sort((a, b) => a.behind - b.behind)
      .map(({ name, rank, behind, first }) => [name, rank.toFixed(1), (100 * behind).toFixed(2), String(first)]),
  }
}

const partRows = (parts: readonly Part[]): Rows => {
  const arenas = [...new Set(parts.flatMap(({ found }) => found.map(arenaOf)))]
  return {
    header: ['variant', 'against', ...arenas, 'mean'],
    rows: parts.map(({ what, base, found }) => [
      what,
      base,
      ...arenas.map((arena) => differenceText(found.find((difference) => arenaOf(difference) === arena))),
      signed(found.reduce((sum, { mean }) => sum + mean, 0) / found.length),
    ]),
  }
}

const arenaOf = ({ data, network, steps }: ArenaSummary | Difference): string => `${data}, ${network}, ${steps} steps`

const differenceText = (difference: Difference | undefined): string =>
  difference ? `${signed(difference.mean)} ± ${(100 * difference.error).toFixed(2)}` : ''

/** In points, with its sign. */
const signed = (share: number): string => `${share < 0 ? '−' : '+'}${Math.abs(100 * share).toFixed(2)}`

const timeRows = (times: readonly StepTimes[]): Rows => ({
  header: ['', ...times.map(({ network }) => network)],
  rows: [
    ['gradients', ...times.map(({ gradients }) => gradients.toFixed(2))],
    ...Object.keys(times[0]?.optimizers ?? {}).map((name) => [
      name,
      ...times.map(({ optimizers }) => (optimizers[name] ?? Number.NaN).toFixed(3)),
    ]),
  ],
})
