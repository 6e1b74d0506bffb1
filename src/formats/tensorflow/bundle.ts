import { byteLengthOf, FormatError, messageOf, sizeOf, type Tensor, type TensorType } from '../../base/index.ts'
import { swapped } from '../bytes.ts'
import { crc32c, masked } from './crc32c.ts'
import { dataTypeOf, type Extent, extentsOf, Message, shapeOf } from './proto.ts'
import { assemble } from './slices.ts'
import { readTable } from './table.ts'

/** Where a variable, or one part of a partitioned one, lies: BundleEntryProto. */
type Entry = {
  type: number
  dims: number[]
  shard: number
  offset: number
  size: number
  checksum: number
  slices: Extent[][]
}

/** A checkpoint's index, read: which variables there are and where their bytes lie in the data shards. */
export type Bundle = {
  readonly shards: number
  readonly variables: Map<string, TensorType>
  /** Reads one variable through `read`, which gives bytes of a shard. */
  tensor(name: string, read: ShardReader): Promise<Tensor>
}

/** `size` bytes at `offset` of a data shard. @throws when the shard is shorter. */
export type ShardReader = (shard: number, offset: number, size: number) => Promise<Uint8Array>

/**
 * Reads the index of a version 2 checkpoint, a table from variable name to BundleEntryProto whose empty key holds the
 * BundleHeaderProto (tensorflow/core/protobuf/tensor_bundle.proto).
 */
export const readBundle = (index: Uint8Array, file?: string): Bundle => {
  const place = file === undefined ? {} : { file }
  const fail = (what: string, cause?: unknown, initializer?: string) =>
    new FormatError(what, {
      place: initializer === undefined ? place : { ...place, initializer },
      remedy: 'copy the checkpoint again from where it was saved',
      cause,
    })

  const text = new TextDecoder()
  const values = new Map(readTable(index, file).map(({ key, value }) => [latin1(key), { key, value }]))
  const headerEntry = values.get('')
  if (!headerEntry) throw fail('not a TensorFlow checkpoint index: it has no header')

  let shards: number
  let bigEndian: boolean
  try {
    const header = new Message(headerEntry.value)
    shards = header.integer(1)
    bigEndian = header.integer(2) === 1
  } catch (error) {
    throw fail(`the header is damaged: ${messageOf(error)}`, error)
  }

  const entries = new Map<string, Entry>()
  const parts = new Map<string, Entry>()
  const variables = new Map<string, TensorType>()
  for (const [id, { key, value }] of values) {
    if (id === '') continue
    const isPart = key[0] === 0
    const name = text.decode(key)
    try {
      const entry = entryOf(value)
      if (entry.shard >= shards) throw new Error(`it is in shard ${entry.shard} of ${shards}`)
      if (isPart) {
        parts.set(id, entry)
        continue
      }
      entries.set(name, entry)
      const type = dataTypeOf(entry.type)
      variables.set(name, { type: type ?? 'undefined', dims: entry.dims })
    } catch (error) {
      throw fail(`damaged entry: ${messageOf(error)}`, error, isPart ? undefined : name)
    }
  }

  const tensor = async (name: string, read: ShardReader): Promise<Tensor> => {
    const entry = entries.get(name)
    const type = variables.get(name)
    if (!entry || !type) throw fail('the checkpoint has no such variable', undefined, name)
    try {
      if (type.type === 'undefined') throw new Error(`TensorFlow's type ${entry.type} is not an array`)
      if (entry.slices.length === 0) return await whole(type, entry, read, bigEndian)
      if (type.type === 'string') throw new Error('a partitioned variable of strings is not supported')
      const slices = []
      for (const extents of entry.slices) {
        const part = parts.get(sliceKey(name, extents))
        if (!part || part.type !== entry.type) throw new Error('one of its parts is missing')
        slices.push({ extents, bytes: (await whole({ ...type, dims: part.dims }, part, read, bigEndian)).bytes })
      }
      return assemble(type, slices)
    } catch (error) {
      throw fail(messageOf(error), error, name)
    }
  }
  return { shards, variables, tensor }
}

