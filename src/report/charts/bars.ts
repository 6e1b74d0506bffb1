import { shortened, significant } from '../format.ts'
import { type Markup, markup } from '../markup.ts'
import { extent, linear } from '../scale.ts'
import type { LayerScores } from '../types.ts'
import { chartWidth, drawing, leftAxis } from './frame.ts'

/**
 * Whether all kernels that went are weaker than all that stayed: not so where scores were judged anew in later rounds, and
 * then no line cuts them.
 */
export const cutAtOnce = ({ scores, kept }: LayerScores): boolean => {
  const of = (stays: boolean) => scores.filter((score, i) => Number.isFinite(score) && (kept[i] ?? true) === stays)
  return Math.max(...of(false)) <= Math.min(...of(true))
}

/**
 * Every kernel of a layer, least important first: the article's plot of sorted weight sums, with the kernels that go and
 * those that stay in two colours and the cut between them.
 */
export const importanceChart = (layer: LayerScores, title = `${layer.name}: kernels by importance`): Markup => {
  const [left, right, top, bottom] = [52, chartWidth - 8, 30, 200]
  const sorted = layer.scores
    .map((score, index) => ({ score: Number.isFinite(score) ? score : 0, index, kept: layer.kept[index] ?? true }))
    .sort((a, b) => a.score - b.score || a.index - b.index)
  const [low, high] = extent(sorted.map(({ score }) => score))
  const y = linear([Math.min(0, low * 1.04), Math.max(0, high * 1.04) || 1], [bottom, top], { wanted: 4 })
  const slot = (right - left) / Math.max(1, sorted.length)
  const x = linear([0, Math.max(1, sorted.length)], [left, right])
  const wide = Math.min(28, Math.max(0.6, slot * 0.72))
  const removed = sorted.filter(({ kept }) => !kept).length
  const ordered = cutAtOnce(layer)
  const threshold = layer.threshold ?? (ordered ? sorted.find(({ kept }) => kept)?.score : undefined)

  const bars = sorted.map(({ score, index, kept }, place) => {
    const [from, to] = [y(0), y(score)]
    return markup`<rect class="${kept ? 'kept' : 'gone'}" x="${x(place) + (slot - wide) / 2}" width="${wide}" y="${Math.min(from, to)}" height="${Math.max(0.8, Math.abs(to - from))}" rx="${Math.min(2, wide / 4)}"><title>kernel ${String(index)}: ${significant(score, 4)}, ${kept ? 'kept' : 'removed'}</title></rect>`
  })
  const cut = x(removed)
  const anchor = (end: string) => (ordered ? 'middle' : end)
  const line =
    removed > 0 &&
    threshold !== undefined &&
    markup`<g class="cut"><line x1="${left}" x2="${right}" y1="${y(threshold)}" y2="${y(threshold)}"/><text x="${left + 5}" y="${y(threshold) - 6}">cut at ${significant(threshold, 3)}</text></g>`
  return drawing(
    { title: `${title}: ${removed} of ${sorted.length} removed`, height: bottom + 30, kind: 'importance' },
    leftAxis(y, left, right, layer.criterion ?? 'importance', top),
    bars,
    markup`<line class="base" x1="${left}" x2="${right}" y1="${y(0)}" y2="${y(0)}"/>`,
    line,
    removed > 0 &&
      markup`<text class="gone-label" x="${ordered ? (left + cut) / 2 : left}" y="${bottom + 20}" text-anchor="${anchor('start')}">${removed} removed</text>`,
    markup`<text class="kept-label" x="${ordered ? (cut + right) / 2 : right}" y="${bottom + 20}" text-anchor="${anchor('end')}">${sorted.length - removed} kept</text>`,
  )
}

export type Bar = { readonly name: string; readonly value: number; readonly range?: readonly [number, number] }

/** Horizontal bars from zero, each with its value, and its spread as a thin line when known. */
export const barChart = (title: string, bars: readonly Bar[], format: (value: number) => string): Markup => {
  const [left, right, row] = [96, chartWidth - 84, 40]
  const known = bars.filter(({ value }) => Number.isFinite(value))
  const [, high] = extent(known.flatMap(({ value, range }) => [0, value, ...(range ?? [])]))
  const x = linear([0, high || 1], [left, right])
  return drawing(
    { title, height: known.length * row + 12, kind: 'bars' },
    known.map(({ name, value, range }, k) => {
      const y = 8 + k * row
      const end = Math.max(x(value), range ? x(range[1]) : 0)
      return markup`<text x="${left - 10}" y="${y + 18}" text-anchor="end">${shortened(name, 11)}</text><rect class="bar ${k === known.length - 1 ? 'last' : ''}" x="${left}" y="${y}" width="${Math.max(1, x(value) - left)}" height="26" rx="3"><title>${name}: ${format(value)}${range && `, 10–90 %: ${format(range[0])} to ${format(range[1])}`}</title></rect>${
        range &&
        markup`<path class="spread" d="M${x(range[0])} ${y + 13}H${x(range[1])}M${x(range[0])} ${y + 8}V${y + 18}M${x(range[1])} ${y + 8}V${y + 18}"/>`
      }<text class="value" x="${end + 8}" y="${y + 18}">${format(value)}</text>`
    }),
  )
}
