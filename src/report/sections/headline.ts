import { bytes, capital, count, large, milliseconds, percent, points, times } from '../format.ts'
import { type Markup, markup } from '../markup.ts'
import type { ReportData, Stage } from '../types.ts'
import { listed } from './parts.ts'

/** What came of it, in one sentence of three numbers. */
export const headlineOf = (first: Stage, last: Stage): string => {
  const size = compared(first.bytes, last.bytes, 'smaller', 'larger', 'the same size')
  const work = compared(first.macs, last.macs, 'fewer multiplications', 'more multiplications', 'the same work')
  const change = Math.round(10_000 * (last.accuracy - first.accuracy)) / 100
  const accuracy =
    change > 0
      ? `${change.toFixed(2)} points more accurate`
      : change < 0
        ? `${(-change).toFixed(2)} points less accurate`
        : 'just as accurate'
  return `${capital(listed([size, work, accuracy]))}.`
}

const compared = (before: number, after: number, less: string, more: string, same: string): string => {
  const ratio = before / after
  if (!Number.isFinite(ratio) || (ratio > 0.98 && ratio < 1.02)) return same
  return ratio > 1 ? `${times(before, after)} ${less}` : `${times(after, before)} ${more}`
}

export const headline = (data: ReportData): Markup => {
  if (data.headline) return ownHeadline(data.headline)
  const first = data.stages[0]
  const last = data.stages.at(-1)
  if (!first || !last) return markup`<h1>${data.title}</h1>`
  const alone = first === last
  return markup`<h1>${alone ? data.title : headlineOf(first, last)}</h1>${
    !alone &&
    markup`<p class="lead">${`${data.model}${data.dataset ? ` on ${data.dataset}` : ''}`}: trained${
      data.optimizer ? ` with ${data.optimizer}` : ''
    }, looked at, pruned and retrained. ${last.file && markup`The result, <code>${last.file}</code>, is an ordinary ONNX file: whatever ran the original runs it.`}</p>`
  }<ul class="cards">${card('File size', first.bytes, last.bytes, bytes, 'smaller')}${card('Multiplications', first.macs, last.macs, large, 'fewer')}${accuracyCard(first, last)}${
    first.latencyMs !== undefined &&
    last.latencyMs !== undefined &&
    card(timeFor(data), first.latencyMs, last.latencyMs, milliseconds, 'faster')
  }</ul>`
}

const ownHeadline = ({ text, lead, figures }: NonNullable<ReportData['headline']>): Markup =>
  markup`<h1>${text}</h1><p class="lead">${lead}</p>${
    figures.length > 0 &&
    markup`<ul class="cards">${figures.map(
      ({ what, value, note }) =>
        markup`<li><span class="what">${what}</span><span class="big">${value}</span>${note && markup`<span class="was">${note}</span>`}</li>`,
    )}</ul>`
  }`

const card = (what: string, before: number, after: number, format: (v: number) => string, better: string): Markup => {
  const ratio = before / after
  const text =
    ratio >= 1.02
      ? `${times(before, after)} ${better}`
      : ratio > 0.98
        ? 'unchanged'
        : `${times(after, before)} ${{ smaller: 'larger', fewer: 'more', faster: 'slower' }[better] ?? 'more'}`
  return markup`<li><span class="what">${what}</span><span class="big">${format(after)}</span><span class="was">from ${format(before)}</span><br/><span class="gain${ratio < 0.98 ? ' worse' : ''}">${text}</span></li>`
}

const accuracyCard = (first: Stage, last: Stage): Markup => {
  const change = last.accuracy - first.accuracy
  return markup`<li><span class="what">Accuracy</span><span class="big">${percent(last.accuracy)}</span><span class="was">from ${percent(first.accuracy)}</span><br/><span class="gain${change < -0.00005 ? ' worse' : ''}">${points(change)} points</span></li>`
}

/** What the latencies are the time for, as a heading. */
export const timeFor = ({ latencyOf = 'one answer' }: ReportData): string => `Time for ${latencyOf}`

/** All figures of all stages; what fell says how many times it did. Wider than a phone, so it can be scrolled by keys too. */
export const stagesTable = ({ stages, latencyOf }: ReportData): Markup => {
  const first = stages[0]!
  const has = (field: 'loss' | 'latencyMs') => stages.some((stage) => stage[field] !== undefined)
  const shrunk = (before: number, after: number, k: number) =>
    k > 0 && Number.isFinite(before / after) && markup`<small>${times(before, after)} less</small>`
  return markup`<div class="scroll" role="region" aria-label="Figures of every stage" tabindex="0"><table><thead><tr><th scope="col">Stage</th><th scope="col">accuracy</th>${
    has('loss') && markup`<th scope="col">loss</th>`
  }<th scope="col">file size</th><th scope="col">parameters</th><th scope="col">MACs</th>${
    has('latencyMs') && markup`<th scope="col">${latencyOf ? `time, ${latencyOf}` : 'latency'}</th>`
  }</tr></thead><tbody>${stages.map(
    (stage, k) =>
      markup`<tr class="${k > 0 && k === stages.length - 1 ? 'last' : ''}"><th scope="row">${stage.name}${
        stage.file && markup`<small>${stage.file}</small>`
      }</th><td>${percent(stage.accuracy)}${
        k > 0 && markup`<small>${points(stage.accuracy - first.accuracy)} points</small>`
      }</td>${has('loss') && markup`<td>${(stage.loss ?? Number.NaN).toFixed(4).replace('NaN', '–')}</td>`}<td>${bytes(stage.bytes)}${shrunk(first.bytes, stage.bytes, k)}</td><td>${count(stage.parameters)}${shrunk(first.parameters, stage.parameters, k)}</td><td>${large(stage.macs)}${shrunk(first.macs, stage.macs, k)}</td>${
        has('latencyMs') &&
        markup`<td>${milliseconds(stage.latencyMs ?? Number.NaN)}${shrunk(first.latencyMs ?? Number.NaN, stage.latencyMs ?? Number.NaN, k)}</td>`
      }</tr>`,
  )}</tbody></table></div>`
}
