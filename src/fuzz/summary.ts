import type { Failure, SliceResult } from './slice.ts'

/** What is known of one target so far. */
export type Tally = {
  readonly name: string
  readonly what: string
  cases: number
  seconds: number
  failures: number
  readonly outcomes: Map<string, number>
}

export const newTally = (name: string, what: string): Tally => ({
  ...{ name, what, cases: 0, seconds: 0, failures: 0 },
  outcomes: new Map(),
})

export const addTo = (tally: Tally, result: SliceResult, seconds: number): void => {
  tally.cases += result.cases
  tally.seconds += seconds
  tally.failures += result.failures.length
  for (const [outcome, count] of result.outcomes)
    tally.outcomes.set(outcome, (tally.outcomes.get(outcome) ?? 0) + count)
}

/** What makes two failures look like one cause: the target and the message without its numbers and quoted parts. */
export const causeOf = ({ target, problem }: Failure): string =>
  `${target}: ${problem
    .split('\n', 2)
    .join(' ')
    .replace(/'[^']*'|"[^"]*"|\d+/g, '·')
    .slice(0, 160)}`

const grouped = (value: number): string => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ' ')

const outcomesText = (outcomes: ReadonlyMap<string, number>): string =>
  [...outcomes]
    .sort(([, a], [, b]) => b - a)
    .map(([outcome, count]) => `${outcome} ${grouped(count)}`)
    .join(', ')

const rowsOf = (tallies: readonly Tally[]): string[][] => {
  const sum = (key: 'cases' | 'seconds' | 'failures') => tallies.reduce((total, tally) => total + tally[key], 0)
  return [
    ...tallies.map(({ name, cases, seconds, failures, outcomes }) => [
      ...[name, grouped(cases), grouped(seconds), grouped(failures), outcomesText(outcomes)],
    ]),
    ['all', grouped(sum('cases')), grouped(sum('seconds')), grouped(sum('failures')), ''],
  ]
}

const header = ['target', 'cases', 'seconds', 'failures', 'outcomes']

/** The tallies as a table for a terminal. */
export const tableText = (tallies: readonly Tally[]): string => {
  const rows = [header, ...rowsOf(tallies)]
  const widths = header.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === 0 || i === 4 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** The tallies as Markdown, with the run that they come from. */
export const markdownText = (
  tallies: readonly Tally[],
  { seed, minutes, node, date }: { seed: number; minutes: number; node: string; date: string },
): string =>
  [
    `${date}: \`npm run fuzz -- --minutes ${minutes} --seed ${seed}\`, Node ${node}.`,
    '',
    `| ${header.join(' | ')} |`,
    '|---|---:|---:|---:|---|',
    ...rowsOf(tallies).map((row) => `| ${row.join(' | ')} |`),
  ].join('\n')

const marks = ['<!-- counts of the long run -->', '<!-- end of the counts -->'] as const

/** A document with what stands between the two marks replaced. @throws Error where it has no such marks */
export const withCounts = (document: string, counts: string): string => {
  const [from, to] = [document.indexOf(marks[0]), document.indexOf(marks[1])]
  if (from < 0 || to < from) throw new Error(`the document has no lines '${marks[0]}' and '${marks[1]}'`)
  return `${document.slice(0, from + marks[0].length)}\n\n${counts}\n\n${document.slice(to)}`
}
