import { Worker } from 'node:worker_threads'
import type { Limits } from './limits.ts'

/** What a watched process lets its parent know. */
export type Report =
  /** Its flags, once they are read. */
  | { readonly limits: Limits }
  /** What it does now; under 'train' no limit counts but one of memory that was asked for, under 'end' only that of silence. */
  | { readonly stage: string }
  /** That it goes on. */
  | { readonly alive: true }

let reporting = false
let latest = ''
let sent = 0

const send = (report: Report): void => {
  // A parent that is gone ends this process by itself.
  if (reporting && process.connected) process.send?.(report, undefined, undefined, () => {})
}

/** Lets the parent, where one watches, know what is being done. Work that reports its progress so may block the event loop. */
export const stage = (name: string): void => {
  const now = performance.now()
  if (name === latest && now - sent < 500) return
  ;[latest, sent] = [name, now]
  send({ stage: name })
}

/** The stage of what pruning reports of itself. */
export const onStage = ({ stage: name }: { readonly stage: string }): void => stage(name)

export const reportLimits = (limits: Limits): void => send({ limits })

/** File descriptor of the pipe whose other end the parent holds. */
export const lifeline = 4

/**
 * From now on the parent hears of this process: a sign of life every second that its event loop turns, and each stage. The
 * process ends when the parent does, even while the engine blocks it.
 */
export const startReporting = (): void => {
  reporting = true
  setInterval(() => send({ alive: true }), 1000).unref()
  new Worker(new URL('./lifeline.worker.js', import.meta.url), { workerData: lifeline }).unref()
}
