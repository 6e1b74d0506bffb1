import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FormatError } from '../../base/index.ts'
import { concat, table } from '../testing/table.ts'
import { crc32c } from './crc32c.ts'
import { unsnappy } from './snappy.ts'
import { readTable } from './table.ts'

const ascii = (text: string) => new TextEncoder().encode(text)

test('crc32c gives the vectors of RFC 3720 B.4', () => {
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e)
  expect(crc32c(ascii('56789'), crc32c(ascii('1234')))).toBe(crc32c(ascii('123456789')))
})

// Compressed by SnappyJS 0.7.0.
const compressed = Buffer.from(
  'lgN8ZXNwYWxpZXI6IGEgdHJlZSB0cmFpbmVkIGFuZCBwcnUBC3B0byBncm93IGZsYXQgYWdhaW5zdCBhIHdhbGwuIP5BAP5BAP5BAP5BAAFBAGH+AQA6AQAAIQ==',
  'base64',
)

test('snappy expands what another implementation compressed', () => {
  const text = `${'espalier: a tree trained and pruned to grow flat against a wall. '.repeat(5)}${'a'.repeat(80)}!`
  expect(new TextDecoder().decode(unsnappy(compressed))).toBe(text)
})

test('snappy takes long literals and far copies', () => {
  const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => (i * i) >> 3)
  const copy = concat([0xfc, 0x6f, 0x11, 1, 0], bytes, [0xff, 0x70, 0x11, 1, 0])
  const length = bytes.length + 64
  const varint = [(length & 127) | 128, ((length >> 7) & 127) | 128, length >> 14]
  expect(Buffer.compare(unsnappy(concat(varint, copy)), concat(bytes, bytes.subarray(0, 64)))).toBe(0)
})

test.each<[string, readonly number[]]>([
  ['nothing', []],
  ['a length without end', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
  ['an impossible length', [0xff, 0xff, 0xff, 0xff, 0x0f, 0]],
  ['a literal past its end', [4, 12, 1]],
  ['a copy from before the start', [8, 0, 7, 0x11, 9]],
  ['a copy of nothing yet', [4, 1, 0]],
  ['more than it said', [1, 4, 1, 2]],
  ['less than it said', [3, 4, 1, 2]],
])('snappy refuses %s', (_, bytes) => {
  expect(() => unsnappy(Uint8Array.from(bytes))).toThrow(/compressed block/)
})

test('any entries can be read back, compressed or not', () => {
  const key = fc.string({ unit: fc.constantFrom('a', 'b', '/', 'é'), maxLength: 200 })
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(key, fc.uint8Array()), { selector: ([name]) => name }),
      fc.integer({ min: 1, max: 5 }),
      fc.boolean(),
      (entries, perBlock, compressed) => {
        const read = readTable(table(entries, { perBlock, compressed }))
        expect(new Map(read.map(({ key, value }) => [new TextDecoder().decode(key), [...value]]))).toEqual(
          new Map(entries.map(([key, value]) => [key, [...value]])),
        )
      },
    ),
  )
})

test('no damaged byte and no cut goes unseen', () => {
  const file = table([
    ['', ascii('header')],
    ['dnn/biases', ascii('1')],
    ['dnn/weights', ascii('2')],
  ])
  const footer = file.length - 48
  const meta = { offset: file[footer]!, size: file[footer + 1]! + 5 }
  for (let at = 0; at < file.length; at++) {
    // The metaindex block holds nothing anyone reads, nor do its place in the footer and the footer's padding.
    if (at >= meta.offset && at < meta.offset + meta.size) continue
    if (at >= footer && at < footer + 40 && at !== footer + 2 && at !== footer + 3) continue
    const damaged = Uint8Array.from(file)
    damaged[at]! ^= 0x10
    expect(() => readTable(damaged, 'net.ckpt.index'), `byte ${at}`).toThrow(FormatError)
  }
  for (let length = 0; length < file.length; length++)
    expect(() => readTable(file.subarray(0, length)), `${length} bytes`).toThrow(FormatError)
})
