import { UsageError } from '../../base/index.ts'
import {
  analyzeModel,
  criteria,
  type KernelStatistics,
  kernelStatistics,
  matches,
  planPruning,
} from '../../prune/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { command } from '../command.ts'
import { sparkline, table } from '../console.ts'
import { onStage } from '../limits/report.ts'
import { loadModel } from '../models.ts'
import { limits } from '../options.ts'

export const analyze = command({
  name: 'analyze',
  summary: "every kernel's contribution, layer by layer, and what a ratio would remove",
  usage: 'MODEL',
  positionals: ['MODEL'],
  options: {
    criterion: { kind: 'choice', among: Object.keys(criteria), help: 'what kernels are judged by', default: 'l1' },
    ratio: { kind: 'number', value: 'X', help: 'share of every layer that would go', default: 0.5, min: 0, below: 1 },
    layer: { kind: 'list', value: 'PATTERN', help: 'only these layers' },
    all: { kind: 'flag', help: 'every kernel of wide layers too' },
    seed: {
      kind: 'number',
      value: 'N',
      help: 'for random criteria and fresh networks',
      default: 0,
      min: 0,
      max: limits.seed,
      whole: true,
    },
  },
  async run({ positionals: [name = ''], values, console }) {
    const { criterion, ratio, seed } = values
    const { model, source } = await loadModel(name, seed)
    const analysis = await analyzeModel(model, { runtime: nodeRuntime, seed, onEvent: onStage })
    const everyLayer = kernelStatistics(model)
    for (const pattern of values.layer)
      if (!everyLayer.some(({ layer }) => matches(pattern, layer)))
        throw new UsageError(`--layer ${pattern} names no layer`, {
          remedy: `there are ${everyLayer.map(({ layer }) => layer).join(', ')}`,
        })
    const plan = planPruning(model, analysis, { criterion, seed, target: { ratio }, ...(source && { source }) })
    const layers = everyLayer.filter(
      ({ layer }) => values.layer.length === 0 || values.layer.some((pattern) => matches(pattern, layer)),
    )
    for (const layer of layers) {
      const kept = plan.slices[layer.layer]?.[layer.axis]
      const frozen = analysis.frozen.find(({ value, axis }) => value === layer.layer && axis === layer.axis)
      const order = worstFirst(layer, criterion)
      console.say(`${layer.layer}  ${layer.operator} [${layer.dims.join(', ')}], ${order.length} kernels`)
      console.say(
        `  sorted ${isStatistic(criterion) ? criterion : 'l1'}  ${sparkline(order.map((k) => scoresOf(layer, criterion)[k]!))}`,
      )
      console.say(
        frozen
          ? `  nothing can go: ${frozen.reason}`
          : `  a ratio of ${ratio} leaves ${kept?.length ?? order.length} of ${order.length}`,
      )
      console.say()
      const shown = values.all ? order : order.slice(0, 32)
      console.say(indent(kernelTable(layer, shown, kept && new Set(kept))))
      if (shown.length < order.length) console.say(`  … and ${order.length - shown.length} more (--all shows them)`)
      console.say()
    }
    return {
      criterion,
      ratio,
      layers: layers.map((layer) => ({
        layer: layer.layer,
        node: layer.node,
        operator: layer.operator,
        shape: layer.dims,
        axis: layer.axis,
        ...Object.fromEntries(statistics.map((key) => [key, [...layer[key]]])),
        sorted: worstFirst(layer, criterion),
        kept: plan.slices[layer.layer]?.[layer.axis] ?? null,
      })),
      groups: plan.groups,
      frozen: plan.frozen,
    }
  },
})

const statistics = ['sum', 'l1', 'l2', 'mean', 'std'] as const

const isStatistic = (name: string): name is (typeof statistics)[number] => statistics.some((known) => known === name)

const scoresOf = (layer: KernelStatistics, criterion: string): Float64Array =>
  layer[isStatistic(criterion) ? criterion : 'l1']

/** Kernel numbers, the weakest first. */
const worstFirst = (layer: KernelStatistics, criterion: string): number[] => {
  const scores = scoresOf(layer, criterion)
  return Array.from(scores, (_, k) => k).sort((a, b) => scores[a]! - scores[b]!)
}

const kernelTable = (
  layer: KernelStatistics,
  shown: readonly number[],
  kept: ReadonlySet<number> | undefined,
): string[] =>
  table(
    ['kernel', ...statistics, ''],
    shown.map((k) => [
      String(k),
      ...statistics.map((key) => layer[key][k]!.toFixed(4)),
      kept && !kept.has(k) ? 'goes' : '',
    ]),
  )

const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`)
