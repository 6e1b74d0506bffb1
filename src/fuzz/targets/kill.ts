import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Random } from '../../base/index.ts'
import { pruneOptions } from '../../cli/prune/flags.ts'
import { main } from '../../cli/testing/cli.ts'
import { decodeModel } from '../../onnx/index.ts'
import { smallFiles } from '../commands.ts'
import { ensure, type Target } from '../target.ts'

/** A command line that trains, as a function of where its output goes, and the files to compare in the end. */
type Run = { readonly args: (out: string) => string[]; readonly files: (out: string) => string[] }

const training = (model: string, data: string, ...more: string[]): Run => ({
  args: (out) => [
    ...['train', model, '--data', data, '--batch', '4', '--epochs', '12', '--checkpoint-every', '3', '--out', out],
    ...['--evaluate-every', '5', ...more],
  ],
  files: (out) => [join(out, 'model.onnx')],
})

const pruning = (...more: string[]): Run => ({
  args: (out) => [
    ...['prune', 'conv.onnx', '--data', 'npz:conv.npz', '--batch', '4', '--threads', '1', '--ratio', '0.5'],
    ...['--retrain', '3', '--checkpoint-every', '2', '--out', `${out}.onnx`, '--plan', `${out}.json`, ...more],
  ],
  files: (out) => [`${out}.onnx`, `${out}.json`],
})

const runs: readonly Run[] = [
  training('dense.onnx', 'npz:dense.npz', '--threads', '1', '--optimizer', 'ranger', '--schedule', 'flat-cosine'),
  training('conv.onnx', 'npz:conv.npz', '--threads', '2', '--optimizer', 'adamw', '--augment', 'flip'),
  training('dense.onnx', 'csv:dense.csv', '--threads', '1', '--optimizer', 'schedule-free-adamw', '--accumulate', '2'),
  // Pruning keeps checkpoints where it has the flag to go on from them.
  ...('resume' in pruneOptions ? [pruning(), pruning('--steps', '2'), pruning('--steps', '2', '--soft', '1')] : []),
]

type Ended = { readonly signal: NodeJS.Signals | null; readonly code: number | null; readonly stderr: string }

/** Starts the built program; after so many milliseconds it is killed, alone or with the processes that it started. */
const start = (folder: string, args: readonly string[], kill?: { after: number; group: boolean }): Promise<Ended> =>
  new Promise((done, failed) => {
    const child = spawn(process.execPath, [main, ...args], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: kill?.group ?? false,
    })
    const end = () => {
      if (kill?.group && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      else child.kill('SIGKILL')
    }
    const timer = kill && setTimeout(end, kill.after)
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.on('error', failed).on('exit', (code, signal) => {
      clearTimeout(timer)
      done({ code, signal, stderr })
    })
  })

/** Files that lie below a folder or begin with its name, but those of processes that are still ending. */
const namesOf = (folder: string, out: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name === out || name.startsWith(`${out}/`) || name.startsWith(`${out}.`))
    .map((name) => name.slice(out.length))
    .sort()

/** The journal's lines without what depends on the clock. */
const journalOf = (folder: string, out: string): object[] => {
  const file = join(folder, out, 'metrics.jsonl')
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  return lines.map((line) => ({ ...JSON.parse(line), rate: 0, secondsLeft: 0 }))
}

/** @throws Violation where a file that has been written is not whole */
const checkWhole = (folder: string, run: Run, out: string): void => {
  for (const name of run.files(out).filter((name) => existsSync(join(folder, name)))) {
    const bytes = readFileSync(join(folder, name))
    try {
      if (name.endsWith('.onnx')) decodeModel(bytes, { file: name })
      else JSON.parse(bytes.toString())
    } catch (error) {
      ensure(false, `after a kill ${name} is broken: ${error}`)
    }
  }
}

type Whole = {
  readonly milliseconds: number
  readonly names: string[]
  readonly files: Buffer[]
  readonly journal: object[]
}

export const kill: Target = {
  name: 'kill',
  what: 'training and retraining killed at random moments and resumed: the same bytes as the run that was never killed, whole files at any time, nothing left behind',
  short: 1,
  limits: { seconds: 300, megabytes: 256 },
  open: async (folder) => {
    mkdirSync(folder, { recursive: true })
    for (const [name, bytes] of smallFiles()) writeFileSync(join(folder, name), bytes)
    const known = new Map<number, Whole>()

    const result = (run: Run, out: string) => ({
      names: namesOf(folder, out),
      files: run.files(out).map((name) => readFileSync(join(folder, name))),
      journal: journalOf(folder, out),
    })

    /** What a run leaves that is not killed. */
    const wholeOf = async (which: number): Promise<Whole> => {
      const there = known.get(which)
      if (there) return there
      const [run, out] = [runs[which]!, `whole-${which}`]
      const started = performance.now()
      const { code, stderr } = await start(folder, run.args(out))
      ensure(code === 0 && stderr === '', `without a kill it ended with ${code}: ${stderr}`)
      const whole = { milliseconds: performance.now() - started, ...result(run, out) }
      known.set(which, whole)
      return whole
    }

    const killed = async (which: number, dice: Random): Promise<string> => {
      const whole = await wholeOf(which)
      const [run, out] = [runs[which]!, 'cut']
      for (const name of readdirSync(folder).filter((name) => name.startsWith(out)))
        rmSync(join(folder, name), { recursive: true, force: true })
      let kills = 0
      for (let n = 1 + dice.below(3); n > 0; n--) {
        const when = { after: dice.uniform() * whole.milliseconds, group: dice.below(2) === 0 }
        const { code, signal, stderr } = await start(folder, [...run.args(out), '--resume'], when)
        if (signal === 'SIGKILL') kills++
        else ensure(code === 0 && stderr === '', `resumed after ${kills} kills it ended with ${code}: ${stderr}`)
        checkWhole(folder, run, out)
      }
      // What the killed one started ends by itself.
      await wait(200)
      const { code, stderr } = await start(folder, [...run.args(out), '--resume'])
      ensure(code === 0 && stderr === '', `after ${kills} kills it ended with ${code}: ${stderr}`)
      const end = result(run, out)
      for (const [i, name] of run.files(out).entries())
        ensure(end.files[i]!.equals(whole.files[i]!), `after ${kills} kills ${name} has other bytes`)
      ensure(
        JSON.stringify(end.journal) === JSON.stringify(whole.journal),
        `after ${kills} kills metrics.jsonl differs`,
      )
      const [left, wanted] = [end.names.join(' '), whole.names.join(' ')]
      ensure(left === wanted, `after ${kills} kills there are${left}, not${wanted}`)
      return `${kills} kills`
    }

    return {
      attempt: (dice) => {
        const which = dice.below(runs.length)
        return { files: { 'line.json': JSON.stringify(runs[which]!.args('cut')) }, run: () => killed(which, dice) }
      },
    }
  },
}
