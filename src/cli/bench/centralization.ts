import { join } from 'node:path'
import { writeFileAtomic } from '../../base/files.ts'
import { type Dataset, subset } from '../../data/index.ts'
import { loadDataset } from '../../data/node.ts'
import { networkNamed } from '../../nn/index.ts'
import { lineChartFile } from '../../report/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { type DescentPoint, entrantOf, watchDescent } from '../../train/node.ts'
import { type Console, table } from '../console.ts'
import { checkFolder } from '../outputs.ts'
import { type ContestValues, dataName } from './optimizers.ts'

/** Each pair without and with centralization, at one rate: here it is the rule that is looked at, not the best result. */
const watched = [
  { name: 'sgd', rate: 0.02 },
  { name: 'gc+sgd', rate: 0.02 },
  { name: 'ranger:gc=false', rate: 0.003 },
  { name: 'ranger:gc=gradient', rate: 0.003 },
  { name: 'ranger', rate: 0.003 },
]

/** Gradient norms, how fast the gradient turns, and how far filters' means move, with and without centralization. */
export const benchCentralization = async (values: ContestValues, console: Console) => {
  const { steps } = values
  const out = values.out ?? 'runs/centralization'
  const networks = values.network.length > 0 ? values.network : ['seed-cnn', 'resnet-small']
  const specs = values.data.length > 0 ? values.data : ['mnist']
  const seeds = Array.from({ length: values.seeds ?? 3 }, (_, i) => i + 1)
  await checkFolder(out)
  const rows = []
  const pictures: string[] = []
  for (const spec of specs) {
    const { train } = await loadDataset(spec)
    const data = first(train, Math.min(values.samples ?? 2000, train.size))
    for (const network of networks) {
      const traces = new Map<string, DescentPoint[]>()
      for (const { name, rate } of watched) {
        const runs: DescentPoint[][] = []
        for (const seed of seeds) {
          console.progress(`${dataName(spec)} ${network}: ${name}, seed ${seed} …`)
          const model = networkNamed(network).build({ seed })
          const recipe = entrantOf(name).recipe({ rate, schedule: 'constant' }, steps)
          const options = { runtime: nodeRuntime, threads: values.threads ?? 1, batch: values.batch ?? 50 }
          runs.push(await watchDescent(model, { ...options, data, recipe, steps, seed }))
        }
        traces.set(name, meanTrace(runs))
        rows.push({ data: dataName(spec), network, optimizer: name, rate, ...figuresOf(traces.get(name)!) })
      }
      for (const { measure, y } of drawn) {
        const name = `${measure}-${dataName(spec)}-${network}.svg`
        await writeFileAtomic(join(out, name), chartOf(`${dataName(spec)}, ${network}`, y, measure, traces))
        pictures.push(`![${y}, ${dataName(spec)}, ${network}](${name})`)
      }
    }
  }
  console.say(`means over ${steps} steps and ${seeds.length} seeds; the mean's drift is the greatest of any filter`)
  console.say(table(header, rows.map(cells)))
  const page = [markdown([header, header.map(() => '---'), ...rows.map(cells)]), ...pictures].join('\n\n')
  await writeFileAtomic(join(out, 'results.md'), `${page}\n`)
  return { steps, seeds: seeds.length, rows }
}

type Measure = Exclude<keyof DescentPoint, 'step'>
type Figures = Readonly<Record<Measure, number>>

/** Every measure, by what is made of it. */
const each = (of: (measure: Measure) => number): Figures => ({
  loss: of('loss'),
  gradient: of('gradient'),
  centred: of('centred'),
  slopeChange: of('slopeChange'),
  centredSlopeChange: of('centredSlopeChange'),
  meanDrift: of('meanDrift'),
})

const drawn = [
  { measure: 'gradient', y: 'norm of the gradient' },
  { measure: 'slopeChange', y: '‖g(w+δ) − g(w)‖ ÷ ‖δ‖' },
] as const

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** The mean over the seeds, which all measured the same steps. */
const meanTrace = (runs: readonly DescentPoint[][]): DescentPoint[] =>
  (runs[0] ?? []).map(({ step }, i) => ({ step, ...each((of) => meanOf(runs.map((run) => run[i]![of]))) }))

/** Means along the path; of the loss and the drift, the last. */
const figuresOf = (trace: readonly DescentPoint[]): Figures =>
  each((of) => (of === 'loss' || of === 'meanDrift' ? trace.at(-1)![of] : meanOf(trace.map((point) => point[of]))))

/** The first pair: SGD without and with. */
const chartOf = (
  title: string,
  y: string,
  measure: Measure,
  traces: ReadonlyMap<string, readonly DescentPoint[]>,
): string =>
  lineChartFile({
    title,
    x: 'step',
    y,
    scale: 'log',
    curves: [...traces].slice(0, 2).map(([name, trace]) => ({
      name,
      noisy: true,
      points: trace.map((point): [number, number] => [point.step, point[measure]]),
    })),
  })

const header = [
  'data',
  'network',
  'optimizer',
  'rate',
  'last loss',
  '‖g‖',
  '‖Φg‖',
  '‖Δg‖÷‖δ‖',
  '‖ΔΦg‖÷‖δ‖',
  "mean's drift",
]

const cells = (row: Figures & { data: string; network: string; optimizer: string; rate: number }) => [
  row.data,
  row.network,
  row.optimizer,
  String(row.rate),
  row.loss.toFixed(3),
  ...[row.gradient, row.centred, row.slopeChange, row.centredSlopeChange].map((value) => value.toPrecision(3)),
  row.meanDrift.toExponential(1),
]

const markdown = (rows: readonly (readonly string[])[]): string =>
  rows.map((row) => `| ${row.join(' | ')} |`).join('\n')

const first = (data: Dataset, count: number) =>
  subset(
    data,
    Array.from({ length: count }, (_, i) => i),
  )
