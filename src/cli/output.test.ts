import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { main, type Outcome, spawned, temporary, writeDigits, writeNetwork } from './testing/cli.ts'

let folder: string
const at = (...names: string[]) => join(folder, ...names)

beforeAll(async () => {
  folder = await temporary()
  await writeDigits(folder, 400)
  await writeNetwork(folder, 'lenet-5')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const digest = async (...names: string[]) =>
  createHash('sha256')
    .update(await readFile(at(...names)))
    .digest('hex')

/** Runs a line of bash in which `espalier` is the built program. */
const bash = (line: string): Promise<Outcome> =>
  new Promise((done) => {
    const program = `espalier() { '${process.execPath}' '${main}' "$@"; }; set -o pipefail; ${line}`
    const child = spawn('bash', ['-c', program], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    const texts = { stdout: '', stderr: '' }
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        texts[stream] += text
      })
    child.on('close', (code) => done({ code, ...texts }))
  })

describe('where output goes ends no work', () => {
  const training = (out: string) =>
    `train lenet-300-100 --data idx:data --batch 50 --evaluate-every 1 --threads 1 --out ${out}`

  test.each([
    ['prune', 'prune lenet-5.onnx --ratio 0.5 --out piped/model.onnx'],
    ['train', training('piped')],
  ])('%s writes its files when its reader goes away', async (_, command) => {
    for (const pipe of ['| true', '--json | head -1', '2> >(true) | true', '>&- 2>&-']) {
      await rm(at('piped'), { recursive: true, force: true })
      expect(await bash(`espalier ${command} ${pipe}`), pipe).toMatchObject({ code: 0, stderr: '' })
      expect(existsSync(at('piped', 'model.onnx')), pipe).toBe(true)
    }
  })

  test.runIf(existsSync('/dev/full'))('a full disk behind stdout fails after the work, in one line', async () => {
    for (const more of ['', '--json']) {
      await rm(at('full'), { recursive: true, force: true })
      const { code, stderr } = await bash(`espalier ${training('full')} ${more} > /dev/full`)
      expect(code).toBe(1)
      expect(stderr).toMatch(/^espalier: cannot write to the standard output: ENOSPC.*\n$/)
      expect(existsSync(at('full', 'run.json'))).toBe(true)
    }
    expect(await bash('espalier --help > /dev/full')).toMatchObject({ code: 1 })
    expect(await bash('espalier inspect none.onnx 2> /dev/full')).toMatchObject({ code: 1 })
  })

  test('a disk that fills up while a document is printed is noticed', async () => {
    const { code, stderr } = await bash('(ulimit -f 1; espalier inspect lenet-5.onnx --json > cut.json)')
    expect([code, stderr]).toEqual([1, expect.stringContaining('EFBIG')])
  })
})

describe('a folder of a run', () => {
  const training = (out: string, ...more: string[]) => [
    ...['train', 'lenet-300-100', '--data', 'idx:data', '--batch', '50', '--threads', '1', '--out', out, ...more],
  ]
  const started = (args: readonly string[]): { child: ChildProcess; outcome: Promise<Outcome> } => {
    const child = spawn(process.execPath, [main, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    const texts = { stdout: '', stderr: '' }
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        texts[stream] += text
      })
    return { child, outcome: new Promise((done) => child.on('close', (code) => done({ code, ...texts }))) }
  }
  const until = async (holds: () => boolean | Promise<boolean>) => {
    while (!(await holds())) await new Promise((again) => setTimeout(again, 5))
  }

  test('is left alone unless --resume or --overwrite is given', async () => {
    expect(await spawned(folder, training('held'))).toMatchObject({ code: 0 })
    const files = async () => Promise.all((await readdir(at('held'))).sort().map((name) => digest('held', name)))
    const before = await files()
    const { code, stderr } = await spawned(folder, training('held', '--seed', '1'))
    expect([code, stderr]).toEqual([2, expect.stringMatching(/holds another run.*--resume.*--overwrite/)])
    const other = await spawned(folder, training('held', '--seed', '1', '--resume'))
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('seed 0, not 1')])
    expect(await files()).toEqual(before)
    expect(await spawned(folder, training('held', '--overwrite', '--resume'))).toMatchObject({ code: 2 })
    expect(await spawned(folder, training('held', '--seed', '1', '--overwrite'))).toMatchObject({ code: 0 })
    expect(await spawned(folder, training('anew', '--seed', '1'))).toMatchObject({ code: 0 })
    expect(await digest('held', 'model.onnx')).toBe(await digest('anew', 'model.onnx'))
  })

  test('is for one run at a time, and a killed one does not hold it', async () => {
    const args = training('locked', '--epochs', '400', '--resume')
    const first = started(args)
    await until(() => existsSync(at('locked', 'checkpoint.json')))
    const second = await spawned(folder, args)
    expect([second.code, second.stderr]).toEqual([
      1,
      expect.stringMatching(/^espalier: file 'locked': in use by another run, process \d+; wait until .*\n$/),
    ])
    first.child.kill('SIGKILL')
    await first.outcome
    const third = started(args)
    const at2 = JSON.parse(await readFile(at('locked', 'checkpoint.json'), 'utf8')).step
    await until(async () => JSON.parse(await readFile(at('locked', 'checkpoint.json'), 'utf8')).step > at2)
    third.child.kill('SIGKILL')
    await third.outcome
  })

  test('of several that start at once, one runs', async () => {
    const all = Array.from({ length: 3 }, () => started(training('raced', '--resume', '--epochs', '10')))
    const outcomes = await Promise.all(all.map(({ outcome }) => outcome))
    expect(outcomes.map(({ code }) => code).sort()).toEqual([0, 1, 1])
    const files = ['checkpoint-0000060.safetensors', 'checkpoint.json', 'metrics.jsonl', 'model.onnx', 'report.html']
    expect((await readdir(at('raced'))).sort()).toEqual([...files, 'run.json'])
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s saves what is done and gives the command that goes on', async (signal, code) => {
    const out = `it's ${signal}`
    const args = training(out, '--epochs', '8', '--evaluate-every', '7')
    const { child, outcome } = started(args)
    await until(() => existsSync(at(out, 'checkpoint.json')))
    child.kill(signal)
    const { stderr, ...rest } = await outcome
    const line = /^espalier: interrupted after step (\d+); to go on: (espalier train .*)\n$/
    expect([rest.code, stderr]).toEqual([code, expect.stringMatching(line)])
    const [, step, goOn] = line.exec(stderr) ?? []
    expect(JSON.parse(await readFile(at(out, 'checkpoint.json'), 'utf8')).step).toBe(Number(step))
    expect((await readdir(at(out))).filter((name) => /tmp|lock/.test(name))).toEqual([])

    expect(await bash(goOn ?? '')).toMatchObject({ code: 0, stderr: '' })
    if (!existsSync(at('unbroken')))
      await spawned(
        folder,
        args.map((word) => (word === out ? 'unbroken' : word)),
      )
    expect(await digest(out, 'model.onnx')).toBe(await digest('unbroken', 'model.onnx'))
  })

  test('a second signal soon after the first is the same wish, a later one ends at once', async () => {
    const args = training('twice', '--epochs', '2000', '--json')
    const { child, outcome } = started(args)
    await until(() => existsSync(at('twice', 'checkpoint.json')))
    child.kill('SIGINT')
    child.kill('SIGINT')
    expect(await outcome).toMatchObject({ code: 130, stdout: '', stderr: expect.stringContaining('after step') })
  })

  test('a command without checkpoints ends at once', async () => {
    const { child, outcome } = started(['bench', 'train', '--network', 'vgg-small'])
    setTimeout(() => child.kill('SIGINT'), 1500)
    expect(await outcome).toMatchObject({ code: 130, stderr: 'espalier: interrupted\n' })
  })
})
