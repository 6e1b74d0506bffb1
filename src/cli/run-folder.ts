import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EspalierError, UsageError } from '../base/index.ts'
import { takeLock } from '../base/lock.ts'
import { clearCheckpoint } from '../train/node.ts'
import type { Effect } from './effects.ts'
import { limits, type Options } from './options.ts'

/** Flags of commands whose runs leave checkpoints. */
export const runOptions = {
  resume: { kind: 'flag', help: 'goes on from the checkpoint of --out, to the same weights as an unbroken run' },
  overwrite: { kind: 'flag', help: 'starts anew where --out holds another run' },
  'checkpoint-every': {
    kind: 'number',
    value: 'N',
    help: 'steps between checkpoints (an epoch, or 30 s)',
    min: 1,
    max: limits.count,
    whole: true,
  },
} as const satisfies Options

export const runEffects: readonly Effect<keyof typeof runOptions>[] = [{ flags: ['overwrite'], without: ['resume'] }]

type RunValues = {
  readonly resume: boolean
  readonly overwrite: boolean
  readonly 'checkpoint-every': number | undefined
}

/** When checkpoints are saved, in the form that `train` takes. */
export const checkpointsFrom = ({ 'checkpoint-every': steps }: RunValues) =>
  steps === undefined ? { checkpointSeconds: 30 } : { checkpointEvery: steps }

/** @throws UsageError where `path` holds what another run left and no flag decides what becomes of it. */
export const checkNoOtherRun = (path: string, files: readonly string[], { resume, overwrite }: RunValues): void => {
  const found = resume || overwrite ? undefined : files.find((name) => existsSync(join(path, name)))
  if (found)
    throw new UsageError(`holds another run (${found})`, {
      place: { file: path },
      remedy: 'give --resume to go on with it, --overwrite to start anew, or another --out',
    })
}

/** Files by which a folder is known to hold a run of `train`. */
const trainedFiles = ['checkpoint.json', 'metrics.jsonl', 'model.onnx', 'run.json']

/** Runs what writes into a folder, which no other run may do in the meantime. */
export const inRunFolder = async <T>(out: string, values: RunValues, work: () => Promise<T>): Promise<T> => {
  await mkdir(out, { recursive: true }).catch((error: unknown) => {
    throw new EspalierError('the folder cannot be made', {
      place: { file: out },
      remedy: 'name another with --out',
      cause: error,
    })
  })
  const lock = await takeLock(join(out, 'run'), out)
  try {
    checkNoOtherRun(out, trainedFiles, values)
    if (values.overwrite) await clearCheckpoint(out)
    return await work()
  } finally {
    lock.release()
  }
}
