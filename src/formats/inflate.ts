import { Inflate } from 'fflate'

/** Deflate shrinks to no less than this share: 258 bytes in two bits. */
export const bestRatio = 1032

/** Bytes given to the inflater at once; what they may become is held in memory before it can be counted. */
const step = 4096

/**
 * The first bytes of deflated data: at least as many as `enough` asks for, given those there are so far, or all.
 * @throws Error where the data is damaged
 */
export const inflatedHead = (data: Uint8Array, enough: (head: Uint8Array) => number): Uint8Array => {
  let head = new Uint8Array(0)
  for (const piece of inflatedPieces(data)) {
    const longer = new Uint8Array(head.length + piece.length)
    longer.set(head)
    longer.set(piece, head.length)
    head = longer
    if (head.length >= enough(head)) break
  }
  return head
}

/**
 * Deflated data that must become `size` bytes. Ends as soon as it becomes more, so that memory follows from `size` alone,
 * and does not begin where the data is too short for that.
 * @throws Error where it becomes more or less, or is damaged
 */
export const inflateExactly = (data: Uint8Array, size: number): Uint8Array => {
  if (size > data.length * bestRatio) throw new Error(`${data.length} compressed bytes cannot hold ${size}`)
  const bytes = new Uint8Array(size)
  let length = 0
  for (const piece of inflatedPieces(data)) {
    if (length + piece.length > size) throw new Error(`its data becomes more than the ${size} bytes it should`)
    bytes.set(piece, length)
    length += piece.length
  }
  if (length < size) throw new Error(`its data becomes ${length} bytes where ${size} are expected`)
  return bytes
}

function* inflatedPieces(data: Uint8Array): Generator<Uint8Array> {
  const pieces: Uint8Array[] = []
  const inflater = new Inflate((piece) => pieces.push(piece))
  for (let at = 0; at < data.length; at += step) {
    inflater.push(data.subarray(at, at + step), at + step >= data.length)
    yield* pieces.splice(0)
  }
}
