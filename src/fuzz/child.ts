import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { random } from '../base/index.ts'
import type { Job, Report } from './messages.ts'
import { type Attempt, Violation } from './target.ts'
import { targets } from './targets/index.ts'

// Runs cases of one target one after another and reports each. The parent process watches the time and the memory, and ends
// this process where a case takes too much of either.

const job: Job = JSON.parse(process.argv[2] ?? '')
const target = targets.find(({ name }) => name === job.target)
if (!target) throw new Error(`there is no target '${job.target}'`)

// Nobody would hear of anything any more.
process.on('disconnect', () => process.exit(1))

const report = (message: Report) =>
  new Promise<void>((done) => {
    if (process.send) process.send(message, () => done())
    else done()
  })

/** The most memory that this process has had, in MiB. */
const peak = () => process.resourceUsage().maxRSS / 1024

/** Runs a case. @returns what is wrong, or its outcome */
const run = async (attempt: Attempt): Promise<{ problem: string } | { outcome: string }> => {
  const before = peak()
  try {
    const outcome = await attempt.run()
    const added = Math.round(peak() - before)
    if (added > target.limits.megabytes) return { problem: `memory: it took ${added} MiB, and ended with '${outcome}'` }
    return { outcome }
  } catch (error) {
    if (error instanceof Violation) return { problem: error.message }
    return { problem: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

/** Writes a case's input into a folder. */
const keep = ({ files }: Attempt, folder: string) => {
  mkdirSync(folder, { recursive: true })
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, basename(name)), content)
}

const opened = await target.open(job.folder)
await report({ type: 'ready' })
const end = performance.now() + job.seconds * 1000
for (let i = 0; i < job.cases && performance.now() < end; i++) {
  const seed = job.seed + i
  await report({ type: 'start', seed })
  const attempt = await opened.attempt(random(seed))
  if (job.keep !== undefined) {
    keep(attempt, job.keep)
    break
  }
  const result = await run(attempt)
  await report('outcome' in result ? { type: 'end', seed, ...result } : { type: 'failure', seed, ...result })
  // The peak does not go down again, and would hide the next.
  if ('problem' in result && result.problem.startsWith('memory:')) break
}
await opened.close?.()
await report({ type: 'done' })
process.exit(0)
