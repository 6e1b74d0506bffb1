let scratch = new Uint8Array(0)

/**
 * Bytes from which words can be read: in place where they are aligned, else copied into memory that the next call uses again.
 * Weights inside an ONNX file lie at any offset, and fresh memory for each copy of them costs more than the copying.
 */
export const readable = (bytes: Uint8Array): Uint8Array => {
  if (bytes.byteOffset % 4 === 0) return bytes
  if (scratch.byteLength < bytes.byteLength) scratch = new Uint8Array(bytes.byteLength)
  const copy = scratch.subarray(0, bytes.byteLength)
  copy.set(bytes)
  return copy
}
