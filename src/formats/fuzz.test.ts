import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { EspalierError, float32, int64, type Random, random, type Tensor, uint8 } from '../base/index.ts'
import { fixture } from '../testing/fixtures.ts'
import { kindOf } from './detect.ts'
import { decodeIdx } from './idx.ts'
import { decodeNpy, decodeNpz, encodeNpy, encodeNpz } from './numpy.ts'
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts'
import { readBundle } from './tensorflow/bundle.ts'
import { readSavedSlices } from './tensorflow/saved-slices.ts'
import { readTable } from './tensorflow/table.ts'
import { message, table } from './testing/table.ts'

const checkpoint = fixture('tf-checkpoint/model.ckpt')
const tensors = new Map<string, Tensor>([
  ['weights', float32([2, 3], [1, 2, 3, 4, 5, 6])],
  ['ids', int64([2], [1, 2])],
  ['bytes', uint8([3], [1, 2, 3])],
])

/** The bytes with a few changed, some left out or some said twice. */
const mutated = (bytes: Uint8Array, dice: Random): Uint8Array => {
  const changed = Uint8Array.from(bytes)
  for (let n = 1 + dice.below(4); n > 0; n--)
    changed[dice.below(changed.length)] =
      dice.uniform() < 0.5 ? dice.below(256) : [0, 1, 0x7f, 0x80, 0xff][dice.below(5)]!
  const [a, b] = [dice.below(bytes.length + 1), dice.below(bytes.length + 1)].sort((x, y) => x - y)
  const cut = dice.uniform()
  if (cut < 0.6) return changed
  return cut < 0.8 ? changed.subarray(0, b) : Uint8Array.from([...changed.subarray(0, b), ...changed.subarray(a)])
}

const index = readTable(readFileSync(`${checkpoint}.index`))
/** A checkpoint's index with one entry mutated and every checksum right, so that what lies inside is reached. */
const damagedBundle = (dice: Random) => {
  const which = dice.below(index.length)
  return table(index.map(({ key, value }, i) => [key, i === which && value.length ? mutated(value, dice) : value]))
}
const slices: [string, Uint8Array][] = [
  ['', message([1, message([1, message([1, 'w'], [2, message([2, message([1, 2])])], [3, 1])])])],
  ['\0w', message([2, message([1, 'w'], [2, message([1, ''])], [3, message([5, new Uint8Array(8)])])])],
]

const archives = [encodeNpz(tensors), encodeNpz(tensors, { compress: true })]

const cases: Record<string, (dice: Random) => unknown> = {
  safetensors: (dice) => decodeSafetensors(mutated(encodeSafetensors(tensors, { a: 'b' }), dice)),
  npy: (dice) => decodeNpy(mutated(encodeNpy(tensors.get('weights')!), dice)),
  npz: (dice) => decodeNpz(mutated(archives[dice.below(2)]!, dice)),
  idx: (dice) => decodeIdx(mutated(Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4), dice)),
  table: (dice) => readTable(mutated(table(slices, { compressed: true }), dice)),
  bundle: async (dice) => {
    const bundle = readBundle(damagedBundle(dice))
    for (const name of bundle.variables.keys())
      await bundle.tensor(name, async (_, offset, size) => {
        if (offset + size > 1_095_740) throw new Error('past the end')
        return new Uint8Array(size)
      })
  },
  'saved slices': (dice) => {
    const which = dice.below(slices.length)
    const bytes = table(slices.map(([key, value], i) => [key, i === which ? mutated(value, dice) : value]))
    const saved = readSavedSlices([{ bytes }])
    for (const name of saved.variables.keys()) saved.tensor(name)
  },
  detect: (dice) => {
    const bytes = mutated(readFileSync(fixture('gradients/mlp.onnx')), dice)
    kindOf({ head: bytes.subarray(0, 4096), tail: bytes.subarray(-8), size: bytes.length })
  },
}

test.each(Object.entries(cases))('%s: a damaged file is read or refused, never anything else', async (name, read) => {
  const dice = random(17)
  let refused = 0
  for (let i = 0; i < 600; i++) {
    try {
      await read(dice)
    } catch (error) {
      expect(error, `mutation ${i}`).toBeInstanceOf(EspalierError)
      refused++
    }
  }
  if (name !== 'detect') expect(refused).toBeGreaterThan(50)
})
