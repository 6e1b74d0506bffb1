import { encode } from 'fast-png'
import jpeg from 'jpeg-js'
import { expect, test } from 'vitest'
import { EspalierError, type Random, random } from '../base/index.ts'
import { parseTable } from './sources/csv.ts'
import { decodeImage } from './sources/decode-image.ts'

const mutated = (bytes: Uint8Array, dice: Random): Uint8Array => {
  const changed = Uint8Array.from(bytes)
  for (let n = 1 + dice.below(4); n > 0; n--) changed[dice.below(changed.length)] = dice.below(256)
  return dice.uniform() < 0.7 ? changed : changed.subarray(0, dice.below(changed.length))
}
const noise = Uint8Array.from({ length: 9 * 7 * 3 }, (_, i) => (i * i * 31) % 256)
const png = encode({ width: 9, height: 7, data: noise, channels: 3 })
const rgba = { width: 9, height: 7, data: Uint8Array.from({ length: 9 * 7 * 4 }, (_, i) => (i * i * 31) % 256) }
const jpg = Uint8Array.from(jpeg.encode(rgba, 80).data)
const csv = new TextEncoder().encode('a,"b ""c""",label\n1,2,x\n"3",4,y\n5,6,x\n')

test.each<[string, (dice: Random) => unknown]>([
  ['PNG', (dice) => decodeImage(mutated(png, dice), 'a.png')],
  ['JPEG', (dice) => decodeImage(mutated(jpg, dice), 'a.jpg')],
  ['table', (dice) => parseTable(new TextDecoder().decode(mutated(csv, dice)), 'a.csv')],
])('a damaged %s is read or refused, never anything else', (_, read) => {
  const dice = random(23)
  let refused = 0
  for (let i = 0; i < 400; i++) {
    try {
      read(dice)
    } catch (error) {
      expect(error, `mutation ${i}`).toBeInstanceOf(EspalierError)
      refused++
    }
  }
  expect(refused).toBeGreaterThan(50)
})
