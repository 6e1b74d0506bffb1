import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { subset } from '../data/index.ts'
import { readModel, writeModel } from '../onnx/file.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { recalibrate } from '../train/index.ts'
import { smallDigits, smallResnet } from '../train/testing/samples.ts'
import { espalier, json, temporary, writeIdx } from './testing/cli.ts'

let folder: string
const at = (...names: string[]) => join(folder, ...names)

beforeAll(async () => {
  folder = await temporary()
  await writeIdx(at('data'), await smallDigits(160), 120)
  await writeModel(at('resnet.onnx'), smallResnet(3))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** A network with BatchNormalization, nine steps of two batches each: through an epoch's end and a meeting of Lookahead. */
const run = (out: string, ...more: string[]) => [
  ...['train', 'resnet.onnx', '--data', 'idx:data', '--batch', '10', '--accumulate', '2', '--epochs', '1.5'],
  ...['--schedule', 'warmup:3+cosine', '--group', '@vector:lr=0.5x,decay=0', '--weight-decay', '0.01', '--lr', '0.01'],
  ...['--threads', '1', '--checkpoint-every', '1', '--evaluate-every', '1', '--telemetry-every', '2', '--out', out],
  ...more,
]

/** Lines of the journal without what depends on the clock. */
const journal = async (out: string) =>
  (await readFile(at(out, 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => {
      const { rate: _, secondsLeft: __, ...rest }: { rate?: number; secondsLeft?: number } = JSON.parse(line)
      return rest
    })

/** A run that ends after a step's checkpoint, as its reader goes away while it tells of the next step. */
const cutAt = async (out: string, step: number): Promise<void> => {
  const outcome = await espalier(folder, run(out), (text) => {
    if (text.includes(`| step ${step + 1} |`)) throw new Error('nobody reads any more')
  })
  expect(outcome).toMatchObject({ code: 1, stderr: 'espalier: nobody reads any more\n' })
}

describe('--resume', () => {
  const steps = 9
  let whole: object

  beforeAll(async () => {
    whole = await json<object>(folder, run('whole'))
    expect(whole).toMatchObject({ steps })
  })

  test.each(Array.from({ length: steps - 1 }, (_, i) => i + 1))(
    'from step %i, with schedule, accumulation and groups, ends on the same bytes',
    async (step) => {
      const out = `cut-${step}`
      await cutAt(out, step)
      expect(JSON.parse(await readFile(at(out, 'checkpoint.json'), 'utf8'))).toMatchObject({ step })
      const { model: _, ...rest } = await json<{ model: string }>(folder, run(out, '--resume'))
      expect({ ...rest, model: 'whole/model.onnx' }).toEqual(whole)
      for (const name of ['model.onnx', `checkpoint-000000${steps}.safetensors`])
        expect((await readFile(at(out, name))).equals(await readFile(at('whole', name))), name).toBe(true)
      expect(await journal(out)).toEqual(await journal('whole'))
    },
  )
})

test('--recalibrate measures the statistics of BatchNormalization anew for the weights that come out, and nothing else', async () => {
  const checkpoint = async (out: string) => JSON.parse(await readFile(at(out, 'checkpoint.json'), 'utf8')).sha256
  const document = async (out: string, ...more: string[]) => json<{ accuracy: number }>(folder, run(out, ...more))
  await document('plain')
  const { accuracy } = await document('mended', '--recalibrate')
  const [plain, mended] = [await readModel(at('plain', 'model.onnx')), await readModel(at('mended', 'model.onnx'))]
  const changed = [...plain.graph.initializers]
    .filter(([name, { bytes }]) => Buffer.compare(bytes, mended.graph.initializers.get(name)!.bytes) !== 0)
    .map(([name]) => name)
  const statistics = [...plain.graph.initializers.keys()].filter((name) => name.includes('running_'))
  expect(statistics.length).toBeGreaterThan(4)
  expect(changed).toEqual(statistics)

  const samples = subset(
    await smallDigits(160),
    Array.from({ length: 120 }, (_, i) => i),
  )
  const expected = await recalibrate(plain, { runtime: nodeRuntime, data: samples, threads: 1, batch: 10, seed: 0 })
  for (const name of statistics)
    expect(mended.graph.initializers.get(name)!.bytes, name).toEqual(expected.graph.initializers.get(name)!.bytes)
  // What a resumed run would go on from is untouched, and the accuracy told is that of the file.
  expect(await checkpoint('mended')).toBe(await checkpoint('plain'))
  const { stages } = await json<{ stages: { accuracy: number }[] }>(folder, [
    ...['compare', 'plain/model.onnx', 'mended/model.onnx', '--data', 'idx:data'],
  ])
  expect(stages[1]!.accuracy).toBe(accuracy)
})
