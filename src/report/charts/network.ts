import { count, shortened } from '../format.ts'
import { type Markup, markup } from '../markup.ts'
import type { NetworkDrawing, NetworkLayer } from '../types.ts'
import { drawing } from './frame.ts'

const width = 520
const row = 46
const thick = 22
/** Bars are centred here and at most this long. */
const [middle, longest] = [288, 270]

/**
 * The network top to bottom, each layer a bar as long as it has channels: what stays is solid, what went is hollow. A
 * veil between bars shows how the width flows on; edges that skip layers are arcs at the right, and coupled layers carry
 * the same group mark.
 */
export const networkChart = ({ layers, edges }: NetworkDrawing): Markup => {
  const widest = Math.max(1, ...layers.map((layer) => layer.channels))
  const scale = (channels: number) => Math.max(2, (channels / widest) * longest)
  const top = (k: number) => 10 + k * row
  const links = edges ?? layers.slice(1).map((_, k) => ({ from: k, to: k + 1 }))
  const keptOf = (layer: NetworkLayer) => Math.min(layer.channels, Math.max(0, layer.kept ?? layer.channels))

  const veils = links
    .filter(({ from, to }) => to === from + 1 && layers[to])
    .map(({ from, to }) => {
      const whole = trapezoid(scale(layers[from]!.channels), scale(layers[to]!.channels), top(from) + thick, top(to))
      const stays = trapezoid(scale(keptOf(layers[from]!)), scale(keptOf(layers[to]!)), top(from) + thick, top(to))
      return markup`<path class="veil" d="${whole}"/><path class="veil kept" d="${stays}"/>`
    })
  const arcs = links
    .filter(({ from, to }) => to !== from + 1 && layers[from] && layers[to])
    .map(({ from, to }) => {
      const [y0, y1] = [top(from) + thick / 2, top(to) + thick / 2]
      const x0 = middle + scale(layers[from]!.channels) / 2 + 4
      const x1 = middle + scale(layers[to]!.channels) / 2 + 4
      const out = Math.min(width - 66, Math.max(x0, x1) + 16 + 5 * Math.min(6, Math.abs(to - from)))
      return markup`<path class="skip" d="M${x0} ${y0}C${out} ${y0} ${out} ${y1} ${x1} ${y1}"/>`
    })
  return drawing(
    {
      title: 'The network, widths to scale, removed channels hollow',
      height: top(layers.length) - row + thick + 10,
      kind: 'network',
      width,
    },
    veils,
    arcs,
    layers.map((layer, k) => bar(layer, keptOf(layer), scale(layer.channels), top(k))),
  )
}

const trapezoid = (upper: number, lower: number, y0: number, y1: number): string =>
  `M${middle - upper / 2} ${y0}H${middle + upper / 2}L${middle + lower / 2} ${y1}H${middle - lower / 2}Z`

const bar = (layer: NetworkLayer, kept: number, length: number, y: number): Markup => {
  const { channels } = layer
  const gone = channels - kept
  // Kept channels lie centred, so that the veil between kept parts is straight; hollow ones close them in on both sides.
  const unit = length / channels
  const before = Math.floor(gone / 2)
  const cells = unit >= 5
  const x = (index: number) => middle - length / 2 + index * unit
  const pieces = cells
    ? Array.from({ length: channels }, (_, i) =>
        rect(i >= before && i < before + kept ? 'kept' : 'gone', x(i) + 0.6, y, unit - 1.2),
      )
    : [
        before > 0 && rect('gone', x(0), y, before * unit),
        gone - before > 0 && rect('gone', x(before + kept), y, (gone - before) * unit),
        kept > 0 && rect('kept', x(before), y, Math.max(1.5, kept * unit)),
      ]
  const says = [
    `${layer.name} (${layer.kind}): ${count(channels)}${gone > 0 ? ` → ${count(kept)}` : ''} channels`,
    layer.size?.length && `each ${layer.size.join('×')}`,
    layer.group && `group ${layer.group}`,
    layer.frozen && `not prunable: ${layer.frozen}`,
    layer.note,
  ].filter(Boolean)
  return markup`<g class="layer${layer.frozen ? ' frozen' : ''}" ${layer.group ? markup`data-group="${layer.group}"` : undefined}><rect class="reach" x="0" y="${y - 6}" width="${width}" height="${thick + 12}"><title>${says.join('; ')}</title></rect><text class="name" x="0" y="${y + 9}">${shortened(layer.name, 17)}</text><text class="kind" x="0" y="${y + 23}">${shortened(layer.kind, 20)}</text>${pieces}<text class="widths" x="${width}" y="${y + 9}">${
    gone > 0 ? markup`${count(channels)} → <tspan class="now">${count(kept)}</tspan>` : count(channels)
  }</text><text class="kind" x="${width}" y="${y + 23}" text-anchor="end">${layer.size?.length ? layer.size.join('×') : (layer.note ?? '')}</text></g>`
}

const rect = (kind: 'kept' | 'gone', x: number, y: number, length: number): Markup =>
  kind === 'kept'
    ? markup`<rect class="kept" x="${x}" y="${y}" width="${length}" height="${thick}" rx="2"/>`
    : markup`<rect class="gone" x="${x + 0.5}" y="${y + 0.5}" width="${Math.max(0.5, length - 1)}" height="${thick - 1}" rx="2"/>`
