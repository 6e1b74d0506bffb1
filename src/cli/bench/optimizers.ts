import { basename, join } from 'node:path'
import { writeFileAtomic } from '../../base/files.ts'
import { UsageError } from '../../base/index.ts'
import { type Dataset, subset } from '../../data/index.ts'
import { checkSpec, loadDataset } from '../../data/node.ts'
import { networkNamed } from '../../nn/index.ts'
import { parseSchedule } from '../../optim/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import {
  type Arena,
  ablations,
  type Budget,
  contest,
  differences,
  entrantOf,
  finished,
  openResults,
  type ResultsFile,
  standardField,
  summarise,
  type TrialResult,
} from '../../train/node.ts'
import { bar, type Console, duration } from '../console.ts'
import type { Effect } from '../effects.ts'
import { limits, type Options, type Parsed } from '../options.ts'
import { checkFolder } from '../outputs.ts'
import { timeOptimizers } from './optimizer-times.ts'
import { arenaCurves, contestPage, contestText, curvesFile } from './optimizers-page.ts'

/** Flags of `espalier bench optimizers`, beside those of every bench. */
export const contestOptions = {
  data: {
    kind: 'list',
    value: 'SPEC',
    help: 'optimizers: samples to train on, mnist, idx:DIR … (mnist)',
    check: checkSpec,
  },
  ablations: { kind: 'flag', help: "optimizers: also Ranger's and modern Ranger's parts, one in or out at a time" },
  schedule: {
    kind: 'list',
    value: 'TEXT',
    help: 'optimizers: schedules tried (flat-cosine and one-cycle)',
    check: (text: string) => parseSchedule(text, { steps: 1e9, stepsPerEpoch: 1 }),
  },
  rates: {
    kind: 'number',
    value: 'N',
    help: 'optimizers: rates tried with each schedule (4)',
    min: 1,
    max: 100,
    whole: true,
  },
  seeds: {
    kind: 'number',
    value: 'N',
    help: 'optimizers: runs with the best setting (5)',
    min: 1,
    max: 1000,
    whole: true,
  },
  epochs: {
    kind: 'number',
    value: 'N',
    help: 'optimizers: passes over the samples (3)',
    min: 1,
    max: limits.epochs,
    whole: true,
  },
  samples: {
    kind: 'number',
    value: 'N',
    help: 'optimizers: samples trained on (2000)',
    min: 1,
    max: limits.count,
    whole: true,
  },
  validation: {
    kind: 'number',
    value: 'N',
    help: 'optimizers: further ones to choose by (2000)',
    min: 1,
    max: limits.count,
    whole: true,
  },
  test: {
    kind: 'number',
    value: 'N',
    help: 'optimizers: test samples, evenly spread (5000)',
    min: 1,
    max: limits.count,
    whole: true,
  },
  table: {
    kind: 'flag',
    help: 'optimizers: makes no runs, only the table of those in --out (of the kind that flags name)',
  },
  out: { kind: 'text', value: 'DIR', help: 'optimizers: folder of the results, to which a further run adds' },
} as const satisfies Options

export const contestEffects: readonly Effect<keyof typeof contestOptions>[] = [
  { flags: ['data', 'seeds', 'samples', 'out'], with: ['optimizers', 'centralization'] },
  { flags: ['ablations', 'schedule', 'rates', 'epochs', 'validation', 'test', 'table'], with: ['optimizers'] },
]

export type ContestValues = Parsed<typeof contestOptions> & {
  readonly network: readonly string[]
  readonly optimizer: readonly string[]
  readonly batch: number | undefined
  readonly threads: number | undefined
  /** Watched, in the bench of centralization. */
  readonly steps: number
}

/** Small enough that a run takes a second or two; each is of another kind. */
const standardNetworks = ['lenet-300-100', 'resnet-small', 'resnet-small-plain', 'seed-cnn']

export const benchOptimizers = async (values: ContestValues, console: Console) => {
  const out = values.out ?? 'runs/optimizers'
  await checkFolder(out)
  const file = await openResults(join(out, 'results.jsonl'))
  const results = values.table
    ? finished(file.known.filter(madeWith(values)), budgetOf(values))
    : await compete(values, file, console)
  if (results.length === 0)
    throw new UsageError(`no optimizer has finished a contest of that kind in '${out}'`, {
      remedy: 'leave --table away to make the runs, or give the flags with which they were made',
    })

  const own = new Set<string>(values.optimizer.length > 0 ? values.optimizer : standardField)
  const field = results.filter(({ optimizer }) => own.has(optimizer))
  const summary = summarise(field)
  const everyone = summarise(results)
  const parts = ablations.flatMap((ablation) => {
    const found = differences(everyone, ablation.base, ablation.variant)
    return found.length > 0 ? [{ ...ablation, found }] : []
  })
  console.progress('timing the steps …')
  const [networks, names] = [unique(field, 'network'), unique(field, 'optimizer')]
  const pass = { batch: results[0]?.batch ?? 25, threads: values.threads ?? 1 }
  const times = await timeOptimizers(networks, names.map(entrantOf), pass)

  console.say(contestText(summary, parts, times))
  await writeFileAtomic(join(out, 'results.md'), contestPage(summary, parts, times))
  for (const arena of summary) await writeFileAtomic(join(out, curvesFile(arena)), arenaCurves(arena))
  console.say()
  console.say(`results.jsonl, results.md and the curves are in ${out}`)
  return { arenas: summary, ablations: parts, times }
}

