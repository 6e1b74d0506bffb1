import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { random } from '../base/index.ts'
import { main, spawned, temporary, writeDigits, writeNetwork } from './testing/cli.ts'

let folder: string

beforeAll(async () => {
  folder = await temporary()
  await writeDigits(folder, 400)
  await writeNetwork(folder, 'tf-cnn', 2)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Starts a run and kills it, as a power cut would, so many milliseconds after its first step is journalled. */
const killed = (args: readonly string[], out: string, after: number): Promise<string | null> =>
  new Promise((done) => {
    const child = spawn(process.execPath, [main, ...args], { cwd: folder, stdio: 'ignore' })
    const watch = setInterval(() => {
      if (!existsSync(join(folder, out, 'metrics.jsonl'))) return
      clearInterval(watch)
      setTimeout(() => child.kill('SIGKILL'), after)
    }, 2)
    child.on('exit', (_, signal) => {
      clearInterval(watch)
      done(signal)
    })
  })

/** Lines of the journal without what depends on the clock. */
const journal = async (out: string) =>
  (await readFile(join(folder, out, 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => {
      const { rate: _, secondsLeft: __, ...rest }: { rate?: number; secondsLeft?: number } = JSON.parse(line)
      return rest
    })

test.each([
  ['lenet-300-100', 'ranger', ['2']],
  ['tf-cnn.onnx', 'schedule-free-adamw', ['2', '--threads', '1']],
])('%s with %s, killed at any moment again and again, ends on the same bytes', async (model, optimizer, threads) => {
  const args = (out: string) => [
    ...['train', model, '--data', 'idx:data', '--optimizer', optimizer, '--schedule', 'flat-cosine', '--batch', '20'],
    ...['--epochs', threads[0] ?? '1', ...threads.slice(1), '--checkpoint-every', '3', '--evaluate-every', '4'],
    ...['--out', out],
  ]
  const [whole, cut] = [`whole-${optimizer}`, `cut-${optimizer}`]
  const unbroken = await spawned(folder, args(whole))
  expect(unbroken.stderr).toBe('')

  const dice = random(11)
  let kills = 0
  for (let i = 0; i < 5; i++)
    if ((await killed([...args(cut), '--resume'], cut, dice.below(160))) === 'SIGKILL') kills++
  expect(kills).toBeGreaterThan(0)
  const { code, stderr } = await spawned(folder, [...args(cut), '--resume'])
  expect([code, stderr]).toEqual([0, ''])

  const bytes = (out: string, name: string) => readFile(join(folder, out, name))
  expect((await bytes(cut, 'model.onnx')).equals(await bytes(whole, 'model.onnx'))).toBe(true)
  expect(await journal(cut)).toEqual(await journal(whole))
  // Nothing half written is left but what the very last kill may have left beside other files.
  const left = (await readdir(join(folder, cut))).filter((name) => !name.endsWith('.tmp'))
  expect(left.sort()).toEqual((await readdir(join(folder, whole))).sort())
})
