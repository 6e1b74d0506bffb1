import { crc32c, masked } from '../tensorflow/crc32c.ts'

/** Bytes of numbers, text and other bytes, one after another. */
export const concat = (...pieces: (number | string | Uint8Array | readonly number[])[]): Uint8Array =>
  Uint8Array.from(
    pieces.flatMap((piece) =>
      typeof piece === 'number'
        ? [piece]
        : typeof piece === 'string'
          ? [...new TextEncoder().encode(piece)]
          : [...piece],
    ),
  )

export const varint = (value: number | bigint): number[] => {
  const bytes: number[] = []
  for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
    if (rest < 128n) return [...bytes, Number(rest)]
    bytes.push(Number(rest & 127n) | 128)
  }
}

export const word = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer)

/** A protobuf message of fields: a number becomes a varint, all else is length-delimited; `raw` is written as it is. */
export const message = (
  ...fields: [number, number | bigint | string | Uint8Array | { raw: Uint8Array }][]
): Uint8Array =>
  concat(
    ...fields.map(([number, value]) => {
      if (typeof value === 'number' || typeof value === 'bigint') return concat(varint(number * 8), varint(value))
      if (typeof value === 'object' && 'raw' in value) return concat(varint(number * 8 + 5), value.raw)
      const bytes = concat(value)
      return concat(varint(number * 8 + 2), varint(bytes.length), bytes)
    }),
  )

/** Snappy's plainest form: literals of up to 60 bytes. */
const literals = (bytes: Uint8Array): Uint8Array => {
  const pieces: Uint8Array[] = [concat(varint(bytes.length))]
  for (let at = 0; at < bytes.length; at += 60) {
    const piece = bytes.subarray(at, at + 60)
    pieces.push(concat((piece.length - 1) << 2, piece))
  }
  return concat(...pieces)
}

/** Writes a sorted-string table: keys sharing prefixes, `perBlock` entries a block, compressed on request. */
export const table = (
  entries: readonly (readonly [key: string | Uint8Array, value: Uint8Array])[],
  { perBlock = 2, compressed = false } = {},
): Uint8Array => {
  const file: Uint8Array[] = []
  let length = 0
  const write = (block: Uint8Array) => {
    const body = concat(compressed ? literals(block) : block, compressed ? 1 : 0)
    const handle = concat(varint(length), varint(body.length - 1))
    file.push(body, word(masked(crc32c(body))))
    length += body.length + 4
    return handle
  }
  const block = (items: readonly (readonly [Uint8Array, Uint8Array])[]) => {
    let previous = new Uint8Array(0)
    const pieces = items.map(([key, value]) => {
      let shared = 0
      while (shared < Math.min(previous.length, key.length) && previous[shared] === key[shared]) shared++
      previous = Uint8Array.from(key)
      return concat(varint(shared), varint(key.length - shared), varint(value.length), key.subarray(shared), value)
    })
    return concat(...pieces, word(0), word(1))
  }

  const items = entries.map(([key, value]) => [concat(key), value] as const)
  items.sort(([a], [b]) => Buffer.compare(a, b))
  const index: [Uint8Array, Uint8Array][] = []
  for (let i = 0; i < items.length; i += perBlock) {
    const some = items.slice(i, i + perBlock)
    index.push([some.at(-1)![0], write(block(some))])
  }
  const meta = write(block([]))
  const handles = concat(meta, write(block(index)))
  const footer = new Uint8Array(48)
  footer.set(handles)
  footer.set([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb], 40)
  return concat(...file, footer)
}
