import { createHash } from 'node:crypto'
import { type FileHandle, open, readdir, readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { writeFileAtomic } from '../base/files.ts'
import { EspalierError, FormatError, float32, float32Of, messageOf, type Tensor, UsageError } from '../base/index.ts'
import type { BatchesState } from '../data/index.ts'
import { readSafetensors, writeSafetensors } from '../formats/file.ts'
import type { Model } from '../onnx/index.ts'
import type { OptimizerScalars } from '../optim/index.ts'
import type { TrainState } from './trainer.ts'

/** What `checkpoint.json` says; the tensors lie in the safetensors file it names. */
export type Checkpoint = {
  readonly format: 'espalier-checkpoint/1'
  readonly step: number
  /** The last loss on a training batch; null where it is no number. */
  readonly loss: number | null
  /** The tensors' file, beside this one, and its SHA-256. */
  readonly tensors: string
  readonly sha256: string
  readonly batches: BatchesState
  readonly optimizer: OptimizerScalars
  /** Given where the evaluation of this step has yet to be made. */
  readonly evaluationDue?: boolean
  /** The run's settings: a resumed run must have the same. */
  readonly settings: Settings
}

export type Settings = { readonly [name: string]: string | number | boolean | null }

const checkpointName = 'checkpoint.json'

/** A file of tensors, or what a killed run left of one half written. */
const tensorsName = /^checkpoint-\d+\.safetensors(\.\d+(-[0-9a-f]+)?\.[0-9a-f]+\.tmp)?$/

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
    loss: Number.isFinite(state.loss) ? state.loss : null,
    tensors: name,
    sha256: await sha256Of(join(folder, name)),
    batches: state.batches,
    optimizer: state.optimizer.scalars,
    ...(state.evaluationDue && { evaluationDue: true }),
    settings,
  }
  const path = join(folder, checkpointName)
  await writeFileAtomic(path, `${JSON.stringify(checkpoint, null, 1)}\n`)
  await removeTensors(folder, name)
  return path
}

/** Removes the checkpoint of a folder, where there is one. */
export const clearCheckpoint = async (folder: string): Promise<void> => {
  await rm(join(folder, checkpointName), { force: true })
  await removeTensors(folder)
}

/** Removes files of tensors, all but one. */
const removeTensors = async (folder: string, kept?: string): Promise<void> => {
  for (const name of await readdir(folder))
    if (tensorsName.test(name) && name !== kept) await rm(join(folder, name), { force: true })
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
    loss: saved.loss ?? Number.NaN,
    batches: saved.batches,
    ...(saved.evaluationDue === true && { evaluationDue: true }),
    weights: new Map(withPrefix('weight:').map(([name, tensor]) => [name, float32Of(tensor)])),
    optimizer: { tensors: new Map(withPrefix('optimizer:')), scalars: saved.optimizer },
  }
}

const isRecord = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value)

const parse = (text: string, path: string): Checkpoint => {
  try {
    const saved: Checkpoint = JSON.parse(text)
    const whole =
      saved.format === 'espalier-checkpoint/1' &&
      Number.isInteger(saved.step) &&
      saved.tensors === basename(saved.tensors) &&
      [saved.batches, saved.optimizer, saved.optimizer.steps, saved.optimizer.links, saved.settings].every(isRecord) &&
      Number.isInteger(saved.batches.position)
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
export type Journal = {
  /** Puts a line behind those before it, without waiting. */
  write(line: { readonly step: number }): void
  /** Waits until every line is in the file. @throws EspalierError when one could not be written. */
  flush(): Promise<void>
  close(): Promise<void>
}

/**
 * A journal. The file is touched at the first line: those past `step` are dropped then, so that a resumed run does not
 * write them twice, and with step 0 all are. An evaluation of that step that is due is dropped as well.
 */
export const openJournal = (path: string, step = 0, evaluationDue = false): Journal => {
  let file: FileHandle | undefined
  let waiting: string[] = []
  let work: Promise<void> = Promise.resolve()
  const start = async () => {
    const old = step > 0 ? await readFile(path, 'utf8').catch(() => '') : ''
    const kept = old.split('\n').filter((line) => {
      const found = parsedLine(line)
      return found.step < step || (found.step === step && !(evaluationDue && found.type === 'evaluation'))
    })
    await writeFileAtomic(path, kept.map((line) => `${line}\n`).join(''))
    return open(path, 'a')
  }
  const drain = async () => {
    file ??= await start()
    const lines = waiting.join('')
    waiting = []
    await file.writeFile(lines).catch((error: unknown) => {
      throw new EspalierError(`cannot write: ${messageOf(error)}`, {
        place: { file: path },
        remedy: 'check that the disk has room, then resume the run',
        cause: error,
      })
    })
  }
  return {
    write(line) {
      // Lines that come while others are being written go together in the next write.
      if (waiting.push(`${JSON.stringify(line)}\n`) > 1) return
      work = work.then(drain)
      // Said by the next flush.
      work.catch(() => {})
    },
    flush: () => work,
    async close() {
      await work.catch(() => {})
      await file?.close()
    },
  }
}

/** The step and type of a line; a line cut short by a kill belongs to no step that was reached. */
const parsedLine = (line: string): { step: number; type: unknown } => {
  try {
    const { step, type }: { step?: unknown; type?: unknown } = JSON.parse(line)
    return { step: typeof step === 'number' ? step : Number.POSITIVE_INFINITY, type }
  } catch {
    return { step: Number.POSITIVE_INFINITY, type: undefined }
  }
}
