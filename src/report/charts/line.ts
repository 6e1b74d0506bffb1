import { type Markup, markup } from '../markup.ts'
import { extent, linear, logarithmic, nines } from '../scale.ts'
import type { Mark } from '../types.ts'
import { bottomAxis, chartWidth, drawing, leftAxis, path } from './frame.ts'
import { smoothed, smoothedLog, thinned } from './smooth.ts'

export type Curve = {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
  /** Noisy curves are drawn faint with their moving average over them. */
  readonly noisy?: boolean
  /** 0 to 3: which of the page's line colours. Default: its position. */
  readonly colour?: number
}

export type LineChart = {
  readonly title: string
  readonly x: string
  readonly y: string
  readonly curves: readonly Curve[]
  /** `'nines'` is for accuracies: see `scale.ts`. Default `'linear'`. */
  readonly scale?: 'linear' | 'log' | 'nines'
  readonly marks?: readonly Mark[]
  readonly format?: (value: number) => string
  readonly height?: number
}

/** Curves over a common axis. Its `data-plot` holds what the page's pointer shows: the plot's frame and the points. */
export const lineChart = (chart: LineChart): Markup => {
  const [left, right, bottom] = [52, chartWidth - 10, (chart.height ?? 290) - 44]
  const marks = chart.marks ?? []
  const format = chart.format ?? plain
  const breaks = marks.map((mark) => mark.step)
  const averaged = chart.scale === 'log' ? smoothedLog : smoothed
  const curves = chart.curves.map((curve) => ({
    ...curve,
    points: curve.points.filter(([, y]) => Number.isFinite(y)),
    average: curve.noisy ? averaged(curve.points, breaks) : curve.points,
  }))
  const xs = extent(curves.flatMap((curve) => curve.points.map(([x]) => x)))
  const x = linear(xs, [left, right], {
    label: (v) => (xs[1] >= 10_000 && v > 0 ? `${v / 1000}\u202fk` : v.toLocaleString('en-US')),
    wanted: 5,
  })
  const placed = placeLabels(
    marks.map((mark) => ({ x: x(mark.step), label: mark.label })),
    [left, right],
  )
  const rows = Math.max(0, ...placed.map((mark) => mark.row + 1))
  const top = 28 + 16 * rows
  const shown = curves.flatMap((curve) => curve.average.map(([, y]) => y))
  const all = curves.flatMap((curve) => curve.points.map(([, y]) => y))
  const y = yScale(chart.scale ?? 'linear', shown, all, [bottom, top], format)
  const place = ([px, py]: readonly [number, number]): [number, number] => [
    x(px),
    Math.min(bottom, Math.max(top, y(py))),
  ]

  const plot = {
    frame: [left, right, top, bottom],
    domain: xs,
    x: chart.x,
    curves: curves.map((curve) => ({
      name: curve.name,
      points: thinned(curve.average, 150).map((point) => [point[0], round(place(point)[1]), format(point[1])]),
    })),
  }
  return drawing(
    { title: chart.title, height: bottom + 44, kind: 'lines', data: JSON.stringify(plot) },
    leftAxis(y, left, right, chart.y, 28),
    bottomAxis(x, left, right, bottom, chart.x),
    placed.map((mark) => markLine(mark, top - 6 - 16 * mark.row, bottom)),
    curves.map(
      (curve, k) =>
        markup`<g class="line c${curve.colour ?? k}">${
          curve.noisy && markup`<path class="raw" d="${path(thinned(curve.points, 240).map(place))}"/>`
        }<path class="${curve.noisy ? 'smooth' : 'exact'}" d="${path(thinned(curve.average, 240).map(place))}"/></g>`,
    ),
    markup`<g class="pointer" hidden><line y1="${top}" y2="${bottom}"/></g>`,
  )
}

/** Small numbers by their power of ten, which a row of zeros does not tell: 3·10⁻⁸. */
const plain = (value: number): string => {
  const power = Math.floor(Math.log10(Math.abs(value)) + 1e-9)
  if (value === 0 || power >= -3) return value.toLocaleString('en-US', { maximumSignificantDigits: 3 })
  const mantissa = (value / 10 ** power).toLocaleString('en-US', { maximumSignificantDigits: 3 })
  const exponent = String(-power).replace(/\d/g, (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'.charAt(Number(digit)))
  return `${mantissa === '1' ? '' : `${mantissa}·`}10⁻${exponent}`
}

const round = (value: number) => Math.round(value * 10) / 10

const yScale = (
  kind: 'linear' | 'log' | 'nines',
  shown: readonly number[],
  all: readonly number[],
  range: readonly [number, number],
  label: (value: number) => string,
) => {
  if (kind === 'log') {
    const [low, high] = extent(
      shown.filter((v) => v > 0),
      [0.1, 1],
    )
    return logarithmic([low / 1.6, high * 1.1], range, { label })
  }
  if (kind === 'nines') {
    // A small batch is often all right; it goes to the upper edge, and the averages set the frame.
    const [low, high] = extent(
      shown.filter((v) => v < 1),
      [0.5, 0.99],
    )
    return nines([Math.max(0, low - 0.02), 1 - (1 - high) / 1.3], range, { label })
  }
  const [low, high] = extent(all)
  const room = (high - low || Math.abs(high) || 1) * 0.06
  return linear([low >= 0 && low < high / 3 ? 0 : low - room, high + room], range, { label })
}

type Label = { readonly x: number; readonly middle: number; readonly label: string; readonly row: number }

/** Labels stand above the plot, centred on their line as far as the frame allows, one row up where they would touch. */
const placeLabels = (
  marks: readonly { readonly x: number; readonly label: string }[],
  [left, right]: readonly [number, number],
): Label[] => {
  const placed: Label[] = []
  const half = (label: string) => 3.9 * label.length
  for (const { x, label } of [...marks].sort((a, b) => a.x - b.x)) {
    const middle = Math.max(left + half(label), Math.min(right - half(label), x))
    const touches = (other: Label) => middle - other.middle < half(label) + half(other.label) + 4
    let row = 0
    while (row < 4 && placed.some((other) => other.row === row && touches(other))) row++
    placed.push({ x, middle, label, row })
  }
  return placed
}

const markLine = ({ x, middle, label }: Label, y: number, bottom: number): Markup =>
  markup`<g class="mark"><line x1="${x}" x2="${x}" y1="${y + 3}" y2="${bottom}"/><text x="${middle}" y="${y}" text-anchor="middle">${label}</text></g>`
