import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/**
 * A running process by a name that no process before or after it has: its id and a digest of when it was started, since the
 * system gives ids out again. Nothing where no such process runs.
 */
export const processName = (pid: number = process.pid): string | undefined => {
  const started = startOf(pid)
  if (started === undefined) return undefined
  return `${pid}-${createHash('sha256').update(started).digest('hex').slice(0, 8)}`
}

/** Whether the process of a name, or of an id alone, still runs. */
export const isRunning = (name: string): boolean => {
  const found = processName(Number.parseInt(name, 10))
  return name.includes('-') ? found === name : found !== undefined
}

/** When a process was started, in the system's own words; empty where the system does not give it. */
const startOf = (pid: number): string | undefined => {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // Another user's process runs, but may not be signalled.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return undefined
  }
  const { state, start } = fromProc(pid) ?? fromPs(pid) ?? { state: '', start: '' }
  // A zombie has ended: only its parent has not yet asked how.
  return /^[ZX]/.test(state) ? undefined : start
}

/** Linux: ticks since the machine was started, and which start that was. */
const fromProc = (pid: number) => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The program's name, in parentheses, may hold spaces.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
    return { state: fields[0] ?? '', start: `${boot} ${fields[19]}` }
  } catch {
    return undefined
  }
}

const fromPs = (pid: number) => {
  try {
    const text = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', `${pid}`], {
      encoding: 'latin1',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, LC_ALL: 'C' },
    })
    const [, state = '', start = ''] = /^\s*(\S+)\s+(.*?)\s*$/s.exec(text) ?? []
    return { state, start }
  } catch {
    return undefined
  }
}
