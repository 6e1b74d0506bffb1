import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ArenaSummary } from '../../train/index.ts'
import { espalier, json, temporary, writeDigits } from '../testing/cli.ts'

let folder: string
beforeAll(async () => {
  folder = await temporary()
  await writeDigits(folder, 160)
})
afterAll(() => rm(folder, { recursive: true }))

const command = [
  ...['bench', 'optimizers', '--data', 'idx:data', '--network', 'lenet-300-100', '--out', 'out'],
  ...['--samples', '60', '--validation', '40', '--test', '40', '--epochs', '1', '--batch', '20', '--seeds', '2'],
  ...['--rates', '1', '--schedule', 'constant', '--optimizer', 'nesterov', '--optimizer', 'ranger'],
]
const resultsFile = () => readFile(join(folder, 'out', 'results.jsonl'), 'utf8')

type Document = {
  arenas: ArenaSummary[]
  times: { network: string; gradients: number; optimizers: Record<string, number> }[]
}

test('optimizers compete; the same command again only reads what was found', async () => {
  const first = await json<Document>(folder, command)
  expect(first.arenas).toHaveLength(1)
  expect(first.arenas[0]).toMatchObject({ data: 'data', network: 'lenet-300-100' })
  expect(first.arenas[0]!.standings.map(({ optimizer }) => optimizer).sort()).toEqual(['nesterov', 'ranger'])
  for (const { accuracies } of first.arenas[0]!.standings) expect(accuracies).toHaveLength(2)
  expect(first.times[0]!.gradients).toBeGreaterThan(0)
  expect(Object.keys(first.times[0]!.optimizers)).toEqual(['nesterov', 'ranger'])

  const lines = await resultsFile()
  // For each of two optimizers one setting and two seeds.
  expect(lines.trim().split('\n')).toHaveLength(6)
  const again = await json<Document>(folder, command)
  expect(again.arenas).toEqual(first.arenas)
  expect(await resultsFile()).toBe(lines)

  await json(folder, [...command, '--optimizer', 'gc+nesterov'])
  const flags = command.slice(0, command.indexOf('--optimizer'))
  const table = await json<Document>(folder, [...flags, '--table', '--optimizer', 'ranger'])
  expect(table.arenas[0]!.standings).toEqual(
    first.arenas[0]!.standings.filter(({ optimizer }) => optimizer === 'ranger').map((own) => ({
      ...own,
      stepsToTarget: expect.any(Array),
    })),
  )
  expect((await resultsFile()).startsWith(lines)).toBe(true)
})

test('what other flags left in the folder is no part of a table', async () => {
  const into = (...more: string[]) => json<Document>(folder, [...command, '--out', 'shared', ...more])
  const one = await into()
  const two = await into('--rates', '2')
  expect((await into('--table')).arenas).toEqual(one.arenas)
  expect(two.arenas[0]!.settings).toBe(2)
  const { code, stderr } = await espalier(folder, [...command, '--out', 'shared', '--table', '--rates', '3'])
  expect([code, stderr]).toEqual([
    2,
    expect.stringMatching(/no optimizer has finished a contest of that kind in 'shared'/),
  ])
})

test('the table is printed and written, with the curves', async () => {
  const { code, stdout } = await espalier(folder, command)
  expect(code).toBe(0)
  expect(stdout).toMatch(/^data, lenet-300-100, 3 steps, settings tried: 1\noptimizer +schedule +rate +test accuracy/)
  expect(stdout).toMatch(/\nranger +constant +0\.0032\*? +\d+\.\d+ % ± \d/)
  expect(stdout).toContain('processor milliseconds of a step')
  const page = await readFile(join(folder, 'out', 'results.md'), 'utf8')
  expect(page).toMatch(/\| ranger \| constant \| 0\.0032\*? \| \d+\.\d+ % ± /)
  const curves = await readFile(join(folder, 'out', 'curves-data-lenet-300-100-3.svg'), 'utf8')
  expect(curves).toContain('<text x="82"')
  expect(curves).toContain('ranger')
})

test('centralization: the mean of filters stays', async () => {
  type Row = { optimizer: string; gradient: number; centred: number; meanDrift: number }
  const { rows } = await json<{ rows: Row[] }>(folder, [
    ...['bench', 'centralization', '--data', 'idx:data', '--network', 'lenet-300-100', '--out', 'gc'],
    ...['--seeds', '1', '--steps', '20', '--batch', '20'],
  ])
  const driftOf = (name: string) => rows.find(({ optimizer }) => optimizer === name)!.meanDrift
  expect(driftOf('gc+sgd')).toBeLessThan(1e-6)
  expect(driftOf('ranger')).toBeLessThan(1e-6)
  expect(driftOf('sgd')).toBeGreaterThan(1e-5)
  for (const { gradient, centred } of rows) expect(centred).toBeLessThan(gradient)
  expect(await readFile(join(folder, 'gc', 'gradient-data-lenet-300-100.svg'), 'utf8')).toContain(
    'norm of the gradient',
  )
})

test.each([
  [['--optimizer', 'best'], /there is no optimizer 'best'/],
  [['--network', 'alexnet'], /no network is called 'alexnet'/],
  [['--schedule', 'sometimes'], /there is no schedule 'sometimes'/],
  [['--samples', '5000'], /has 120 training samples, not 5000 and 40/],
  [['--test', '50'], /has 40 test samples, not 50/],
  [['--table', '--out', 'nothing'], /no optimizer has finished a contest of that kind in 'nothing'/],
  [['--rates', '0'], /--rates 0 makes no sense/],
])('%s is wrong usage, said before any run', async (more, message) => {
  const { code, stderr } = await espalier(folder, [...command, ...more])
  expect([code, stderr]).toEqual([2, expect.stringMatching(message)])
})
