import { createHash } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listenForSignals } from './interrupt.ts'
import { espalier, json, spawned, temporary, writeDigits, writeNetwork } from './testing/cli.ts'
import { killLoop } from './testing/kill-loop.ts'

let folder: string
const at = (...names: string[]) => join(folder, ...names)
const digest = async (name: string) =>
  createHash('sha256')
    .update(await readFile(at(name)))
    .digest('hex')

beforeAll(async () => {
  folder = await temporary()
  await writeDigits(folder, 200)
  await writeNetwork(folder, 'lenet-5', 3)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const pruning = (out: string, ...more: string[]) => [
  ...['prune', 'lenet-5.onnx', '--data', 'idx:data', '--batch', '30', '--threads', '1', '--retrain', '1'],
  ...['--checkpoint-every', '1', '--out', `${out}.onnx`, ...more],
]
const rounds = ['--ratio', '0.4', '--steps', '2', '--soft', '2', '--stop-loss', '100']

/** Runs a command line that SIGINT ends as soon as a file is there. */
const endedAt = async (file: string, args: readonly string[]) => {
  const signals = new EventEmitter()
  const watch = setInterval(() => {
    if (!existsSync(at(file))) return
    clearInterval(watch)
    signals.emit('SIGINT')
  }, 1)
  try {
    return await espalier(folder, args, () => {}, listenForSignals(signals))
  } finally {
    clearInterval(watch)
  }
}

const results = async (out: string, ...more: string[]) => {
  const document = await json<object>(folder, pruning(out, ...rounds, '--plan', `${out}.json`, ...more))
  expect((await readdir(folder)).filter((name) => name.startsWith(`${out}.onnx`))).toEqual([`${out}.onnx`])
  return { document: { ...document, out: '' }, model: await digest(`${out}.onnx`), plan: await digest(`${out}.json`) }
}

describe('a prune that trains', () => {
  let whole: Awaited<ReturnType<typeof results>>

  beforeAll(async () => {
    whole = await results('whole')
  })

  test.each(['round-1-soft', 'round-1', 'round-2-soft', 'round-2'])(
    'ended in %s goes on to the same bytes and figures',
    async (stage) => {
      const { code, stderr } = await endedAt(`${stage}.onnx.run/${stage}/checkpoint.json`, pruning(stage, ...rounds))
      expect([code, stderr]).toEqual([
        130,
        expect.stringMatching(/^espalier: interrupted.*; to go on: espalier prune .* --resume\n$/),
      ])
      expect(existsSync(at(`${stage}.onnx`))).toBe(false)
      expect(await results(stage, '--resume')).toEqual(whole)
    },
  )

  test('killed at random moments goes on to the same bytes', async () => {
    const command = pruning('killed', ...rounds, '--plan', 'killed.json', '--resume')
    const { killed } = await killLoop({ folder, command, kills: 4, seed: 7, within: 2500 })
    expect(killed).toBe(4)
    expect([await digest('killed.onnx'), await digest('killed.json')]).toEqual([whole.model, whole.plan])
    expect((await readdir(folder)).filter((name) => /^killed.*(tmp|lock|run)$/.test(name))).toEqual([])
  })
})

test('a plan that the clock chose is kept', async () => {
  const args = pruning('clock', '--latency', '0.99', '--plan', 'clock.json')
  expect(await endedAt('clock.onnx.run/round-1/checkpoint.json', args)).toMatchObject({ code: 130 })
  const { plan } = JSON.parse(await readFile(at('clock.onnx.run', 'latency.json'), 'utf8'))
  expect(await espalier(folder, [...args, '--resume'])).toMatchObject({ code: 0 })
  expect(JSON.parse(await readFile(at('clock.json'), 'utf8'))).toEqual(plan)
})

test('checkpoints of another run are kept unless a flag decides', async () => {
  const args = pruning('other', '--ratio', '0.3')
  expect(await endedAt('other.onnx.run/round-1/checkpoint.json', args)).toMatchObject({ code: 130 })
  const kept = await readdir(at('other.onnx.run', 'round-1'))
  const refused = async (texts: readonly string[], more: readonly string[]) => {
    const { code, stderr } = await espalier(folder, [...pruning('other'), ...more])
    expect(code).toBe(2)
    for (const text of texts) expect(stderr).toContain(text)
    expect(await readdir(at('other.onnx.run', 'round-1'))).toEqual(kept)
  }
  await refused(['other.onnx.run', '--resume', '--overwrite'], ['--ratio', '0.3'])
  await refused(['--ratio 0.3', '--ratio 0.4'], ['--ratio', '0.4', '--resume'])
  await refused(['--weight-decay'], ['--ratio', '0.3', '--weight-decay', '0.1', '--resume'])
  await refused(['--resume', '--overwrite'], ['--ratio', '0.3', '--resume', '--overwrite'])
  await writeFile(at('other.onnx.run', 'mine.txt'), 'stays')
  expect(await espalier(folder, [...pruning('other'), '--ratio', '0.4', '--overwrite'])).toMatchObject({ code: 0 })
  expect(await readdir(at('other.onnx.run'))).toEqual(['mine.txt'])
  // A file that is there is written anew, as ever, where no run is lost.
  expect(await spawned(folder, [...pruning('other'), '--ratio', '0.3'])).toMatchObject({ code: 0 })
})

test('flags for checkpoints are refused where nothing is trained', async () => {
  for (const flag of ['--resume', '--overwrite', '--checkpoint-every=3']) {
    const { code, stderr } = await espalier(folder, [
      'prune',
      'lenet-5.onnx',
      '--ratio',
      '0.3',
      '--out',
      'p.onnx',
      flag,
    ])
    expect([code, stderr]).toEqual([2, expect.stringContaining(flag.split('=')[0]!)])
  }
})
