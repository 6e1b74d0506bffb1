import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, rmdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { writeFileAtomic } from '../../base/files.ts'
import { EspalierError, FormatError, messageOf, UsageError } from '../../base/index.ts'
import { takeLock } from '../../base/lock.ts'
import type { Model } from '../../onnx/index.ts'
import { loadCheckpoint, type Settings, saveCheckpoint, type TrainOptions } from '../../train/node.ts'
import { checkNoOtherRun, checkpointsFrom } from '../run-folder.ts'
import { defaultThreads } from '../runs.ts'
import type { PruneValues } from './flags.ts'

/** A prune that trains, as it is kept beside the file it will write. */
export type PruneRun = {
  /** How a stage of training goes on and saves itself, in the form that `train` takes. */
  stage(name: string, model: Model): Promise<Stage>
  /** What was found out by measuring, which another time would give otherwise. */
  decided<T>(name: string, decide: () => Promise<T>): Promise<T>
  /** Removes it all: the file is written. */
  finish(): Promise<void>
}

export type Stage = Pick<TrainOptions, 'resume' | 'save' | 'checkpointEvery' | 'checkpointSeconds'>

/** The folder of checkpoints of the file that a prune writes. */
export const runFolderOf = (out: string): string => `${out}.run`

/** Flags that change nothing of what comes out, or only where it goes. */
const free = new Set([
  ...['out', 'plan', 'verify', 'no-verify', 'dry-run', 'resume', 'overwrite', 'checkpoint-every'],
  ...['time-limit', 'memory-limit', 'json', 'help'],
])

/** What a resumed prune must have the same: the model's hash, and every flag by its name. */
export const pruneSettings = (values: PruneValues, model: string): Settings => {
  const flags = Object.entries<unknown>({ ...values, threads: values.threads ?? defaultThreads() })
  const text = (value: unknown) => (Array.isArray(value) ? value.join(' ') || null : value)
  return {
    MODEL: model,
    ...Object.fromEntries(
      flags.flatMap(([flag, given]) => {
        const value = text(given)
        if (free.has(flag)) return []
        return [[`--${flag}`, isSetting(value) ? value : null]]
      }),
    ),
  }
}

const isSetting = (value: unknown): value is string | number | boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'

const format = 'espalier-prune-run/1'

/** Runs a prune that trains, which no other may do into the same file in the meantime. */
export const inPruneRun = async <T>(
  out: string,
  settings: Settings,
  values: PruneValues,
  work: (run: PruneRun, resumed: boolean) => Promise<T>,
): Promise<T> => {
  await mkdir(dirname(resolve(out)), { recursive: true })
  const lock = await takeLock(out)
  try {
    const folder = runFolderOf(out)
    checkNoOtherRun(folder, ['run.json'], values)
    const file = join(folder, 'run.json')
    const resumed = values.resume && existsSync(file)
    if (resumed) await checkSettings(file, settings)
    else await clear(folder)
    // Written with the first checkpoint: what fails before leaves nothing behind.
    let begun: Promise<void> | undefined = resumed ? Promise.resolve() : undefined
    const begin = () => {
      begun ??= writeFileAtomic(file, `${JSON.stringify({ format, settings }, null, 1)}\n`)
      return begun
    }
    return await work(runIn(folder, values, begin), resumed)
  } finally {
    lock.release()
  }
}

const runIn = (folder: string, values: PruneValues, begin: () => Promise<void>): PruneRun => ({
  async stage(name, model) {
    const place = join(folder, name)
    const resume = await loadCheckpoint(place, {})
    return {
      ...checkpointsFrom(values),
      ...(resume && { resume }),
      save: async (state) => {
        await begin()
        return saveCheckpoint(place, state, model, {})
      },
    }
  },
  async decided<T>(name: string, decide: () => Promise<T>): Promise<T> {
    const file = join(folder, `${name}.json`)
    if (existsSync(file)) return readJson<T>(file)
    const found = await decide()
    await begin()
    await writeFileAtomic(file, `${JSON.stringify(found)}\n`)
    return found
  },
  finish: () => clear(folder),
})

const readJson = async <T>(file: string): Promise<T> => {
  try {
    const found: T = JSON.parse(await readFile(file, 'utf8'))
    return found
  } catch (error) {
    throw new FormatError(`cannot read: ${messageOf(error)}`, {
      place: { file },
      remedy: 'start anew with --overwrite',
      cause: error,
    })
  }
}

/** @throws UsageError naming the flag that was another when the run began */
const checkSettings = async (file: string, settings: Settings): Promise<void> => {
  const saved = await readJson<{ format?: unknown; settings?: Settings }>(file)
  if (saved.format !== format || !saved.settings)
    throw new EspalierError(`not of format ${format}`, { place: { file }, remedy: 'start anew with --overwrite' })
  const text = (flag: string, value: Settings[string] | undefined) =>
    value === null || value === undefined || value === false ? `without ${flag}` : `with ${flag} ${value}`
  for (const flag of new Set([...Object.keys(settings), ...Object.keys(saved.settings)])) {
    const [now, then] = [settings[flag] ?? null, saved.settings[flag] ?? null]
    if (now === then) continue
    throw new UsageError(`the run was started ${text(flag, then)}, not ${text(flag, now)}`, {
      place: { file },
      remedy: 'resume with the same flags, or start anew with --overwrite',
    })
  }
}

/** What a run keeps; the folder may hold other files, which stay. */
const kept = /^((run|latency)\.json(\..*\.tmp)?|round-\d+(-soft)?)$/

/** Removes what a run keeps, that by which it is known first. */
const clear = async (folder: string): Promise<void> => {
  await rm(join(folder, 'run.json'), { force: true })
  for (const name of await readdir(folder).catch(() => []))
    if (kept.test(name)) await rm(join(folder, name), { recursive: true, force: true })
  await rmdir(folder).catch(() => {})
}
