import { type ChildProcess, fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Job, Report } from './messages.ts'
import type { Target } from './target.ts'

/** A case whose property does not hold. */
export type Failure = { readonly target: string; readonly seed: number; readonly problem: string }

export type SliceResult = {
  /** How many cases ended, and how. */
  readonly cases: number
  readonly outcomes: ReadonlyMap<string, number>
  readonly failures: readonly Failure[]
  /** The seed after the last case that was begun. */
  readonly next: number
}

/** A process that has this much is ended, whatever its target allows: the machine has other work. */
const mostMegabytes = 4096

/** What the process that makes the cases' shared parts may take for it, in seconds. */
const openSeconds = 120

/** Resident memory of a process in MiB, where the system tells it. */
const memoryOf = (pid: number): number => {
  try {
    const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Number(kilobytes ?? 0) / 1024
  } catch {
    return 0
  }
}

/** Process groups under way, to be ended with this process. */
const running = new Set<number>()

const kill = (child: ChildProcess) => {
  if (child.pid === undefined) return
  try {
    // The group: cases may have started processes of their own.
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    child.kill('SIGKILL')
  }
}

export const killAll = (): void => {
  for (const pid of running)
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // It has ended already.
    }
}

/**
 * Runs cases in a process of their own, for some seconds or until so many are done. A case that hangs, takes too much
 * memory or ends the process is a failure like any other, and ends the slice.
 */
export const runSlice = async (
  target: Target,
  {
    seed,
    seconds,
    cases = Number.MAX_SAFE_INTEGER,
    keep,
  }: { seed: number; seconds: number; cases?: number; keep?: string },
): Promise<SliceResult> => {
  const folder = await mkdtemp(join(tmpdir(), `espalier-fuzz-${target.name}-`))
  const job: Job = { target: target.name, seed, seconds, cases, folder, ...(keep !== undefined && { keep }) }
  const child = fork(join(import.meta.dirname, 'child.js'), [JSON.stringify(job)], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: ['--max-old-space-size=2048'],
  })
  if (child.pid !== undefined) running.add(child.pid)

  const outcomes = new Map<string, number>()
  const failures: Failure[] = []
  let [count, next, done] = [0, seed, false]
  let current: number | undefined
  let since = performance.now()
  let ended = ''
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = `${errors}${text}`.slice(-4000)
  })
  child.on('message', (message: Report) => {
    since = performance.now()
    if (message.type === 'start') {
      current = message.seed
      next = message.seed + 1
    } else if (message.type === 'end') {
      current = undefined
      count++
      outcomes.set(message.outcome, (outcomes.get(message.outcome) ?? 0) + 1)
    } else if (message.type === 'failure') {
      current = undefined
      count++
      failures.push({ target: target.name, seed: message.seed, problem: message.problem })
    } else if (message.type === 'done') done = true
  })
  const watch = setInterval(() => {
    const elapsed = (performance.now() - since) / 1000
    const limit = current === undefined ? openSeconds : target.limits.seconds
    if (elapsed > limit) ended = `time: it did not end within ${limit} s`
    else if (child.pid !== undefined && memoryOf(child.pid) > mostMegabytes) ended = `memory: over ${mostMegabytes} MiB`
    if (ended !== '') kill(child)
  }, 200)

  const [code, signal] = await new Promise<[number | null, string | null]>((exited) => {
    child.on('error', (error) => {
      errors += error.message
      exited([null, null])
    })
    child.on('close', (...how) => exited(how))
  })
  clearInterval(watch)
  // Processes that its cases left behind.
  kill(child)
  if (child.pid !== undefined) running.delete(child.pid)
  await rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => {})

  if (!done) {
    const how = ended || `crash: the process ended with ${signal ?? `code ${code}`}${errors && `\n${errors}`}`
    failures.push({ target: target.name, seed: current ?? next, problem: how })
    count++
    // Where not even the shared parts can be made, going on at the same seed would not end.
    if (current === undefined) next++
  }
  return { cases: count, outcomes, failures, next }
}
