import { count, percent, points, shortened, signed } from '../format.ts'
import { type Markup, markup } from '../markup.ts'
import type { Confusion } from '../types.ts'
import { chartWidth, drawing } from './frame.ts'

/**
 * Counts of true class (rows) against answer (columns), with each class's accuracy at the right. Right and wrong answers
 * have a colour each and a depth of their own: a dozen mistakes would be invisible beside a thousand hits.
 */
export const confusionChart = ({ title, classes, counts }: Confusion): Markup => {
  const n = classes.length
  const frame = frameOf(n, classes)
  const { left, top, cell, width, letters } = frame
  const mistakes = Math.max(1, ...counts.flatMap((row, i) => row.filter((_, j) => i !== j)))
  const hits = Math.max(1, ...counts.map((row, i) => row[i] ?? 0))
  const cells = counts.map((row, i) =>
    row.map((value, j) => {
      const strength = i === j ? 0.25 + 0.75 * (value / hits) ** 2 : Math.sqrt(value / mistakes)
      return markup`<g class="${i === j ? 'hit' : 'miss'}${strength > 0.6 ? ' strong' : ''}${value === 0 ? ' none' : ''}"><rect x="${left + j * cell + 1}" y="${top + i * cell + 1}" width="${cell - 2}" height="${cell - 2}" rx="3" fill-opacity="${value === 0 ? 0 : Math.max(0.08, strength)}"><title>${classes[i]} answered ${classes[j]}: ${count(value)}</title></rect>${
        value > 0 &&
        letters &&
        markup`<text x="${left + (j + 0.5) * cell}" y="${top + (i + 0.5) * cell + 4}">${String(value)}</text>`
      }</g>`
    }),
  )
  const rates = counts.map((row, i) => {
    const total = row.reduce((a, b) => a + b, 0)
    return markup`<text class="rate" x="${width - 2}" y="${top + (i + 0.5) * cell + 4}">${percent((row[i] ?? 0) / total, 1)}</text>`
  })
  return drawing(
    { title: `Confusion matrix, ${title}`, height: top + n * cell + 6, kind: 'confusion', width },
    headings(classes, frame),
    markup`<text class="axis-name" x="${width - 2}" y="12" text-anchor="end">right</text>`,
    cells,
    rates,
  )
}

/** What changed from one matrix to another: more of a mistake, or fewer. */
export const confusionChange = (before: Confusion, after: Confusion): Markup => {
  const { classes } = before
  const n = classes.length
  const frame = frameOf(n, classes)
  const { left, top, cell, width, letters } = frame
  const changes = before.counts.map((row, i) => row.map((value, j) => (after.counts[i]?.[j] ?? 0) - value))
  const most = Math.max(1, ...changes.flat().map(Math.abs))
  return drawing(
    {
      title: `Confusion matrix, change from ${before.title} to ${after.title}`,
      height: top + n * cell + 6,
      kind: 'confusion',
      width,
    },
    headings(classes, frame),
    markup`<text class="axis-name" x="${width - 2}" y="12" text-anchor="end">points</text>`,
    changes.map((_, i) => {
      const share = (counts: readonly number[] = []) => (counts[i] ?? 0) / counts.reduce((a, b) => a + b, 0)
      return markup`<text class="rate" x="${width - 2}" y="${top + (i + 0.5) * cell + 4}">${points(share(after.counts[i]) - share(before.counts[i]))}</text>`
    }),
    changes.map((row, i) =>
      row.map((change, j) => {
        const strength = Math.sqrt(Math.abs(change) / most)
        const better = i === j ? change > 0 : change < 0
        return markup`<g class="${better ? 'hit' : 'miss'}${strength > 0.6 ? ' strong' : ''}${change === 0 ? ' none' : ''}"><rect x="${left + j * cell + 1}" y="${top + i * cell + 1}" width="${cell - 2}" height="${cell - 2}" rx="3" fill-opacity="${change === 0 ? 0 : Math.max(0.12, strength)}"><title>${classes[i]} answered ${classes[j]}: ${before.counts[i]?.[j] ?? 0} before, ${after.counts[i]?.[j] ?? 0} after</title></rect>${
          change !== 0 &&
          letters &&
          markup`<text x="${left + (j + 0.5) * cell}" y="${top + (i + 0.5) * cell + 4}">${signed(change, 0)}</text>`
        }</g>`
      }),
    ),
  )
}

/** Names stand upright above the columns where they do not fit. */
const frameOf = (n: number, classes: readonly string[]) => {
  const longest = Math.min(13, Math.max(1, ...classes.map((name) => name.length)))
  const left = 24 + longest * 7
  const cell = (chartWidth - left - 56) / Math.max(1, n)
  const upright = cell < 8 * longest
  return { left, top: upright ? 34 + longest * 8 : 42, cell, upright, width: chartWidth, letters: cell >= 19 }
}

const headings = (classes: readonly string[], { left, top, cell, upright }: ReturnType<typeof frameOf>): Markup =>
  markup`<text class="axis-name" x="0" y="12">true class, down</text><text class="axis-name" x="${left + (classes.length * cell) / 2}" y="12" text-anchor="middle">answer, across</text><g class="axis">${classes.map(
    (name, i) => {
      const x = left + (i + 0.5) * cell
      return markup`<text x="${left - 8}" y="${top + (i + 0.5) * cell + 4}" text-anchor="end">${shortened(name, 13)}</text>${
        upright
          ? markup`<text class="upright" transform="translate(${x + 4} ${top - 7}) rotate(-90)">${shortened(name, 13)}</text>`
          : markup`<text x="${x}" y="${top - 8}" text-anchor="middle">${name}</text>`
      }`
    },
  )}</g>`
