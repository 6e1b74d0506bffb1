import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { latencyFrom } from './prune/flags.ts'
import { espalier, temporary, writeNetwork } from './testing/cli.ts'

let folder: string
beforeAll(async () => {
  folder = await temporary()
  await writeNetwork(folder, 'seed-cnn')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('a latency is a share, or a time with its unit', () => {
  expect(['0.5', '1', '3ms', '0.5s', '800us', '0.5ms'].map(latencyFrom)).toEqual([
    ...[{ share: 0.5 }, { share: 1 }, { ms: 3 }, { ms: 500 }, { ms: 0.8 }, { ms: 0.5 }],
  ])
  for (const text of ['3', '0', '-1', '1e999', '3 min', 'ms', '0ms', '1.2.3'])
    expect(() => latencyFrom(text), text).toThrow(/a share of the original’s time up to 1.*3ms, 800us or 0.5s/)
})

test('what was reached is measured anew and printed, in JSON too', async () => {
  const args = ['prune', 'seed-cnn.onnx', '--latency', '2s', '--out', 'fast.onnx']
  const { code, stdout, stderr } = await espalier(folder, [...args, '--json'])
  expect([code, stderr]).toEqual([0, ''])
  const { target }: { target: object } = JSON.parse(stdout)
  expect(target).toEqual({
    quantity: 'latency',
    goal: 2000,
    reached: expect.any(Number),
    original: expect.any(Number),
  })
  const people = await espalier(folder, args)
  expect(people.stdout).toMatch(/a run takes [\d.]+ ms, the original [\d.]+ ms .*2000.000 ms were allowed/)
})

test('a target that is met before anything goes is said to be', async () => {
  const said = async (...target: string[]) =>
    (await espalier(folder, ['prune', 'seed-cnn.onnx', '--dry-run', ...target])).stdout
  expect(await said('--ratio', '0')).toContain('nothing goes: a ratio of 0 removes no unit')
  expect(await said('--macs', '1e12')).toMatch(
    /nothing has to go: the model has 2 838 080 MACs, and 1 000.* are allowed/,
  )
})