const entryOf = (value: Uint8Array): Entry => {
  const message = new Message(value)
  const checksum = message.bytes(6)
  const entry = {
    type: message.integer(1),
    dims: shapeOf(message.bytes(2)),
    shard: message.integer(3),
    offset: message.integer(4),
    size: message.integer(5),
    checksum: checksum?.length === 4 ? new DataView(checksum.buffer, checksum.byteOffset).getUint32(0, true) : 0,
    slices: message.all(7).map(extentsOf),
  }
  if (entry.shard < 0 || entry.offset < 0 || entry.size < 0) throw new Error('it lies at a negative place')
  return entry
}

/** A variable stored in one piece, its checksum verified. */
const whole = async (type: TensorType, entry: Entry, read: ShardReader, bigEndian: boolean): Promise<Tensor> => {
  if (type.type !== 'string' && entry.size !== byteLengthOf(type))
    throw new Error(`${entry.size} bytes are stored for a ${type.type} of shape [${type.dims.join(', ')}]`)
  const bytes = await read(entry.shard, entry.offset, entry.size)
  if (type.type === 'string') return stringsOf(type, bytes, entry.checksum)
  if (masked(crc32c(bytes)) !== entry.checksum) throw new Error('its bytes do not match their checksum')
  return { ...type, bytes: bigEndian ? swapped(bytes, type.type) : bytes }
}

/**
 * Strings lie as their lengths in varints, a checksum of the lengths, then their bytes one after another. The checksum
 * of the whole runs over the lengths as 32-bit (64-bit past 2^32) numbers, the lengths' checksum, and the bytes.
 */
const stringsOf = (type: TensorType, stored: Uint8Array, checksum: number): Tensor => {
  const count = sizeOf(type.dims)
  if (count > stored.length) throw new Error('its strings are cut short')
  const lengths: number[] = []
  let at = 0
  for (let i = 0; i < count; i++) {
    let length = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = stored[at++]
      if (byte === undefined || factor > 2 ** 42) throw new Error('its strings are cut short')
      length += (byte & 0x7f) * factor
      if (byte < 0x80) break
    }
    lengths.push(length)
  }
  let crc = 0
  for (const length of lengths) {
    const bytes = new Uint8Array(length < 2 ** 32 ? 4 : 8)
    new DataView(bytes.buffer).setUint32(0, length % 2 ** 32, true)
    if (bytes.length === 8) new DataView(bytes.buffer).setUint32(4, Math.floor(length / 2 ** 32), true)
    crc = crc32c(bytes, crc)
  }
  crc = crc32c(stored.subarray(at), crc)
  if (masked(crc) !== checksum) throw new Error('its strings do not match their checksum')
  at += 4
  const strings = lengths.map((length) => {
    at += length
    return stored.subarray(at - length, at)
  })
  if (at !== stored.length) throw new Error('its strings are cut short')
  return { ...type, bytes: new Uint8Array(0), strings }
}

/** Keys are bytes in no particular encoding; one character per byte tells them apart exactly. */
const latin1 = (bytes: Uint8Array | number[]): string => Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')

/** The key of one part of a partitioned variable: 0, its name, its rank, then start and length per axis. */
const sliceKey = (name: string, extents: readonly Extent[]): string =>
  latin1([
    0,
    ...[...new TextEncoder().encode(name)].flatMap((byte) =>
      byte === 0 ? [0, 0xff] : byte === 0xff ? [0xff, 0] : [byte],
    ),
    ...[0, 1],
    ...(extents.length ? [1, extents.length] : [0]),
    ...extents.flatMap(({ start, length }) => [...orderedCode(start), ...orderedCode(length)]),
  ])

/**
 * A signed number whose bytes sort as it does: as many leading one bits as there are bytes, xored onto its big-endian
 * two's complement; n bytes hold numbers of 7n − 1 bits (tensorflow/core/lib/strings/ordered_code.cc).
 */
const orderedCode = (value: number): number[] => {
  const bits = (value < 0 ? ~BigInt(value) : BigInt(value)).toString(2).length * (value === 0 || value === -1 ? 0 : 1)
  const count = Math.floor(bits / 7) + 1
  const bytes = Array.from({ length: count }, (_, i) => Number((BigInt(value) >> BigInt(8 * (count - 1 - i))) & 0xffn))
  bytes[0]! ^= (0xff00 >> count) & 0xff
  return bytes
}
