import { FormatError, messageOf } from '../../base/index.ts'
import { crc32c, masked } from './crc32c.ts'
import { unsnappy } from './snappy.ts'

/** The last 8 bytes of every table, low byte first. */
export const tableMagic = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb] as const
const footerLength = 48

export const endsLikeTable = (bytes: Uint8Array): boolean =>
  bytes.length >= 8 && tableMagic.every((byte, i) => bytes[bytes.length - 8 + i] === byte)

/**
 * The entries of a sorted-string table as LevelDB defines it: data blocks of prefix-compressed keys, an index block
 * pointing at them, and a footer pointing at the index. Each block ends with its compression and its checksum.
 * https://github.com/google/leveldb/blob/main/doc/table_format.md
 * @throws FormatError naming the file when it is cut short or a checksum does not match.
 */
export const readTable = (bytes: Uint8Array, file?: string): { key: Uint8Array; value: Uint8Array }[] => {
  try {
    if (bytes.length < footerLength || !endsLikeTable(bytes)) throw new Error('it does not end as a table does')
    const footer = new Cursor(bytes, bytes.length - footerLength)
    footer.varint()
    footer.varint() // The metaindex block, which TensorFlow leaves empty.
    return entriesOf(blockAt(bytes, footer)).flatMap(({ value }) => entriesOf(blockAt(bytes, new Cursor(value))))
  } catch (error) {
    throw new FormatError(`not a whole TensorFlow checkpoint: ${messageOf(error)}`, {
      place: file === undefined ? {} : { file },
      remedy: 'copy the file again from where it was saved',
      cause: error,
    })
  }
}

const blockAt = (bytes: Uint8Array, handle: Cursor): Uint8Array => {
  const offset = handle.varint()
  const size = handle.varint()
  if (offset + size + 5 > bytes.length) throw new Error('a block lies past the end')
  const stored = new DataView(bytes.buffer, bytes.byteOffset + offset + size + 1).getUint32(0, true)
  if (masked(crc32c(bytes.subarray(offset, offset + size + 1))) !== stored)
    throw new Error(`the block at byte ${offset} does not match its checksum`)
  const compression = bytes[offset + size]
  const block = bytes.subarray(offset, offset + size)
  if (compression === 0) return block
  if (compression === 1) return unsnappy(block)
  throw new Error(`unknown compression ${compression}`)
}

const entriesOf = (block: Uint8Array): { key: Uint8Array; value: Uint8Array }[] => {
  if (block.length < 4) throw new Error('a block is empty')
  const restarts = new DataView(block.buffer, block.byteOffset + block.length - 4).getUint32(0, true)
  const end = block.length - 4 - restarts * 4
  if (end < 0) throw new Error('a block has too many restart points')
  const cursor = new Cursor(block.subarray(0, end))
  const entries = []
  let key: Uint8Array = new Uint8Array(0)
  while (cursor.at < end) {
    const shared = cursor.varint()
    const own = cursor.varint()
    const size = cursor.varint()
    if (shared > key.length) throw new Error('a key shares more than its predecessor has')
    const suffix = cursor.take(own)
    const next = new Uint8Array(shared + own)
    next.set(key.subarray(0, shared))
    next.set(suffix, shared)
    key = next
    entries.push({ key, value: cursor.take(size) })
  }
  return entries
}

/** A place in bytes, moved on by reading. */
class Cursor {
  readonly bytes: Uint8Array
  at: number

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  varint(): number {
    let value = 0
    for (let factor = 1; factor < 2 ** 53; factor *= 128) {
      const byte = this.bytes[this.at++]
      if (byte === undefined) throw new Error('a number is cut short')
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    throw new Error('a number is too large')
  }

  take(size: number): Uint8Array {
    if (this.at + size > this.bytes.length) throw new Error('an entry is cut short')
    this.at += size
    return this.bytes.subarray(this.at - size, this.at)
  }
}
