import { constants, inflateSync } from 'node:zlib'
import { bestRatio } from '../../formats/inflate.ts'

/** The chunks that make the picture. Others, such as a compressed colour profile, could become anything. */
const wanted = new Set(['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND'])

const signatureLength = 8

/**
 * A PNG of the chunks that make its picture, safe to be decoded: its data become as many bytes as its header promises and
 * no more, and the header promises no more than its data can become.
 * @throws Error where it is damaged or has no pixels
 */
export const guardedPng = (bytes: Uint8Array, mostPixels: number): Uint8Array => {
  const chunks = [...chunksOf(bytes)].filter(({ type }) => wanted.has(type))
  const [header] = chunks
  if (header?.type !== 'IHDR' || header.data.length !== 13) throw new Error('it has no header')
  const size = promisedBytes(header.data, mostPixels)
  const data = joined(chunks.flatMap(({ type, data }) => (type === 'IDAT' ? [data] : [])))
  if (size > data.length * bestRatio) throw new Error(`${data.length} compressed bytes cannot hold ${size}`)
  checkInflated(data, size)
  return joined([bytes.subarray(0, signatureLength), ...chunks.map(({ whole }) => whole)])
}

type Chunk = { readonly type: string; readonly data: Uint8Array; readonly whole: Uint8Array }

/** https://www.w3.org/TR/png-3/#5Chunk-layout */
function* chunksOf(bytes: Uint8Array): Generator<Chunk> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = signatureLength; ; ) {
    if (at + 12 > bytes.length) throw new Error('it is cut short')
    const length = view.getUint32(at)
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8))
    const end = at + 12 + length
    if (end > bytes.length) throw new Error('it is cut short')
    yield { type, data: bytes.subarray(at + 8, end - 4), whole: bytes.subarray(at, end) }
    if (type === 'IEND') return
    at = end
  }
}

const channelsOf: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [2, 3],
  [3, 1],
  [4, 2],
  [6, 4],
])

/** Where the seven passes of an interlaced picture begin, and their steps: columns, rows. */
const passes = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const

/** How many bytes the picture takes, each row with the number of its filter before it. */
const promisedBytes = (header: Uint8Array, mostPixels: number): number => {
  const view = new DataView(header.buffer, header.byteOffset, header.length)
  const [width, height, depth] = [view.getUint32(0), view.getUint32(4), view.getUint8(8)]
  if (width * height === 0) throw new Error(`it has no pixels (${width} × ${height})`)
  if (width * height > mostPixels) throw new Error(`it has more than ${mostPixels / 1e6} million pixels`)
  const bits = depth * (channelsOf.get(view.getUint8(9)) ?? 4)
  const bytesOf = (columns: number, rows: number) => (columns > 0 ? rows * (1 + Math.ceil((columns * bits) / 8)) : 0)
  if (view.getUint8(12) === 0) return bytesOf(width, height)
  return passes.reduce(
    (sum, [x, y, across, down]) => sum + bytesOf(Math.ceil((width - x) / across), Math.ceil((height - y) / down)),
    0,
  )
}

const checkInflated = (data: Uint8Array, size: number): void => {
  const length = (() => {
    try {
      // Without an end mark too, as the decoder takes it: whether all is there shows in the length.
      return inflateSync(data, { maxOutputLength: size, finishFlush: constants.Z_SYNC_FLUSH }).length
    } catch (error) {
      throw error instanceof RangeError ? new Error(`its data becomes more than the ${size} bytes it should`) : error
    }
  })()
  if (length < size) throw new Error(`its data becomes ${length} bytes where ${size} are expected`)
}

const joined = (parts: readonly Uint8Array[]): Uint8Array => {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
