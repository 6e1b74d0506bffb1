import { importanceChart } from '../charts/bars.ts'
import { kernelChart } from '../charts/digits.ts'
import { networkChart } from '../charts/network.ts'
import { type Markup, markup } from '../markup.ts'
import type { KernelPictures, LayerScores, NetworkDrawing } from '../types.ts'
import { figure, key } from './parts.ts'

export const kernelPictures = (kernels: KernelPictures): Markup => {
  const kept = kernels.kept.filter(Boolean).length
  return figure(
    markup`${kernels.layer}${key(
      [
        { name: 'positive weight', colour: 'stay' },
        { name: 'negative', colour: 'go' },
      ],
      true,
    )}`,
    kernelChart(kernels),
    `${kept} of ${kernels.weights.length} stay; the others are faded. ${kernels.scores ? 'The number under each is its importance.' : ''}`,
  )
}

export const importanceCharts = (layers: readonly LayerScores[]): Markup =>
  markup`<div class="pair${layers.length > 4 ? ' many' : ''}">${layers.map((layer) => {
    const gone = layer.scores.filter((_, i) => !(layer.kept[i] ?? true)).length
    return figure(
      markup`${layer.name}<small>${gone > 0 ? `${gone} of ${layer.scores.length} removed` : 'left whole'}</small>`,
      importanceChart(layer),
    )
  })}</div>`

export const networkPicture = (network: NetworkDrawing): Markup => {
  const frozen = network.layers.filter((layer) => layer.frozen)
  const groups = [...new Set(network.layers.flatMap((layer) => layer.group ?? []))]
    .map((group) => network.layers.filter((layer) => layer.group === group).map((layer) => layer.name))
    .filter((members) => members.length > 1)
  return figure(
    markup`Width of every layer${key(
      [
        { name: 'stays', colour: 'stay' },
        { name: 'removed', colour: 'go', hollow: true },
      ],
      true,
    )}`,
    networkChart(network),
    markup`${groups.length > 0 && `Coupled, pruned together: ${groups.map((members) => members.join(' + ')).join('; ')}. `}${
      frozen.length > 0 && `Left alone: ${frozen.map((layer) => `${layer.name}, ${layer.frozen}`).join('; ')}.`
    }`,
  )
}
