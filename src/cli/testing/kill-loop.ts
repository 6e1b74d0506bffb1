import { spawn } from 'node:child_process'
import { random } from '../../base/index.ts'
import { main } from './cli.ts'

export type KillLoop = {
  /** Where it runs. */
  readonly folder: string
  /** What follows `espalier`: a command line that may be started again whatever became of it, such as one with --resume. */
  readonly command: readonly string[]
  readonly kills: number
  readonly seed: number
  /** Milliseconds after its start within which it is killed. */
  readonly within: number
}

/**
 * Starts a command again and again and kills it, as a power cut would, at random moments; in the end it is left to finish.
 * @returns how often it was killed, and how often it was done before it could be
 * @throws when it ends with anything but success where it was not killed
 */
export const killLoop = async ({ folder, command, kills, seed, within }: KillLoop) => {
  const dice = random(seed)
  const counts = { killed: 0, finished: 0 }
  while (counts.killed < kills) {
    if ((await runKilled(folder, command, dice.below(within))) === 'SIGKILL') counts.killed++
    else counts.finished++
    if (counts.finished > 4 * kills) throw new Error(`done within ${within} ms again and again: kill it sooner`)
  }
  await runKilled(folder, command)
  return { ...counts, finished: counts.finished + 1 }
}

/** @returns the signal that ended it; none where it ended by itself */
const runKilled = (folder: string, command: readonly string[], after?: number): Promise<NodeJS.Signals | null> =>
  new Promise((done, failed) => {
    const child = spawn(process.execPath, [main, ...command], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
    const timer = after === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), after)
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      if (code === 0 || signal === 'SIGKILL') done(signal)
      else failed(new Error(`${command.join(' ')} ended with ${code ?? signal}: ${errors}`))
    })
  })
