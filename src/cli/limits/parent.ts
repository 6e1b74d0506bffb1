import { fork } from 'node:child_process'
import { readdir, rm, stat } from 'node:fs/promises'
import { constants } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { visible } from '../../base/index.ts'
import { sameWish } from '../interrupt.ts'
import { defaultLimits } from './limits.ts'
import { type Ending, type Exceeded, watch } from './watch.ts'

const childFile = fileURLToPath(new URL('./child.js', import.meta.url))

/** How long a process may take to end itself after it was asked to: once, or twice where it has a step to finish. */
const patience = 500

/**
 * Runs a command line in a process of its own, which shares this one's streams, and watches its time and memory.
 * @returns the exit code: the child's own, or 1 where it had to be ended
 */
export const runWatched = async (argv: readonly string[]): Promise<number> => {
  // In a group of its own: Ctrl-C, which a terminal sends to all of a group, comes to this process alone and is passed on.
  const child = fork(childFile, argv, {
    detached: process.platform !== 'win32',
    stdio: ['inherit', 'inherit', 'inherit', 'ipc', 'pipe'],
  })
  const watched = watch(child, defaultLimits)

  let asked: { readonly signal: 'SIGINT' | 'SIGTERM' | 'SIGQUIT'; readonly at: number } | undefined
  // A hangup ends this process, and so the other, unless it was started to ignore it (nohup).
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT'] as const)
    process.on(signal, () => {
      const again = asked && performance.now() - asked.at >= sameWish
      asked ??= { signal, at: performance.now() }
      child.kill(signal)
      // The engine may block the child, which cannot even hear the signal then.
      if (again || watched.stage() !== 'train') setTimeout(() => child.kill('SIGKILL'), patience).unref()
    })
  // Where nobody reads errors, the exit code remains.
  process.stderr.on('error', () => {})
  if (process.platform !== 'win32')
    process.on('SIGTSTP', () => {
      child.kill('SIGSTOP')
      process.kill(process.pid, 'SIGSTOP')
    })
  process.on('SIGCONT', () => {
    watched.resumed()
    child.kill('SIGCONT')
  })

  const ending = await watched.ended
  if (ending.code !== null) return ending.code
  await removeTemporaries(argv, child.pid ?? 0)
  const { exceeded } = ending
  if (!exceeded && asked) return 128 + constants.signals[asked.signal]
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K')
  process.stderr.write(`espalier: ${visible(exceeded ? exceededText(exceeded) : crashText(ending))}\n`)
  return 1
}

export const exceededText = ({ limit, most, stage }: Exceeded): string => {
  if (limit === 'memory')
    return `memory limit of ${sizeText(most)} reached (stage: ${stage}); raise it with --memory-limit SIZE`
  if (limit === 'time') return `time limit of ${most} s reached (stage: ${stage}); raise it with --time-limit SECONDS`
  return `no answer from the model for ${most} s (stage: ${stage}); give --time-limit SECONDS to wait longer`
}

export const crashText = ({ signal, stage }: Pick<Ending, 'signal' | 'stage'>): string =>
  signal === 'SIGKILL'
    ? `ended from outside, as the system does when memory runs out (stage: ${stage}); close other programs or use a smaller model`
    : `the engine crashed with ${signal} (stage: ${stage}); check that the file is whole`

const sizeText = (bytes: number) =>
  bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${Number((bytes / 1e9).toFixed(1))} GB`

/** Removes what a killed process left of files that it was writing: beside each path of its arguments, and within. */
const removeTemporaries = async (argv: readonly string[], pid: number): Promise<void> => {
  const own = new RegExp(`\\.${pid}(-[0-9a-f]{8})?\\.[0-9a-f]{8}\\.(tmp|lock)$`)
  const removeIn = async (folder: string, start = '') => {
    for (const name of await readdir(folder).catch(() => []))
      if (name.startsWith(start) && own.test(name)) await rm(join(folder, name), { force: true }).catch(() => {})
  }
  for (const word of argv) {
    const path = /^--[\w-]+=(.+)$/s.exec(word)?.[1] ?? word
    if (path.startsWith('-') || path === '') continue
    await removeIn(dirname(path), basename(path))
    if ((await stat(path).catch(() => undefined))?.isDirectory()) await removeIn(path)
  }
}
