import { startsLikeNpy } from './numpy.ts'
import { endsLikeTable } from './tensorflow/table.ts'

export type FileKind = 'onnx' | 'safetensors' | 'tensorflow-checkpoint' | 'npz' | 'npy'

/** As much of a file as tells its kind: its first bytes (4096 are plenty), its last 8, and its length. */
export type FileEnds = { head: Uint8Array; tail: Uint8Array; size: number }

/** What kind of file this is, by its content alone; undefined when it is none that this library reads. */
export const kindOf = ({ head, tail, size }: FileEnds): FileKind | undefined => {
  if (startsLikeNpy(head)) return 'npy'
  if (looksLikeNpz(head)) return 'npz'
  if (endsLikeTable(tail)) return 'tensorflow-checkpoint'
  if (looksLikeSafetensors(head, size)) return 'safetensors'
  if (looksLikeModel(head, size)) return 'onnx'
  return undefined
}

/** A zip archive whose first file is an array: PyTorch's and Keras's own files are zip archives too. */
const looksLikeNpz = (head: Uint8Array): boolean => {
  const [p, k, a, b] = head
  if (p !== 0x50 || k !== 0x4b) return false
  if (a === 5 && b === 6) return true // An archive of nothing.
  if (a !== 3 || b !== 4 || head.length < 30) return false
  const length = head[26]! + head[27]! * 256
  return new TextDecoder().decode(head.subarray(30, 30 + length)).endsWith('.npy')
}

const looksLikeSafetensors = (head: Uint8Array, size: number): boolean => {
  if (head.length < 10) return false
  const length = Number(new DataView(head.buffer, head.byteOffset).getBigUint64(0, true))
  return length <= size - 8 && head[8] === 0x7b
}

/** ModelProto's fields and their wire types (onnx.proto): 0 a varint, 2 length-delimited. */
const modelFields: ReadonlyMap<number, number> = new Map([
  [1, 0],
  [2, 2],
  [3, 2],
  [4, 2],
  [5, 0],
  [6, 2],
  [7, 2],
  [8, 2],
  [14, 2],
  [20, 2],
  [25, 2],
  [26, 2],
])

/**
 * ONNX has no magic number: walk the top-level fields as far as the head reaches. All must be ModelProto's, none may
 * leave the file, and the IR version, a graph or an operator set must be among them.
 */
const looksLikeModel = (head: Uint8Array, size: number): boolean => {
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let factor = 1; factor < 2 ** 49; factor *= 128) {
      const byte = head[at++]
      if (byte === undefined) return Number.NaN
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    return Number.NaN
  }
  const seen = new Set<number>()
  while (at < Math.min(head.length, size)) {
    const begin = at
    const tag = varint()
    const field = Math.floor(tag / 8)
    const value = varint()
    // A field cut by the end of the head alone says nothing.
    if (at > head.length && head.length < size && begin > 0) break
    if (Number.isNaN(tag) || Number.isNaN(value) || modelFields.get(field) !== tag % 8) return false
    if (tag % 8 === 2) at += value
    if (at > size) return false
    seen.add(field)
  }
  return seen.has(1) || seen.has(7) || seen.has(8)
}
