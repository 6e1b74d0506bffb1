import { type DataType, dataTypes } from '../base/index.ts'

/** Each element's bytes turned round, big-endian to little-endian; the two halves of a complex number each for itself. */
export const swapped = (bytes: Uint8Array, type: DataType): Uint8Array => {
  const width = dataTypes[type].bits / 8 / (type.startsWith('complex') ? 2 : 1)
  return width === 1 ? bytes : bytes.map((_, i) => bytes[i - (i % width) + width - 1 - (i % width)]!)
}
