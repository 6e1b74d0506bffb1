import { bytes as asBytes, percent, tidy } from '../format.ts'
import { type Markup, markup } from '../markup.ts'
import { extent, linear } from '../scale.ts'
import type { Embeddings, Round } from '../types.ts'
import { bottomAxis, chartWidth, drawing, leftAxis, path } from './frame.ts'

/**
 * One map of points coloured by class. Classes named by one or two letters are drawn as those letters, so that colour is
 * never the only sign; others as dots.
 */
export const mapChart = (embeddings: Embeddings, which: number): Markup => {
  const map = embeddings.maps[which]!
  const { labels, classes } = embeddings
  const margin = 14
  const place = squareFrame(map.x, map.y, margin, chartWidth - margin)
  const letters = classes.every((name) => name.length <= 2)
  const points = labels.map((label, i) => {
    if (!Number.isFinite(map.x[i]) || !Number.isFinite(map.y[i])) return undefined
    const [x, y] = place(map.x[i]!, map.y[i]!)
    const name = classes[label] ?? String(label)
    const answer = map.answers?.[i]
    const wrong = answer !== undefined && answer !== label
    const says = `${name}${wrong ? `, answered ${classes[answer] ?? answer}` : ''}`
    const css = `k${label % 10}${wrong ? ' wrong' : ''}`
    return letters
      ? markup`<g class="${css}" data-i="${i}">${wrong && markup`<circle class="ring" cx="${x}" cy="${y}" r="8.5"/>`}<text x="${x}" y="${y + 4.2}">${name}</text><title>${says}</title></g>`
      : markup`<circle class="${css}" data-i="${i}" cx="${x}" cy="${y}" r="4"><title>${says}</title></circle>`
  })
  return drawing(
    { title: `${map.title}: ${labels.length} points by class`, height: chartWidth, kind: 'map' },
    markup`<rect class="field" x="0.5" y="0.5" width="${chartWidth - 1}" height="${chartWidth - 1}" rx="8"/>`,
    points,
  )
}

/** One scale for both axes: distances on a map mean the same in every direction. */
const squareFrame = (xs: readonly number[], ys: readonly number[], from: number, to: number) => {
  const [left, right] = extent(xs)
  const [low, high] = extent(ys)
  const span = Math.max(right - left, high - low) || 1
  const scale = (to - from) / span
  const [middleX, middleY, middle] = [(left + right) / 2, (low + high) / 2, (from + to) / 2]
  return (x: number, y: number): [number, number] => [middle + (x - middleX) * scale, middle - (y - middleY) * scale]
}

/** Accuracy against file size over rounds of pruning: up and to the left is better. */
export const paretoChart = (rounds: readonly Round[]): Markup => {
  const [left, right, top, bottom] = [60, chartWidth - 14, 30, 246]
  const sizes = rounds.map((round) => round.bytes)
  const x = linear([0, extent(sizes)[1] * 1.06], [left, right], {
    label: (v) => (v === 0 ? '0' : tidy(asBytes(v))),
    wanted: 5,
  })
  const [low, high] = extent(rounds.map((round) => round.accuracy))
  const room = Math.max(high - low, 0.001) * 0.25
  const digits = high - low > 0.04 ? 0 : high - low > 0.004 ? 1 : 2
  const y = linear([low - room, Math.min(1, high + room)], [bottom, top], {
    label: (v) => percent(v, digits),
    wanted: 4,
  })
  const inside = (round: Round): [number, number] => [x(round.bytes), y(round.accuracy)]
  return drawing(
    { title: 'Accuracy against file size, round by round', height: bottom + 44, kind: 'pareto' },
    leftAxis(y, left, right, 'accuracy', top),
    bottomAxis(x, left, right, bottom, 'file size'),
    markup`<path class="trail" d="${path(rounds.map(inside))}"/>`,
    rounds.map((round) => {
      const [cx, cy] = inside(round)
      const pruned = round.prunedAccuracy === undefined ? '' : `, ${percent(round.prunedAccuracy)} before retraining`
      return markup`<g class="${round.chosen ? 'chosen' : ''}"><circle class="dot" cx="${cx}" cy="${cy}" r="${round.chosen ? 7 : 5}"><title>${round.label}: ${asBytes(round.bytes)}, ${percent(round.accuracy)}${pruned}</title></circle>${
        (round.chosen || rounds.length <= 6) &&
        markup`<text x="${Math.min(cx, right - 30)}" y="${cy - 12}" text-anchor="middle">${round.label}</text>`
      }</g>`
    }),
  )
}
