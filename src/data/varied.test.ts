import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encode } from 'fast-png'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { random } from '../base/index.ts'
import { batches, batchOf, dimsAt, statistics, withNormalise } from './index.ts'
import { loadDataset } from './node.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-varied-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const colour = (width: number, height: number, rgb: readonly number[]) =>
  encode({ width, height, channels: 3, data: Uint8Array.from({ length: width * height * 3 }, (_, i) => rgb[i % 3]!) })

describe('pictures of several sizes', () => {
  const sizes = [
    [8, 8],
    [12, 6],
    [8, 8],
    [13, 7],
    [8, 8],
  ] as const
  let root: string
  beforeAll(async () => {
    root = join(folder, 'varied')
    for (const part of ['train', 'test'])
      for (const [label, name] of ['a', 'b'].entries()) {
        await mkdir(join(root, part, name), { recursive: true })
        for (const [i, [width, height]] of sizes.entries())
          await writeFile(join(root, part, name, `${i}.png`), colour(width, height, [10 * i + label, 100, 200]))
      }
  })

  test('keep them, and a batch holds those of one', async () => {
    const { train } = await loadDataset(`images:${root}`, { multiple: 1 })
    expect([train.size, dimsAt(train, 1), dimsAt(train, 8)]).toEqual([10, [3, 6, 12], [3, 7, 13]])
    const feed = batches(train, { batch: 4, shuffle: random(3) })
    const [first, second] = [[...feed], [...feed]]
    // Six of 8 × 8 make a batch of four and one of two; the others two each.
    expect(first.map(({ indices }) => indices.length).sort()).toEqual([2, 2, 2, 4])
    expect(feed.perEpoch).toBe(4)
    for (const epoch of [first, second])
      expect(epoch.flatMap(({ indices }) => [...indices]).sort()).toEqual(Array.from({ length: 10 }, (_, i) => i))
    expect(first.map(({ indices }) => [...indices])).not.toEqual(second.map(({ indices }) => [...indices]))
    for (const { inputs, indices, labels } of first) {
      expect(inputs.dims.slice(1)).toEqual(dimsAt(train, indices[0]!))
      expect(labels.dims).toEqual([indices.length])
      const values = new Float32Array(inputs.bytes.buffer)
      const length = values.length / indices.length
      for (const [i, index] of indices.entries())
        expect(values[i * length]).toBeCloseTo((10 * (index % 5) + Math.floor(index / 5)) / 255, 6)
    }
    expect(() => batchOf(train, [0, 1])).toThrow('different sizes')
  })

  test('a saved place continues exactly', async () => {
    const { train } = await loadDataset(`images:${root}`, { multiple: 1 })
    const options = () => ({ batch: 3, shuffle: random(5) })
    const whole = batches(train, options())
    const taken = Array.from({ length: 12 }, () => {
      const state = whole.state()
      return { state, indices: [...whole.next().indices] }
    })
    for (const [at, { state }] of taken.entries())
      expect([...batches(train, options(), state).next().indices]).toEqual(taken[at]!.indices)
  })

  test('are brought to multiples, and to mean 0 and spread 1', async () => {
    const { train } = await loadDataset(`images:${root}`, { multiple: 4 })
    expect(new Set(Array.from({ length: 10 }, (_, i) => dimsAt(train, i).join()))).toEqual(
      new Set(['3,8,8', '3,8,12', '3,8,12']),
    )
    const { mean } = statistics(train)
    expect(mean[1]).toBeCloseTo(100 / 255, 6)
    const { inputs } = batchOf(withNormalise(train, { mean, std: [1] }), [0])
    expect(new Float32Array(inputs.bytes.buffer)[64]).toBeCloseTo(0, 6)
  })

  test('the middle is cut out, and blue may come first', async () => {
    const own = join(folder, 'crop')
    await mkdir(join(own, 'a'), { recursive: true })
    const data = Uint8Array.from({ length: 8 * 8 * 3 }, (_, i) => {
      const [x, y] = [Math.floor(i / 3) % 8, Math.floor(i / 24)]
      return x >= 2 && x < 6 && y >= 2 && y < 6 ? [50, 60, 70][i % 3]! : 0
    })
    for (const name of ['1', '2', '3'])
      await writeFile(join(own, 'a', `${name}.png`), encode({ width: 8, height: 8, channels: 3, data }))
    const { train } = await loadDataset(`images:${own}`, { size: 4, crop: 0.5, order: 'bgr' })
    expect([...train.inputs.subarray(0, 48)]).toEqual([
      ...Array(16).fill(70),
      ...Array(16).fill(60),
      ...Array(16).fill(50),
    ])
  })
})

describe('a class for each pixel', () => {
  const grey = (width: number, height: number, value: (i: number) => number) =>
    encode({ width, height, channels: 1, data: Uint8Array.from({ length: width * height }, (_, i) => value(i)) })
  const make = async (name: string, masks: (i: number) => Uint8Array) => {
    const root = join(folder, name)
    for (const part of ['images', 'masks']) await mkdir(join(root, part), { recursive: true })
    for (let i = 0; i < 6; i++) {
      await writeFile(join(root, 'images', `${i}.png`), colour(4, 4, [i, i, i]))
      await writeFile(join(root, 'masks', `${i}.png`), masks(i))
    }
    return root
  }

  test('comes from masks of the same names, cut and enlarged without mixing classes', async () => {
    const root = await make('masked', (k) => grey(4, 4, (i) => (i === 0 ? 255 : (i + k) % 3)))
    const { train, test: held } = await loadDataset(`images:${root}`, { ignore: 255, size: 8 })
    expect([train.size, held.size, train.labelDims, train.classes]).toEqual([5, 1, [8, 8], ['0', '1', '2']])
    const { labels, indices } = batchOf(train, [0, 1])
    expect(labels.dims).toEqual([2, 8, 8])
    const values = new BigInt64Array(labels.bytes.buffer)
    for (const at of [0, 1])
      for (let i = 0; i < 64; i++) {
        const old = Math.floor(Math.floor(i / 8) / 2) * 4 + Math.floor((i % 8) / 2)
        const k = train.inputs[train.rows![indices[at]!]! * 192]!
        expect(Number(values[at * 64 + i])).toBe(old === 0 ? 255 : (old + k) % 3)
      }
    await expect(loadDataset(`images:${root}`, { classes: 3 })).rejects.toThrow(/255 and there are 3 classes.*ignore/)
  })

  test('is refused where a mask is missing, of another size or no mask', async () => {
    const root = await make('wrong', () => grey(4, 4, () => 1))
    await writeFile(
      join(root, 'masks/2.png'),
      grey(3, 4, () => 0),
    )
    await expect(loadDataset(`images:${root}`)).rejects.toThrow(/masks\/2\.png.*3 × 4 and its picture 4 × 4/)
    await writeFile(join(root, 'masks/2.png'), colour(4, 4, [1, 2, 3]))
    await expect(loadDataset(`images:${root}`)).rejects.toThrow(/masks\/2\.png.*3 channels/)
    await rm(join(root, 'masks/2.png'))
    await expect(loadDataset(`images:${root}`)).rejects.toThrow(/images\/2\.png.*no mask '2\.png'/)
    await expect(loadDataset(`images:${root}`, { multiple: 2 })).rejects.toThrow(/2\.png|one size/)
  })
})
