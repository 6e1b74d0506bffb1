import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readModel } from '../onnx/file.ts'
import type { Telemetry } from '../train/index.ts'
import { espalier, json, temporary, writeDigits, writeNetwork } from './testing/cli.ts'

let folder: string
const small = ['train', 'lenet-300-100.onnx', '--data', 'idx:data', '--batch', '10', '--threads', '1']

beforeAll(async () => {
  folder = await temporary()
  await writeDigits(folder)
  await writeNetwork(folder, 'lenet-300-100', 4)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('--find-lr', () => {
  test('shows the curve and suggests a rate, and writes nothing', async () => {
    const before = await readdir(folder)
    const { code, stdout, stderr } = await espalier(folder, [...small, '--find-lr'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('1.0e-7')
    expect(stdout).toMatch(/fell fastest at (\S+): train with --lr \1; it was least at \S+, which is too much/)
    expect(await readdir(folder)).toEqual(before)
  })

  test('with --out leaves the curve there, with --json is one document', async () => {
    type Found = { suggestion: number; lowest: number; diverged: boolean; points: { lr: number }[] }
    const found = await json<Found>(folder, [...small, '--find-lr', '--out', 'rates'])
    expect(found.suggestion).toBeGreaterThan(1e-5)
    expect(found.suggestion).toBeLessThan(found.lowest)
    expect(found.points[0]!.lr).toBeCloseTo(1e-7, 12)
    expect((await readdir(join(folder, 'rates'))).sort()).toEqual(['find-lr.json', 'find-lr.svg'])
    expect(JSON.parse(await readFile(join(folder, 'rates', 'find-lr.json'), 'utf8'))).toEqual(found)
  })
})

describe('--group', () => {
  test('gives parameters by pattern or role a rate of their own', async () => {
    const groups = ['--group', 'fc1.*:lr=0x', '--group', '@vector:lr=0.5x,decay=0']
    await json(folder, [...small, '--epochs', '0.3', '--optimizer', 'adamw', '--out', 'grouped', ...groups])
    const [start, end] = [
      await readModel(join(folder, 'lenet-300-100.onnx')),
      await readModel(join(folder, 'grouped', 'model.onnx')),
    ]
    const moved = [...start.graph.initializers].filter(
      ([name, { bytes }]) => Buffer.compare(bytes, end.graph.initializers.get(name)!.bytes) !== 0,
    )
    expect(moved.map(([name]) => name).sort()).toEqual(['fc2.bias', 'fc2.weight', 'fc3.bias', 'fc3.weight'])
  })

  test('that makes no sense or holds nothing is named', async () => {
    const { code, stderr } = await espalier(folder, [...small, '--out', 'no', '--group', 'conv9.*:lr=0.1x'])
    expect(code).toBe(2)
    expect(stderr).toContain("the group 'conv9.*:lr=0.1x' holds no trainable parameter")
    expect(stderr).toContain('fc1.weight (@dense)')
  })
})

test('metrics.jsonl and the report tell what the links of the optimizer did', async () => {
  await json(folder, [...small, '--epochs', '1', '--out', 'told', '--telemetry-every', '5', '--clip-norm', '0.5'])
  const lines: (Telemetry | { type: 'step'; step: number })[] = (
    await readFile(join(folder, 'told', 'metrics.jsonl'), 'utf8')
  )
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
  const told = lines.flatMap((line) => (line.type === 'telemetry' ? [line] : []))
  expect(told.map(({ step }) => step)).toEqual([5, 10])
  const [, tenth] = told
  expect(tenth!.rectification!.mode).toBe('adaptive')
  expect(tenth!.clip!['clip-norm']).toBe(tenth!.norm! > 0.5 ? 1 : 0)
  expect(Object.keys(tenth!.centralized!)).toEqual(['fc1.weight', 'fc2.weight', 'fc3.weight'])
  expect(Object.keys(tenth!.ratio!)).toHaveLength(6)
  expect(tenth!.distance!['fc1.weight']).toBeGreaterThan(0)
  const page = await readFile(join(folder, 'told', 'report.html'), 'utf8')
  for (const title of ['Update against weight', 'Taken by centralization', 'Fast and slow weights', 'Clipped'])
    expect(page).toContain(`<figcaption>${title}`)
})
