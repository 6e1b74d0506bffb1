import { byteLengthOf, type DataType, FormatError, type Tensor } from '../base/index.ts'
import { swapped } from './bytes.ts'

const typeOf: ReadonlyMap<number, DataType> = new Map([
  [0x08, 'uint8'],
  [0x09, 'int8'],
  [0x0b, 'int16'],
  [0x0c, 'int32'],
  [0x0d, 'float32'],
  [0x0e, 'float64'],
])

const failure = (what: string, file: string | undefined) =>
  new FormatError(`not a whole IDX file: ${what}`, {
    place: file === undefined ? {} : { file },
    remedy: 'copy it again from where it came from',
  })

/**
 * What a file's first bytes promise: its elements, where they begin, and the bytes of header and elements together.
 * @param head the header at least, which takes 1024 bytes at most
 */
export const idxHeader = (head: Uint8Array, file?: string) => {
  const type = typeOf.get(head[2] ?? 0)
  const rank = head[3] ?? 0
  const start = 4 + 4 * rank
  if (head[0] !== 0 || head[1] !== 0 || !type || head.length < start) throw failure('it does not begin as one', file)
  const view = new DataView(head.buffer, head.byteOffset, head.length)
  const dims = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis, false))
  const length = start + byteLengthOf({ type, dims })
  if (!Number.isSafeInteger(length)) throw failure(`no array has the shape [${dims.join(', ')}]`, file)
  return { type, dims, start, length }
}

/**
 * Reads an IDX file, MNIST's own format: two zeros, the element type, the number of axes, each axis's length and the
 * elements, all big-endian. Bytes are a view of the file, wider elements a copy. http://yann.lecun.com/exdb/mnist/
 */
export const decodeIdx = (bytes: Uint8Array, options: { file?: string } = {}): Tensor => {
  const { type, dims, start, length } = idxHeader(bytes, options.file)
  if (bytes.length !== length)
    throw failure(
      `${type} of shape [${dims.join(', ')}] takes ${length - start} bytes and ${bytes.length - start} are there`,
      options.file,
    )
  return { type, dims, bytes: swapped(bytes.subarray(start), type) }
}
