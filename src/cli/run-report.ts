import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ParameterState } from '../autodiff/index.ts'
import { writeFileAtomic } from '../base/files.ts'
import { sizeOf } from '../base/index.ts'
import { type Provenance, type RunLine, renderReport, runReport } from '../report/index.ts'
import type { Settings } from '../train/node.ts'
import type { Option, Options } from './options.ts'
import { quoted } from './quoted.ts'

export type TrainedRun = {
  readonly model: string
  /** Samples trained on. */
  readonly samples: number
  readonly parameters: readonly ParameterState[]
  readonly values: {
    readonly data: string | undefined
    readonly optimizer: string
    readonly loss: string
    readonly epochs: number
  }
  readonly settings: Settings
  readonly command: string
  readonly seconds?: number
}

/** Writes a training run's page beside its journal, from which the curves come. @returns the page's path. */
export const writeRunReport = async (folder: string, run: TrainedRun): Promise<string> => {
  const journal = await readFile(join(folder, 'metrics.jsonl'), 'utf8').catch(() => '')
  const lines = journal
    .split('\n')
    .filter((line) => line !== '')
    .map((line): RunLine => JSON.parse(line))
  const { model, samples, values } = run
  const report = runReport(lines, {
    ...{ model, samples, optimizer: values.optimizer, lossName: values.loss, epochs: values.epochs },
    ...(values.data !== undefined && { dataset: values.data }),
    parameters: weightsOf(run.parameters),
    trained: weightsOf(run.parameters.filter(({ reason }) => reason === undefined)),
    made: madeBy(run),
  })
  const path = join(folder, 'report.html')
  await writeFileAtomic(path, renderReport(report))
  return path
}

const weightsOf = (parameters: readonly ParameterState[]): number =>
  parameters.reduce((sum, { dims }) => sum + sizeOf(dims), 0)

/** The command line, and the settings as they were in the end, defaults included. */
const madeBy = ({ command, settings, seconds }: TrainedRun): Provenance => ({
  command,
  date: `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`,
  ...(seconds !== undefined && { seconds }),
  settings: Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) =>
      value === null || value === '' || unsaid.includes(name) ? [] : [[name, value] as const],
    ),
  ),
  versions: { Node: process.version.slice(1) },
})

/** What would be too long for the page; `run.json` has it. */
const unsaid = ['model', 'trainable', 'preprocessing']

/** A command line again: flags whose values are the default's are left out, as are those that only say how to go on. */
export const commandLine = (
  words: readonly string[],
  values: { readonly [flag: string]: unknown },
  options: Options,
): string => {
  const flags = Object.entries<Option>(options).flatMap(([flag, option]) => {
    const value = values[flag]
    if (flag === 'resume' || flag === 'overwrite' || value === undefined || value === false) return []
    if ('default' in option && value === option.default) return []
    if (value === true) return [`--${flag}`]
    return (Array.isArray(value) ? value : [value]).flatMap((one) => [`--${flag}`, String(one)])
  })
  return ['espalier', ...words, ...flags].map(quoted).join(' ')
}
