import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { espalier, temporary, writeDigits, writeNetwork } from './testing/cli.ts'

let folder: string

beforeAll(async () => {
  folder = await temporary()
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'))
  await writeDigits(folder)
  await writeNetwork(folder, 'seed-cnn', 4)
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true, force: true })
})

test('--tune remembers the fastest formulation, so that a run repeats', async () => {
  const train = ['train', 'seed-cnn.onnx', '--data', 'idx:data', '--batch', '8', '--threads', '2', '--epochs', '0.2']
  const ran = await espalier(folder, [...train, '--tune', '--out', 'a'])
  expect([ran.code, ran.stderr]).toEqual([0, ''])
  expect(await readdir(join(folder, 'cache', 'espalier'))).toEqual(['tuning.json'])
  await espalier(folder, [...train, '--tune', '--out', 'b'])
  const [a, b] = await Promise.all(['a', 'b'].map((run) => readFile(join(folder, run, 'model.onnx'))))
  expect(a!.equals(b!)).toBe(true)
})

test('bench train --tune times what tuning chose', async () => {
  const bench = ['bench', 'train', '--network', 'seed-cnn', '--batch', '4', '--steps', '5', '--threads', '2', '--tune']
  const { code, stdout } = await espalier(folder, bench)
  expect(code).toBe(0)
  expect(stdout).toMatch(/seed-cnn\s+4/)
})
