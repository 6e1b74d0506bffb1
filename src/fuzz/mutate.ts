import type { Random } from '../base/index.ts'

/** Numbers at which readers of files go wrong: ends of ranges, and lengths far beyond any file. */
const edges = [0, 1, 2, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]

const pick = <T>(items: readonly T[], dice: Random): T => items[dice.below(items.length)]!

const joined = (...pieces: Uint8Array[]): Uint8Array => {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

type Mutation = (bytes: Uint8Array, dice: Random, other: Uint8Array) => Uint8Array

/** Bytes changed in place of a copy. */
const inPlace =
  (change: (bytes: Uint8Array, dice: Random) => void): Mutation =>
  (bytes, dice) => {
    const copy = Uint8Array.from(bytes)
    if (copy.length > 0) change(copy, dice)
    return copy
  }

const mutations: readonly Mutation[] = [
  // A few flipped bits.
  inPlace((bytes, dice) => {
    for (let n = 1 + dice.below(4); n > 0; n--) bytes[dice.below(bytes.length)]! ^= 1 << dice.below(8)
  }),
  // Random bytes.
  inPlace((bytes, dice) => {
    for (let n = 1 + dice.below(16); n > 0; n--) bytes[dice.below(bytes.length)] = dice.below(256)
  }),
  // A number at the end of its range, in either byte order.
  inPlace((bytes, dice) => {
    const size = pick([1, 2, 4], dice)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const at = dice.below(bytes.length)
    if (at + size > bytes.length) return
    const value = pick(edges, dice) % 2 ** (8 * size)
    const little = dice.uniform() < 0.5
    if (size === 1) view.setUint8(at, value)
    else if (size === 2) view.setUint16(at, value, little)
    else view.setUint32(at, value, little)
  }),
  // Protobuf's form of a large length, over other bytes or between them.
  (bytes, dice) => {
    const at = dice.below(bytes.length + 1)
    const large = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x07)
    return joined(bytes.subarray(0, at), large, bytes.subarray(dice.uniform() < 0.5 ? at : at + large.length))
  },
  // Cut short.
  (bytes, dice) => bytes.slice(0, dice.below(bytes.length + 1)),
  // A piece of its own twice, or left out.
  (bytes, dice) =>
    joined(bytes.subarray(0, dice.below(bytes.length + 1)), bytes.subarray(dice.below(bytes.length + 1))),
  // A piece of another file in the middle.
  (bytes, dice, other) => {
    const [at, from] = [dice.below(bytes.length + 1), dice.below(other.length + 1)]
    return joined(
      bytes.subarray(0, at),
      other.subarray(from, from + dice.below(64)),
      bytes.subarray(at + dice.below(8)),
    )
  },
  // A run of one byte, as a disk leaves it.
  inPlace((bytes, dice) => {
    const at = dice.below(bytes.length)
    bytes.fill(dice.uniform() < 0.5 ? 0 : 255, at, at + 1 + dice.below(64))
  }),
]

/** The bytes with one to three kinds of damage; `other` lends pieces. */
export const mutate = (bytes: Uint8Array, dice: Random, other: Uint8Array = bytes): Uint8Array => {
  let damaged: Uint8Array = Uint8Array.from(bytes)
  for (let n = 1 + dice.below(3); n > 0; n--) damaged = pick(mutations, dice)(damaged, dice, other)
  return damaged
}

/** Text with words replaced, dropped, doubled and strange characters put in, for formats that people type. */
export const mutateText = (text: string, dice: Random): string => {
  const words = text.split(/(?<=[\s,:;="'[\]{}])|(?=[\s,:;="'[\]{}])/)
  for (let n = 1 + dice.below(4); n > 0; n--) {
    const at = dice.below(words.length)
    const way = dice.below(4)
    if (way === 0) words[at] = strangeText(dice)
    else if (way === 1) words.splice(at, 1)
    else if (way === 2) words.splice(at, 0, words[dice.below(words.length)] ?? '')
    else words[at] = strangeText(dice) + (words[at] ?? '')
  }
  return words.join('')
}

const strange = [
  ...['', ' ', '-1', '0', '1', '0.5', '-0', 'NaN', 'Infinity', '-Infinity', '1e308', '-1e308', '1e-320', '2147483648'],
  ...['9007199254740993', '1e6', '0x10', '1,2', '1_000', '١', '½', 'true', 'null'],
  ...['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf', '../..', '/', '.', '~', '*', '%', '--', '-'],
  ...['\0', '\n', '\r', '\t', '\x1b[31m', '\x07', '\x7f', '\u2028', '\u202e', '\ufeff', '\ud800', '"', "'", '`', '\\'],
  ...['😀', 'é', 'e\u0301', '$HOME', '$(id)', ';', '|', '&', '<script>', '{}', '[]', ':', '=', ',', 'a=b', 'x:y=z'],
]

/** A word at which readers of text go wrong. */
export const strangeText = (dice: Random): string =>
  dice.below(40) === 0 ? 'x'.repeat(1000 + dice.below(100_000)) : pick(strange, dice)

/** A number at which arithmetic and limits go wrong. */
export const strangeNumber = (dice: Random): number =>
  pick([...edges, ...[-1, 0.5, 2 ** 33, 2 ** 53, 1e18, 1e308, -1e308, 1e-320, -0, Number.NaN, Infinity]], dice)

export { joined, pick }
