import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { float32, int64 } from '../base/index.ts'
import { writeNpz } from '../formats/file.ts'
import { espalier, temporary } from './testing/cli.ts'

let folder: string
const samples = 30
const write = (name: string, labels: (i: number) => number, value: (i: number) => number) =>
  writeNpz(
    join(folder, name),
    new Map([
      [
        'x',
        float32(
          [samples, 784],
          Float32Array.from({ length: samples * 784 }, (_, i) => value(i)),
        ),
      ],
      [
        'y',
        int64(
          [samples],
          Array.from({ length: samples }, (_, i) => labels(i)),
        ),
      ],
    ]),
  )
beforeAll(async () => {
  folder = await temporary()
  await write('even.npz', (i) => i % 10, Math.sin)
  await write('gaps.npz', (i) => 1e6 * (i % 3), Math.sin)
  await write(
    'huge.npz',
    (i) => i % 10,
    () => 3e38,
  )
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test.each([
  ['even', ['--class-weights', '0,0,0,0,0,0,0,0,0,0'], 2, 'the class weights of all classes that have samples are 0'],
  [
    'even',
    ['--class-weights', '0,0,0,0,0,0,0,0,0,1'],
    1,
    /NaN at step \d+: no sample of its batch counts, by the class/,
  ],
  ['even', ['--lr', '1e30'], 1, /the loss is \S+ at step [2-9]; use a smaller learning rate/],
  ['huge', [], 1, /the loss is \S+ at step 1; the samples or the weights it begins with are too large.*range/],
  ['gaps', ['--new-head'], 1, /label of sample 2 is 2000000 and there are 30 samples.*--ignore-index/],
] as const)('%s %j: the line names the cause', async (data, flags, code, message) => {
  const args = [
    'train',
    'lenet-300-100',
    '--data',
    `npz:${data}.npz`,
    '--out',
    'never',
    '--batch',
    '2',
    '--threads',
    '1',
  ]
  const found = await espalier(folder, [...args, '--epochs', '3', '--overwrite', ...flags])
  expect(found.stderr).toMatch(message)
  expect(found.code).toBe(code)
  expect(found.stderr.trim().split('\n')).toHaveLength(1)
})
