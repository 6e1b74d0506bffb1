import { type Content, type Markup, markup } from '../markup.ts'
import type { Scale } from '../scale.ts'

/** The space round a plot for its axes. */
export type Box = { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number }

/** Drawings are made this wide, so that their letters are the page's size when two stand side by side or one fills a phone. */
export const chartWidth = 460

/** A drawing that scales with the page and says what it is to those who do not see it. */
export const drawing = (
  options: {
    readonly title: string
    readonly width?: number
    readonly height: number
    readonly kind: string
    readonly data?: string
  },
  ...contents: readonly Content[]
): Markup => {
  const width = options.width ?? chartWidth
  return markup`<svg class="chart ${options.kind}" viewBox="0 0 ${width} ${options.height}" role="img" aria-label="${options.title}"${
    options.data ? markup` data-plot="${options.data}"` : undefined
  }><title>${options.title}</title>${contents}</svg>`
}

/** Horizontal grid lines with their labels, and the axis's name above them. */
export const leftAxis = (scale: Scale, left: number, right: number, name: string, top: number): Markup =>
  markup`<g class="axis">${scale.ticks.map(({ value, label }) => {
    const y = scale(value)
    return markup`<line class="grid" x1="${left}" x2="${right}" y1="${y}" y2="${y}"/><text x="${left - 7}" y="${y + 4}" text-anchor="end">${label}</text>`
  })}<text class="axis-name" x="0" y="${top - 12}">${name}</text></g>`

/** Tick labels below the plot, and the axis's name at its right end. */
export const bottomAxis = (scale: Scale, left: number, right: number, bottom: number, name: string): Markup =>
  markup`<g class="axis"><line class="base" x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>${scale.ticks.map(
    ({ value, label }) => {
      const x = scale(value)
      return markup`<line class="tick" x1="${x}" x2="${x}" y1="${bottom}" y2="${bottom + 4}"/><text x="${x}" y="${bottom + 18}" text-anchor="middle">${label}</text>`
    },
  )}<text class="axis-name" x="${right}" y="${bottom + 36}" text-anchor="end">${name}</text></g>`

/** The `d` of a path through points, a gap where one is not finite. */
export const path = (points: Iterable<readonly [number, number]>): string => {
  let d = ''
  let drawing = false
  for (const [x, y] of points) {
    if (!Number.isFinite(x) || !Number.isFinite(y)) drawing = false
    else {
      d += `${drawing ? 'L' : 'M'}${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`
      drawing = true
    }
  }
  return d
}
