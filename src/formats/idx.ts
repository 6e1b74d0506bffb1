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

/**
 * Reads an IDX file, MNIST's own format: two zeros, the element type, the number of axes, each axis's length and the
 * elements, all big-endian. Bytes are a view of the file, wider elements a copy. http://yann.lecun.com/exdb/mnist/
 */
export const decodeIdx = (bytes: Uint8Array, options: { file?: string } = {}): Tensor => {
  const fail = (what: string) =>
    new FormatError(`not a whole IDX file: ${what}`, {
      place: options.file === undefined ? {} : { file: options.file },
      remedy: 'copy it again from where it came from',
    })
  const type = typeOf.get(bytes[2] ?? 0)
  const rank = bytes[3] ?? 0
  if (bytes[0] !== 0 || bytes[1] !== 0 || !type || bytes.length < 4 + 4 * rank) throw fail('it does not begin as one')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const dims = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis, false))
  const elements = bytes.subarray(4 + 4 * rank)
  const wanted = byteLengthOf({ type, dims })
  if (elements.length !== wanted)
    throw fail(`${type} of shape [${dims.join(', ')}] takes ${wanted} bytes and ${elements.length} are there`)
  return { type, dims, bytes: swapped(elements, type) }
}
