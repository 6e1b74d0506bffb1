import { byteLengthOf, dataTypes, float32, float32Of, own, sizeOf, type Tensor } from '../base/index.ts'
import { readable } from './readable.ts'
import type { Slices } from './types.ts'

/** Kept indices, ascending, by axis. */
export type Cuts = ReadonlyMap<number, readonly number[]>

/** Kept indices of an initializer under a plan, by axis. */
export const cutsOf = (slices: Slices, initializer: string): Map<number, readonly number[]> =>
  new Map(Object.entries(own(slices, initializer) ?? {}).map(([axis, kept]) => [Number(axis), kept]))

/** A tensor of any type with only the kept indices of some axes, element for element. */
export const sliceTensor = (tensor: Tensor, cuts: Cuts): Tensor => {
  if (cuts.size === 0) return tensor
  const { type, dims } = tensor
  const last = Math.max(...cuts.keys())
  const inner = sizeOf(dims.slice(last + 1))
  if (tensor.strings || (dataTypes[type].bits * inner) % 8 !== 0)
    return [...cuts].reduce((left, [axis, kept]) => sliceUneven(left, axis, kept), tensor)

  const smaller = dims.map((size, axis) => cuts.get(axis)?.length ?? size)
  const width = (dataTypes[type].bits * inner) / 8
  const bytes = new Uint8Array(byteLengthOf({ type, dims: smaller }))
  const words = width % 4 === 0
  const [source, target] = words ? [wordsOf(readable(tensor.bytes)), wordsOf(bytes)] : [tensor.bytes, bytes]
  gather(source, target, offsetsOf(dims, cuts, last, words ? width / 4 : width), words ? width / 4 : width)
  return { type, dims: smaller, bytes }
}

/** Where the kept indices of each axis up to the last cut one begin; axes that stay whole are one with those next to them. */
const offsetsOf = (dims: readonly number[], cuts: Cuts, last: number, unit: number): Int32Array[] => {
  const levels: Int32Array[] = []
  let [stride, whole] = [unit, false]
  for (let axis = last; axis >= 0; axis--) {
    const size = dims[axis]!
    const kept = cuts.get(axis)
    if (kept) levels.unshift(Int32Array.from(kept, (index) => index * stride))
    else {
      const below = whole ? levels.shift()! : Int32Array.of(0)
      const all = new Int32Array(size * below.length)
      for (let i = 0, to = 0; i < size; i++) for (const offset of below) all[to++] = i * stride + offset
      levels.unshift(all)
    }
    whole = kept === undefined
    stride *= size
  }
  return levels
}

/** Blocks as short as this are copied faster element by element. */
const short = 64

/** Copies a block of `unit` elements from every sum of one offset of each level, the first level slowest. */
const gather = (
  source: Uint8Array | Int32Array,
  target: Uint8Array | Int32Array,
  levels: readonly Int32Array[],
  unit: number,
): void => {
  const offsets = levels.at(-1)!
  const copy = unit === 1 ? copySingles : unit < short ? copyShort : copyRuns(runsOf(offsets, unit))
  const count = offsets.length * unit
  let to = 0
  const walk = (level: number, from: number): void => {
    if (level < levels.length - 1) for (const offset of levels[level]!) walk(level + 1, from + offset)
    else {
      copy(source, from, target, to, offsets, unit)
      to += count
    }
  }
  walk(0, 0)
}

type Copy = (
  source: Uint8Array | Int32Array,
  from: number,
  target: Uint8Array | Int32Array,
  to: number,
  offsets: Int32Array,
  unit: number,
) => void

/** Single elements, as where the last axis of a matrix is cut: most of a transformer's. */
const copySingles: Copy = (source, from, target, to, offsets) => {
  for (let k = 0; k < offsets.length; k++) target[to + k] = source[from + offsets[k]!]!
}

const copyShort: Copy = (source, from, target, to, offsets, unit) => {
  let next = to
  for (let k = 0; k < offsets.length; k++) {
    const begin = from + offsets[k]!
    for (let i = begin; i < begin + unit; i++) target[next++] = source[i]!
  }
}

/** Neighbouring blocks are one. */
const copyRuns =
  (runs: readonly (readonly [number, number])[]): Copy =>
  (source, from, target, to) => {
    let next = to
    for (const [begin, end] of runs) {
      target.set(source.subarray(from + begin, from + end), next)
      next += end - begin
    }
  }

/** One axis of a tensor whose blocks are texts or do not fall on whole bytes. */
const sliceUneven = (tensor: Tensor, axis: number, kept: readonly number[]): Tensor => {
  const { outer, size, inner } = layoutOf(tensor.dims, axis)
  const dims = tensor.dims.with(axis, kept.length)
  if (!tensor.strings) return slicePacked(tensor, dims, { outer, size, inner }, kept)
  const strings: Uint8Array[] = []
  eachBlock(outer, size, inner, kept, (from) => strings.push(...tensor.strings!.slice(from, from + inner)))
  return { type: tensor.type, dims, bytes: tensor.bytes, strings }
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

/** Signed, which engines hold without turning them into floating-point numbers on the way. */
const wordsOf = (bytes: Uint8Array) => new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)

const runsOf = (offsets: Int32Array, unit: number): [number, number][] => {
  const runs: [number, number][] = []
  for (const offset of offsets) {
    const last = runs.at(-1)
    if (last && last[1] === offset) last[1] += unit
    else runs.push([offset, offset + unit])
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

/** A bias with something added, rounded once. */
export const shifted = (bias: Tensor, shift: readonly number[]): Tensor =>
  float32(
    bias.dims,
    float32Of(bias).map((value, i) => value + (shift[i] ?? 0)),
  )
