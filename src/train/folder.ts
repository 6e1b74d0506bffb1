import { createHash } from 'node:crypto'
import { open, readdir, readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { writeFileAtomic } from '../base/files.ts'
import { FormatError, float32, float32Of, type Tensor, UsageError } from '../base/index.ts'
import type { BatchesState } from '../data/index.ts'
import { readSafetensors, writeSafetensors } from '../formats/file.ts'
import type { Model } from '../onnx/index.ts'
import type { OptimizerScalars } from '../optim/index.ts'
import type { TrainState } from './trainer.ts'

/** What `checkpoint.json` says; the tensors lie in the safetensors file it names. */
export type Checkpoint = {
  readonly format: 'espalier-checkpoint/1'
  readonly step: number
  /** The tensors' file, beside this one, and its SHA-256. */
  readonly tensors: string
  readonly sha256: string
  readonly batches: BatchesState
  readonly optimizer: OptimizerScalars
  /** The run's settings: a resumed run must have the same. */
  readonly settings: Settings
}

export type Settings = { readonly [name: string]: string | number | boolean | null }

const checkpointName = 'checkpoint.json'

/**
 * Saves a run's state into a folder. The tensors are written first, under a name of their own, and `checkpoint.json` is
 * then put in place whole: whenever the process dies, it names a complete pair. Older tensors go last.
 * @returns the path of the checkpoint.
 */
export const saveCheckpoint = async (
  folder: string,
  state: TrainState,
  model: Model,
  settings: Settings,
): Promise<string> => {
  const name = `checkpoint-${String(state.step).padStart(7, '0')}.safetensors`
  const weights = [...state.weights].map(([key, values]): [string, Tensor] => [
    `weight:${key}`,
    float32(model.graph.initializers.get(key)!.dims, values),
  ])
  const slots = [...state.optimizer.tensors].map(([key, tensor]): [string, Tensor] => [`optimizer:${key}`, tensor])
  await writeSafetensors(join(folder, name), new Map([...weights, ...slots]), { format: 'espalier-checkpoint/1' })
  const checkpoint: Checkpoint = {
    format: 'espalier-checkpoint/1',
    step: state.step,
    tensors: name,
    sha256: await sha256Of(join(folder, name)),
    batches: state.batches,
    optimizer: state.optimizer.scalars,
    settings,
  }
  const path = join(folder, checkpointName)
  await writeFileAtomic(path, `${JSON.stringify(checkpoint, null, 1)}\n`)
  for (const other of await readdir(folder))
    if (/^checkpoint-\d+\.safetensors$/.test(other) && other !== name) await rm(join(folder, other), { force: true })
  return path
}

const sha256Of = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')

/**
 * Reads the checkpoint of a folder, where there is one.
 * @throws FormatError when it is damaged; UsageError when the run was started with other settings.
 */
export const loadCheckpoint = async (folder: string, settings: Settings): Promise<TrainState | undefined> => {
  const path = join(folder, checkpointName)
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const saved = parse(text, path)
  for (const [name, value] of Object.entries(settings))
    if (saved.settings[name] !== value)
      throw new UsageError(`the run in this folder was started with ${name} ${saved.settings[name]}, not ${value}`, {
        place: { file: path },
        remedy: 'resume with the same settings, or start anew in another folder',
      })
  const file = join(folder, saved.tensors)
  if ((await sha256Of(file).catch(() => '')) !== saved.sha256)
    throw new FormatError('the tensors of the checkpoint are missing or damaged', {
      place: { file },
      remedy: 'start the run anew in another folder',
    })
  const { tensors } = await readSafetensors(file)
  const withPrefix = (prefix: string) =>
    [...tensors].flatMap(([name, tensor]): [string, Tensor][] =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [],
    )
  return {
    step: saved.step,
    batches: saved.batches,
    weights: new Map(withPrefix('weight:').map(([name, tensor]) => [name, float32Of(tensor)])),
    optimizer: { tensors: new Map(withPrefix('optimizer:')), scalars: saved.optimizer },
  }
}

const parse = (text: string, path: string): Checkpoint => {
  try {
    const saved: Checkpoint = JSON.parse(text)
    const whole =
      saved.format === 'espalier-checkpoint/1' &&
      Number.isInteger(saved.step) &&
      saved.tensors === basename(saved.tensors) &&
      typeof saved.settings === 'object'
    if (whole) return saved
  } catch {
    // Said below, with the file's name.
  }
  throw new FormatError('this is no checkpoint of format espalier-checkpoint/1', {
    place: { file: path },
    remedy: 'delete it to start the run anew',
  })
}

/** A JSON-lines file that grows as a run goes: one object a line, each with its `step`. */
export type Journal = { write(line: { readonly step: number }): Promise<void>; close(): Promise<void> }

/** Opens a journal; lines past `step` are dropped, so that a resumed run does not tell them twice. */
export const openJournal = async (path: string, step = 0): Promise<Journal> => {
  const old = step > 0 ? await readFile(path, 'utf8').catch(() => '') : ''
  const kept = old.split('\n').filter((line) => stepOf(line) <= step)
  await writeFileAtomic(path, kept.map((line) => `${line}\n`).join(''))
  const file = await open(path, 'a')
  return {
    write: async (line) => void (await file.write(`${JSON.stringify(line)}\n`)),
    close: () => file.close(),
  }
}

/** The step of a line; a line cut short by a kill is dropped. */
const stepOf = (line: string): number => {
  try {
    const parsed: { step?: unknown } = JSON.parse(line)
    return typeof parsed.step === 'number' ? parsed.step : Number.POSITIVE_INFINITY
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
