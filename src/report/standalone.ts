import { chartWidth } from './charts/frame.ts'
import { type LineChart, lineChart } from './charts/line.ts'
import { markup } from './markup.ts'

/** Ten lines told apart by colour and, past the fifth, by dashes too. */
const colours = [
  '#0b7a75',
  '#bb5209',
  '#4b53c4',
  '#a83a86',
  '#59636d',
  '#1b6ca8',
  '#b3261e',
  '#7d7800',
  '#0b7f52',
  '#7547b3',
]

const style = `
text { font: 12px system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: #5d6864; }
.plate { fill: #ffffff; } .title { font-weight: 600; font-size: 14px; fill: #1c2422; }
.grid { stroke: #e4e2da; } .base, .tick { stroke: #8d9793; }
.line path, .key { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.line .raw { stroke-width: 1; opacity: .25; }
.mark line { stroke: #1c2422; stroke-dasharray: 2 3; }
${colours.map((colour, k) => `.c${k} path, .c${k}.key { stroke: ${colour}; ${k > 4 ? 'stroke-dasharray: 6 4;' : ''} }`).join('\n')}`

/** A line chart as an SVG file of its own: with its style, a title and a key, for a document that has no style sheet. */
export const lineChartFile = (chart: LineChart): string => {
  const [, height = '290'] = /viewBox="0 0 \d+ (\d+)"/.exec(lineChart(chart).text) ?? []
  const drawing = lineChart(chart)
    .text.replace(/^<svg[^>]*>/, '')
    .replace(/<g class="pointer".*$/s, '')
  const rows = Math.ceil(chart.curves.length / 2)
  const [top, bottom] = [26, 26 + Number(height)]
  const whole = bottom + 8 + rows * 20
  const key = chart.curves.map(({ name, colour }, k) => {
    const [x, y] = [52 + (k % 2) * (chartWidth / 2 - 16), bottom + 4 + Math.floor(k / 2) * 20]
    return markup`<path class="c${colour ?? k} key" d="M${x} ${y}h22"/><text x="${x + 30}" y="${y + 4}">${name}</text>`
  })
  const head = markup`<rect class="plate" width="${chartWidth}" height="${whole}" rx="8"/><text class="title" x="12" y="20">${chart.title}</text>`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${chartWidth} ${whole}" width="${chartWidth}" height="${whole}" role="img" aria-labelledby="t">${markup`<title id="t">${chart.title}: ${chart.y} by ${chart.x}</title>`}<style>${style}</style>${head}<g transform="translate(0 ${top})">${drawing}</g>${markup`${key}`}</svg>\n`
}
