import { significant } from '../format.ts'
import { type Markup, markup } from '../markup.ts'
import { greyDataUri } from '../png.ts'
import type { ChangedAnswers, KernelPictures } from '../types.ts'
import { drawing } from './frame.ts'

/**
 * The kernels of a layer as small pictures, most important first when scores are known: one colour for positive weights,
 * another for negative, as deep as the weight is large. Kernels that went are faded.
 */
export const kernelChart = (kernels: KernelPictures): Markup => {
  const { channels, height, width, weights, kept, scores } = kernels
  const area = height * width
  const pictures = weights.map((kernel) =>
    Array.from({ length: area }, (_, at) => {
      let sum = 0
      for (let c = 0; c < channels; c++) sum += kernel[c * area + at] ?? 0
      return sum / channels
    }),
  )
  const largest = Math.max(1e-12, ...pictures.flat().map(Math.abs).filter(Number.isFinite))
  const order = pictures.map((_, i) => i).sort((a, b) => (scores ? (scores[b] ?? 0) - (scores[a] ?? 0) : a - b))
  const across = Math.min(8, Math.max(1, weights.length))
  const [slot, gap] = [57.5, 10]
  const side = slot - gap
  const pixel = side / Math.max(height, width)
  const lineHeight = slot + 14
  return drawing(
    {
      title: `The ${weights.length} kernels of ${kernels.layer}`,
      height: Math.ceil(weights.length / across) * lineHeight,
      kind: 'kernels',
    },
    order.map((index, place) => {
      const [x0, y0] = [(place % across) * slot + gap / 2, Math.floor(place / across) * lineHeight + 2]
      const score = scores?.[index]
      const stays = kept[index] ?? true
      return markup`<g class="${stays ? 'kept' : 'gone'}"><title>kernel ${String(index)}${score !== undefined && `: ${significant(score, 4)}`}, ${stays ? 'kept' : 'removed'}</title><g class="picture"><rect class="plate" x="${x0 - 2}" y="${y0 - 2}" width="${pixel * width + 4}" height="${pixel * height + 4}" rx="3"/>${pictures[
        index
      ]!.map(
        (weight, at) =>
          markup`<rect class="${weight < 0 ? 'minus' : 'plus'}" x="${x0 + (at % width) * pixel}" y="${y0 + Math.floor(at / width) * pixel}" width="${pixel + 0.15}" height="${pixel + 0.15}" fill-opacity="${Math.abs(weight) / largest}"/>`,
      )}</g><text x="${x0 + side / 2}" y="${y0 + side + 15}">${score === undefined ? `#${index}` : significant(score, 3)}</text></g>`
    }),
  )
}

/** Pictures whose answer changed: what it is, what was answered before, what after. */
export const changedPictures = (changed: ChangedAnswers, images: ChangedAnswers['images']): Markup => {
  const name = (index: number) => changed.classes[index] ?? String(index)
  return markup`<ul class="answers">${images.map(
    ({ picture, label, before, after, index }) =>
      markup`<li><img src="${greyDataUri(picture)}" width="56" height="56" alt="${`a ${name(label)}: before ${name(before)}, after ${name(after)}`}" title="${`is ${name(label)}${index === undefined ? '' : `, image ${index}`}`}"/><span>${answer(name(before), before === label)} → ${answer(name(after), after === label)}</span></li>`,
  )}</ul>`
}

const answer = (name: string, right: boolean): Markup =>
  right ? markup`<b class="right">${name}</b>` : markup`<b class="wrong">${name}</b>`
