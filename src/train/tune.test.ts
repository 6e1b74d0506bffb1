import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { float32 } from '../base/index.ts'
import { networks } from '../nn/index.ts'
import { nodeRuntime as runtime } from '../runtime/node.ts'
import { engineBatchOf, smallCnn, smallDigits, smallResnet } from './testing/samples.ts'
import { formulationsOf, openFormulation, type Timing, tune } from './tune.ts'
import { remembered } from './tune-memory.ts'

const example = async (size = 8) => engineBatchOf(await smallDigits(16), 0, size)

describe('formulations', () => {
  test('a batch is split only where that changes nothing; wide 3×3 kernels may be filtered minimally', async () => {
    const options = { runtime, shards: 2 }
    expect(await formulationsOf(smallCnn(), options, await example())).toEqual([{ split: true }, { split: false }])
    expect(await formulationsOf(smallResnet(), options, await example())).toEqual([{ split: false }])
    const wide = networks['vgg-small']!.build()
    const one = { inputs: { input: float32([1, 3, 32, 32], new Float32Array(3072)) }, targets: {} }
    expect(await formulationsOf(wide, options, one)).toEqual([
      { split: false },
      { split: false, minimalFiltering: 128 },
      { split: false, minimalFiltering: 64 },
      { split: false, minimalFiltering: 32 },
    ])
  })

  test('all give the same loss and gradients', async () => {
    const model = smallCnn()
    const batch = await example()
    const found = []
    for (const formulation of [{ split: false }, { split: true }, { split: false, minimalFiltering: 1 }]) {
      const engine = await openFormulation(model, { runtime, shards: 2 }, formulation, batch)
      const { loss } = await engine.step(batch)
      found.push({ loss, gradient: [...engine.gradients.get('conv1.weight')!] })
      await engine.close()
    }
    for (const other of found.slice(1)) {
      expect(other.loss).toBeCloseTo(found[0]!.loss, 5)
      for (const [i, value] of other.gradient.entries()) expect(value).toBeCloseTo(found[0]!.gradient[i]!, 4)
    }
  })
})

describe('tuning', () => {
  test('times every formulation, the fastest first, and leaves the weights alone', async () => {
    const model = smallCnn()
    const before = model.graph.initializers.get('conv1.weight')!.bytes.slice()
    const seen: Timing[] = []
    const trials = await tune(model, { runtime, shards: 2, steps: 2, onTiming: (t) => seen.push(t) }, await example())
    expect(seen).toHaveLength(2)
    expect(trials.map((t) => t.ms)).toEqual(seen.map((t) => t.ms).sort((a, b) => a - b))
    expect(model.graph.initializers.get('conv1.weight')!.bytes).toEqual(before)
  })

  test('is done once for a graph and a batch, and again for others or where memory is spoilt', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'espalier-tune-')), 'tuning.json')
    let trials = 0
    const options = { runtime, shards: 2, steps: 1, file, onTiming: () => trials++ }
    const first = await remembered(smallCnn(), options, await example())
    expect(trials).toBe(2)
    expect(await remembered(smallCnn(), options, await example())).toEqual(first)
    expect(trials).toBe(2)
    await remembered(smallCnn(), options, await example(6))
    expect(trials).toBe(4)
    expect(Object.keys(JSON.parse(await readFile(file, 'utf8')))).toHaveLength(2)
    await writeFile(file, '{"broken')
    await remembered(smallCnn(), options, await example())
    expect(trials).toBe(6)
  })
})
