import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Failure, killAll, runSlice } from './slice.ts'
import { addTo, causeOf, markdownText, newTally, tableText, withCounts } from './summary.ts'
import type { Target } from './target.ts'
import { targets } from './targets/index.ts'

const help = `npm run fuzz -- [flags]

  --minutes N           how long (1)
  --target NAME …       only these targets (all)
  --seed N              seed of the first cases (drawn from the clock)
  --jobs N              processes at a time (half of the cores)
  --replay TARGET:SEED  runs one case again and prints what is wrong with it
  --keep DIR            folder for the inputs of failures (runs/fuzz)
  --markdown FILE       puts the table of counts into this document, between its two marks

Targets:
${targets.map(({ name, what }) => `  ${name.padEnd(12)} ${what}`).join('\n')}
`

const say = (text: string) => process.stdout.write(`${text}\n`)

/** Ends with the message of a wrong use. */
const refuse = (what: string): never => {
  process.stderr.write(`fuzz: ${what}\n`)
  process.exit(2)
}

const { values } = (() => {
  try {
    return parseArgs({
      options: {
        minutes: { type: 'string', default: '1' },
        target: { type: 'string', multiple: true, default: [] },
        seed: { type: 'string', default: String(Math.floor(Date.now() / 1000)) },
        jobs: { type: 'string', default: String(Math.max(1, Math.floor(availableParallelism() / 2))) },
        replay: { type: 'string' },
        keep: { type: 'string', default: 'runs/fuzz' },
        markdown: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
})()

const numberFrom = (flag: string, text: string, least: number): number => {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < least)
    refuse(`--${flag} ${text} is no number of at least ${least}`)
  return value
}

const targetNamed = (name: string): Target =>
  targets.find((target) => target.name === name) ??
  refuse(`there is no target '${name}': use one of ${targets.map((target) => target.name).join(', ')}`)

/** Writes the input of a failing case, and what is wrong with it, into a folder of its own. */
const keepInput = async ({ target, seed, problem }: Failure): Promise<string> => {
  const folder = join(values.keep, `${target}-${seed}`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'problem.txt'), `${problem}\n\nnpm run fuzz -- --replay ${target}:${seed}\n`)
  await runSlice(targetNamed(target), { seed, seconds: 60, cases: 1, keep: folder })
  return folder
}

const replay = async (text: string): Promise<number> => {
  const [name = '', digits = ''] = text.split(':')
  const target = targetNamed(name)
  const seed = numberFrom('replay', digits, 0)
  const { failures, outcomes } = await runSlice(target, { seed, seconds: target.limits.seconds, cases: 1 })
  for (const failure of failures) {
    say(failure.problem)
    say(`its input is in ${await keepInput(failure)}`)
  }
  if (failures.length === 0) say(`no failure: ${[...outcomes.keys()].join(', ')}`)
  return failures.length > 0 ? 1 : 0
}

/** Kept inputs of one cause: more of them say nothing new. */
const mostKept = 3

const fuzz = async (): Promise<number> => {
  const chosen = values.target.length > 0 ? values.target.map(targetNamed) : targets
  const minutes = numberFrom('minutes', values.minutes, 0)
  const seed = Math.floor(numberFrom('seed', values.seed, 0))
  const jobs = Math.floor(numberFrom('jobs', values.jobs, 1))
  const document = values.markdown === undefined ? undefined : readFileSync(values.markdown, 'utf8')
  if (document !== undefined) withCounts(document, '')
  rmSync(values.keep, { recursive: true, force: true })

  const tallies = new Map(chosen.map(({ name, what }) => [name, newTally(name, what)]))
  const next = new Map(chosen.map(({ name }) => [name, seed]))
  const causes = new Map<string, { count: number; first: Failure }>()
  const started = performance.now()
  const left = () => minutes * 60 - (performance.now() - started) / 1000
  // Every target has three turns at least, and none waits longer than a few minutes for its next.
  const slice = Math.min(30, (minutes * 60 * jobs) / chosen.length / 3)
  const clock = () => {
    const seconds = Math.floor((performance.now() - started) / 1000)
    return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`
  }

  const turn = async (target: Target) => {
    const begun = performance.now()
    const result = await runSlice(target, {
      seed: next.get(target.name)!,
      seconds: Math.max(1, Math.min(slice, left())),
    })
    next.set(target.name, result.next)
    const seconds = (performance.now() - begun) / 1000
    const tally = tallies.get(target.name)!
    addTo(tally, result, seconds)
    for (const failure of result.failures) {
      const cause = causeOf(failure)
      const known = causes.get(cause)
      causes.set(cause, { count: (known?.count ?? 0) + 1, first: known?.first ?? failure })
      if ((known?.count ?? 0) >= mostKept) continue
      const folder = await keepInput(failure)
      if (!known)
        say(
          `       FAILURE ${target.name}:${failure.seed}  ${failure.problem.split('\n')[0]}\n       input in ${folder}`,
        )
    }
    say(
      `${clock()}  ${target.name.padEnd(12)} ${String(result.cases).padStart(7)} cases, ${(result.cases / seconds).toFixed(1)}/s; ${tally.cases} in all, ${tally.failures} failures`,
    )
  }

  say(`seed ${seed}, ${minutes} minutes, ${chosen.map(({ name }) => name).join(', ')}`)
  // Targets wait in line; a lane takes the first and puts it back at the end.
  const line = [...chosen]
  const first = new Set(chosen)
  const lane = async () => {
    for (let target = line.shift(); target && (left() > 0 || first.has(target)); target = line.shift()) {
      first.delete(target)
      await turn(target)
      line.push(target)
    }
  }
  await Promise.all(Array.from({ length: Math.min(jobs, chosen.length) }, lane))

  const all = [...tallies.values()]
  const counts = { seed, minutes, node: process.versions.node, date: new Date().toISOString().slice(0, 10) }
  say(`\n${tableText(all)}`)
  for (const [cause, { count, first }] of causes) {
    say(`\n${count} × ${cause}`)
    say(
      `  npm run fuzz -- --replay ${first.target}:${first.seed}    input in ${join(values.keep, `${first.target}-${first.seed}`)}`,
    )
  }
  if (document !== undefined && values.markdown !== undefined)
    writeFileSync(values.markdown, withCounts(document, markdownText(all, counts)))
  return causes.size > 0 ? 1 : 0
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    killAll()
    process.exit(signal === 'SIGINT' ? 130 : 143)
  })

if (values.help) say(help)
else process.exitCode = await (values.replay === undefined ? fuzz() : replay(values.replay))