const unique = (results: readonly TrialResult[], of: 'network' | 'optimizer'): string[] => [
  ...new Set(results.map((result) => result[of])),
]

/** What every optimizer is given, as far as the flags say. */
const budgetOf = ({ schedule, rates, seeds }: ContestValues): Budget => ({
  ...(schedule.length > 0 && { schedules: schedule }),
  ...(rates !== undefined && { rates }),
  ...(seeds !== undefined && { seeds }),
})

/** How long runs are and what they are measured on. */
const lengths = { samples: 2000, validation: 2000, test: 5000, epochs: 3, batch: 25 }

const lengthsOf = ({ samples, validation, test, epochs, batch }: ContestValues) => ({
  samples: samples ?? lengths.samples,
  validation: validation ?? lengths.validation,
  test: test ?? lengths.test,
  epochs: epochs ?? lengths.epochs,
  batch: batch ?? lengths.batch,
})

/** Whether a run is of the lengths that flags ask for. */
const madeWith = (values: ContestValues) => (result: TrialResult) =>
  (['samples', 'validation', 'test', 'epochs', 'batch'] as const).every(
    (length) => values[length] === undefined || values[length] === result[length],
  )

/** Makes the runs that are not in the file yet. */
const compete = async (values: ContestValues, file: ResultsFile, console: Console): Promise<TrialResult[]> => {
  const field = values.optimizer.length > 0 ? values.optimizer : standardField
  const names = [...new Set([...field, ...(values.ablations ? ablations.map(({ variant }) => variant) : [])])]
  const entrants = names.map(entrantOf)
  const networks = values.network.length > 0 ? values.network : standardNetworks
  const specs = values.data.length > 0 ? values.data : ['mnist']
  const arenas = (await Promise.all(specs.map((spec) => arenasOf(spec, networks, values)))).flat()
  const pace = { from: performance.now(), made: 0 }
  return contest(arenas, entrants, {
    runtime: nodeRuntime,
    threads: values.threads ?? 1,
    ...budgetOf(values),
    ...lengthsOf(values),
    curveSamples: 500,
    known: file.known,
    save: file.save,
    onEvent({ result, known, done, of }) {
      if (!known) pace.made++
      const perRun = (performance.now() - pace.from) / 1000 / Math.max(1, pace.made)
      const { data, network, optimizer, accuracy } = result
      console.progress(
        `${bar(done / of)}  run ${done}/${of}  ${data} ${network} ${optimizer} ${(100 * accuracy).toFixed(1)} %  ${(60 / perRun).toFixed(0)} runs/min  ${duration((of - done) * perRun)} left`,
      )
    },
  })
}

/** What results call the data: a folder's own name, so that they say nothing of where it lies. */
export const dataName = (spec: string): string => basename(spec.replace(/^[a-z]+:/, '')).replace(/\.[a-z]+$/, '')

const arenasOf = async (spec: string, networks: readonly string[], values: ContestValues): Promise<Arena[]> => {
  const { train, test } = await loadDataset(spec)
  const { samples, validation, test: measured } = lengthsOf(values)
  if (samples + validation > train.size)
    throw new UsageError(
      `'${spec}' has ${train.size} training samples, not ${samples} and ${validation} to choose by`,
      { remedy: 'make --samples or --validation smaller' },
    )
  if (measured > test.size)
    throw new UsageError(`'${spec}' has ${test.size} test samples, not ${measured}`, { remedy: 'make --test smaller' })
  const data = dataName(spec)
  const parts = {
    train: part(train, samples, (i) => i),
    validation: part(train, validation, (i) => samples + i),
    test: spread(test, measured),
  }
  return networks.map((name) => {
    const network = networkNamed(name)
    return { data, network: name, ...parts, build: (seed) => network.build({ seed, classes: train.classes.length }) }
  })
}

const part = (data: Dataset, count: number, indexOf: (i: number) => number) =>
  subset(
    data,
    Array.from({ length: count }, (_, i) => indexOf(i)),
  )

/** Evenly spread: MNIST's first 5000 test images are easier than the rest. */
const spread = (data: Dataset, count: number) => part(data, count, (i) => Math.floor((i * data.size) / count))
