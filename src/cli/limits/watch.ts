import { type ChildProcess, execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { type Limits, memoryShare } from './limits.ts'
import type { Report } from './report.ts'

/** Which limit a process passed, and in what stage. */
export type Exceeded = {
  readonly limit: 'time' | 'silence' | 'memory'
  /** Seconds or bytes. */
  readonly most: number
  readonly stage: string
}

/** How a watched process ended. */
export type Ending = {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stage: string
  readonly exceeded?: Exceeded
}

export type Watch = {
  readonly ended: Promise<Ending>
  /** What the process does now. */
  stage(): string
  /** Time in which the machine or the process stood still does not count. */
  resumed(): void
}

/** Milliseconds between two looks: an engine that fills memory takes some hundred megabytes in this time. */
const interval = 25

/** Watches a child process and kills it when it passes a limit. What the child reports of itself moves the limits. */
export const watch = (child: ChildProcess, first: Limits): Watch => {
  const share = memoryShare()
  let limits = first
  let stage = 'start'
  let exceeded: Exceeded | undefined
  let spent = 0
  let [seen, alive] = [performance.now(), performance.now()]

  child.on('message', (report: Report) => {
    alive = performance.now()
    if ('limits' in report) limits = report.limits
    if ('stage' in report) stage = report.stage
  })

  const exceed = (limit: Exceeded['limit'], most: number) => {
    exceeded ??= { limit, most, stage }
    child.kill('SIGKILL')
  }
  const readMemory = memoryReader(child.pid ?? 0)
  const timer = setInterval(() => {
    const now = performance.now()
    const past = now - seen
    seen = now
    // This process slept, and so did the other.
    if (past > 5000) alive += past
    else if (stage !== 'train') spent += past
    if (stage === 'train') alive = now
    const { seconds, silence, memory } = limits
    const most = memory ?? (stage === 'train' ? undefined : share)
    // Its outcome is known and being printed: a second one would contradict it.
    if (stage === 'end' && now - alive <= silence * 1000) return
    if (seconds !== undefined && spent > seconds * 1000) exceed('time', seconds)
    else if (now - alive > silence * 1000) exceed('silence', silence)
    else if (most !== undefined && readMemory() > most) exceed('memory', most)
  }, interval)

  const ended = new Promise<Ending>((done, failed) => {
    child.on('error', failed)
    child.on('exit', () => clearInterval(timer))
    // Not before its last messages are read.
    child.on('close', (code, signal: NodeJS.Signals | null) => {
      done({ code, signal, stage, ...(exceeded && { exceeded }) })
    })
  })
  return {
    ended,
    stage: () => stage,
    resumed() {
      alive = seen = performance.now()
    },
  }
}

/** Bytes of memory a process holds: at once on Linux, elsewhere as `ps` gave it last; 0 where neither is known. */
const memoryReader = (pid: number): (() => number) => {
  if (process.platform === 'linux') return () => residentSize(pid)
  if (process.platform === 'win32') return () => 0
  let [latest, asking, asked] = [0, false, 0]
  return () => {
    const now = performance.now()
    if (!asking && now - asked > 200) {
      ;[asking, asked] = [true, now]
      execFile('ps', ['-o', 'rss=', '-p', `${pid}`], (error, text) => {
        asking = false
        if (!error) latest = Number(text) * 1024
      })
    }
    return latest
  }
}

const residentSize = (pid: number): number => {
  try {
    const [, kilobytes = '0'] = /^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? []
    return Number(kilobytes) * 1024
  } catch {
    return 0
  }
}
