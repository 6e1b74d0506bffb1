import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Dataset, subset } from '../../data/index.ts'
import { nodeRuntime } from '../../runtime/node.ts'
import { smallCnn, smallDigits } from '../testing/samples.ts'
import { openResults } from './file.ts'
import { type Arena, contest, entrantOf, type TrialResult } from './index.ts'

const settings = {
  runtime: nodeRuntime,
  rates: 2,
  schedules: ['constant'],
  seeds: 2,
  epochs: 1,
  batch: 10,
  curveEvery: 2,
}
const part = (data: Dataset, from: number, to: number) =>
  subset(
    data,
    Array.from({ length: to - from }, (_, i) => from + i),
  )

let arena: Arena
let results: TrialResult[]

beforeAll(async () => {
  const digits = await smallDigits(160)
  const parts = { train: part(digits, 0, 80), validation: part(digits, 80, 120), test: part(digits, 120, 160) }
  arena = { data: 'small digits', network: 'small-cnn', ...parts, build: smallCnn }
  results = await contest([arena], ['nesterov', 'ranger'].map(entrantOf), settings)
})

describe('a contest', () => {
  test('gives every optimizer the same number of settings and seeds', () => {
    for (const name of ['nesterov', 'ranger']) {
      const own = results.filter(({ optimizer }) => optimizer === name)
      expect(own.map(({ on, seed }) => [on, seed])).toEqual([
        ['validation', 0],
        ['validation', 0],
        ['test', 1],
        ['test', 2],
      ])
      expect(new Set(own.slice(0, 2).map(({ rate }) => rate)).size).toBe(2)
    }
  })

  test('runs the better setting on the test samples, with a curve', () => {
    const [first, second, ...runs] = results
    const better =
      second!.accuracy > first!.accuracy || (second!.accuracy === first!.accuracy && second!.loss! < first!.loss!)
        ? second
        : first
    for (const run of runs.slice(0, 2)) {
      expect(run.rate).toBe(better!.rate)
      expect(run.curve.map(([step]) => step)).toEqual([2, 4, 6])
    }
    expect(first!.curve).toEqual([])
  })

  test('repeats exactly', async () => {
    expect(await contest([arena], [entrantOf('nesterov'), entrantOf('ranger')], settings)).toEqual(results)
  })

  test('makes no run again that is known, and saves the others', async () => {
    const saved: TrialResult[] = []
    const flags: boolean[] = []
    const again = await contest([arena], ['nesterov', 'ranger'].map(entrantOf), {
      ...settings,
      known: results.slice(0, 5),
      save: async (result) => {
        saved.push(result)
      },
      onEvent: ({ known }) => flags.push(known),
    })
    expect(again).toEqual(results)
    expect(saved).toEqual(results.slice(5))
    expect(flags).toEqual([true, true, true, true, true, false, false, false])
  })

  test('makes runs again that were measured on other samples', async () => {
    const fewer = { ...arena, test: part(arena.test, 0, 30) }
    const flags: boolean[] = []
    const onEvent = ({ known }: { known: boolean }) => flags.push(known)
    await contest([fewer], [entrantOf('nesterov')], { ...settings, known: results, onEvent })
    expect(flags).toEqual([false, false, false, false])
  })

  test('counts a run that diverges as a bad one', async () => {
    const wild = { ...entrantOf('sgd'), rate: 1e30 }
    const [first, ...rest] = await contest([arena], [wild], { ...settings, seeds: 1 })
    expect(first).toMatchObject({ accuracy: 0, loss: null })
    expect(rest).toHaveLength(2)
  })

  test('needs someone to compete', async () => {
    await expect(contest([arena], [], settings)).rejects.toThrow(/an optimizer/)
  })
})

describe('the file of results', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'espalier-contest-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  test('gives back what was saved, but for a line that a kill cut short', async () => {
    const path = join(folder, 'results.jsonl')
    const file = await openResults(path)
    expect(file.known).toEqual([])
    for (const result of results) await file.save(result)
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.slice(0, -10))
    const reopened = await openResults(path)
    expect(reopened.known).toEqual(results.slice(0, -1))
    await reopened.save(results.at(-1)!)
    expect(await readFile(path, 'utf8')).toBe(text)
  })

  test('says which file cannot be written', async () => {
    const path = join(folder, 'gone', 'results.jsonl')
    const file = await openResults(path)
    await rm(join(folder, 'gone'), { recursive: true })
    await expect(file.save(results[0]!)).rejects.toThrow(/results\.jsonl.*cannot write.*run the same command again/)
  })
})
