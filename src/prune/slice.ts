import { byteLengthOf, dataTypes, sizeOf, type Tensor } from '../base/index.ts'
import type { Slices } from './types.ts'

/** Kept indices, ascending, by axis. */
export type Cuts = ReadonlyMap<number, readonly number[]>

/** Kept indices of an initializer under a plan, by axis. */
export const cutsOf = (slices: Slices, initializer: string): Map<number, readonly number[]> =>
  new Map(Object.entries(slices[initializer] ?? {}).map(([axis, kept]) => [Number(axis), kept]))

/** A tensor of any type with only the kept indices of some axes, element for element. */
export const sliceTensor = (tensor: Tensor, cuts: Cuts): Tensor => {
  let result = tensor
  // The axis that loses most goes first, so that the later ones have less to copy.
  const share = ([axis, kept]: [number, readonly number[]]) => kept.length / (tensor.dims[axis] ?? 1)
  for (const [axis, kept] of [...cuts].sort((a, b) => share(a) - share(b))) result = sliceAxis(result, axis, kept)
  return result
}

const sliceAxis = (tensor: Tensor, axis: number, kept: readonly number[]): Tensor => {
  const { outer, size, inner } = layoutOf(tensor.dims, axis)
  const { type } = tensor
  const dims = tensor.dims.with(axis, kept.length)
  if (tensor.strings) {
    const strings: Uint8Array[] = []
    eachBlock(outer, size, inner, kept, (from) => strings.push(...tensor.strings!.slice(from, from + inner)))
    return { type, dims, bytes: tensor.bytes, strings }
  }
  const bits = dataTypes[type].bits * inner
  if (bits % 8 !== 0) return slicePacked(tensor, dims, { outer, size, inner }, kept)

  const width = bits / 8
  const bytes = new Uint8Array(byteLengthOf({ type, dims }))
  const words = width % 4 === 0 && tensor.bytes.byteOffset % 4 === 0
  const [source, target] = words ? [wordsOf(tensor.bytes), wordsOf(bytes)] : [tensor.bytes, bytes]
  const unit = words ? width / 4 : width
  copyBlocks(source, target, { outer, size, unit }, kept)
  return { type, dims, bytes }
}

/** Blocks as short as this are copied faster element by element. */
const short = 64

const copyBlocks = (
  source: Uint8Array | Uint32Array,
  target: Uint8Array | Uint32Array,
  { outer, size, unit }: { outer: number; size: number; unit: number },
  kept: readonly number[],
): void => {
  // Neighbouring kept indices are one block.
  const runs = unit < short ? [] : runsOf(kept)
  let to = 0
  for (let o = 0; o < outer; o++) {
    const row = o * size * unit
    if (unit < short)
      for (let k = 0; k < kept.length; k++) {
        const from = row + kept[k]! * unit
        for (let i = from; i < from + unit; i++) target[to++] = source[i]!
      }
    for (const [begin, end] of runs) {
      target.set(source.subarray(row + begin * unit, row + end * unit), to)
      to += (end - begin) * unit
    }
  }
}

/** A copy of a tensor with some indices of an axis set to zero. */
export const zeroSlices = (tensor: Tensor, axis: number, removed: readonly number[]): Tensor => {
  const { outer, size, inner } = layoutOf(tensor.dims, axis)
  const bytes = tensor.bytes.slice()
  const bits = dataTypes[tensor.type].bits
  eachBlock(outer, size, inner, removed, (from) => {
    if (bits % 8 === 0) bytes.fill(0, (from * bits) / 8, ((from + inner) * bits) / 8)
    else for (let i = from; i < from + inner; i++) writeBits(bytes, i, bits, 0)
  })
  return { ...tensor, bytes }
}

/** The indices of an axis of `size` that are not in `kept`. */
export const complementOf = (size: number, kept: readonly number[]): number[] => {
  const there = new Set(kept)
  return Array.from({ length: size }, (_, i) => i).filter((i) => !there.has(i))
}

const layoutOf = (dims: readonly number[], axis: number) => ({
  outer: sizeOf(dims.slice(0, axis)),
  size: dims[axis]!,
  inner: sizeOf(dims.slice(axis + 1)),
})

/** Calls with the first element of each block of `inner` elements. */
const eachBlock = (
  outer: number,
  size: number,
  inner: number,
  indices: readonly number[],
  visit: (from: number) => void,
): void => {
  for (let o = 0; o < outer; o++) for (const index of indices) visit((o * size + index) * inner)
}

const wordsOf = (bytes: Uint8Array) => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)

const runsOf = (kept: readonly number[]): [number, number][] => {
  const runs: [number, number][] = []
  for (const index of kept) {
    const last = runs.at(-1)
    if (last && last[1] === index) last[1] = index + 1
    else runs.push([index, index + 1])
  }
  return runs
}

/** 4- and 2-bit elements, packed low bits first, whose blocks do not fall on whole bytes. */
const slicePacked = (
  tensor: Tensor,
  dims: readonly number[],
  { outer, size, inner }: { outer: number; size: number; inner: number },
  kept: readonly number[],
): Tensor => {
  const { bits } = dataTypes[tensor.type]
  const bytes = new Uint8Array(byteLengthOf({ type: tensor.type, dims }))
  let to = 0
  eachBlock(outer, size, inner, kept, (from) => {
    for (let i = from; i < from + inner; i++) writeBits(bytes, to++, bits, readBits(tensor.bytes, i, bits))
  })
  return { type: tensor.type, dims, bytes }
}

const readBits = (bytes: Uint8Array, index: number, bits: number) =>
  (bytes[(index * bits) >> 3]! >> ((index * bits) & 7)) & ((1 << bits) - 1)

const writeBits = (bytes: Uint8Array, index: number, bits: number, value: number): void => {
  const [at, shift] = [(index * bits) >> 3, (index * bits) & 7]
  bytes[at] = (bytes[at]! & ~(((1 << bits) - 1) << shift)) | (value << shift)
}
