/** Elements a loop works on at a time: a handful of such pieces of 128 KB stay in a core's second-level cache. */
export const pieceLength = 32_768

/** Most arrays in one loop. */
export const mostArrays = 4
/** Places a caller may keep something in from one loop to the next: a piece of the direction and one of the weights. */
const kept = 2

/** A piece and a few cache lines, so that equal indices of two pieces do not meet in the same set of the cache. */
const stride = 4 * pieceLength + 256
/** WASM's unit of memory, in bytes. */
export const page = 65_536
/** Bytes that all places take, from the beginning, and what pages they need. */
export const placesEnd = (kept + mostArrays) * stride
export const pages = Math.ceil(placesEnd / page)

/** Memory that loops compute in. */
export type LoopMemory = {
  /** Absent where there is no WASM. */
  readonly memory: WebAssembly.Memory | undefined
  readonly buffer: ArrayBuffer
  /** For what a caller keeps from loop to loop. */
  readonly kept: readonly Float32Array[]
  /** For the arrays of a loop that live elsewhere: they are brought here piece by piece and taken back. */
  readonly places: readonly Float32Array[]
}

const loopMemory = (memory: WebAssembly.Memory | undefined): LoopMemory => {
  const buffer = memory?.buffer ?? new ArrayBuffer(pages * page)
  const all = Array.from({ length: kept + mostArrays }, (_, i) => new Float32Array(buffer, i * stride, pieceLength))
  return { memory, buffer, kept: all.slice(0, kept), places: all.slice(kept) }
}

/** The memories that arrays live in, by their buffer. */
const inhabited = new WeakMap<ArrayBufferLike, LoopMemory>()

/** Makes a memory known, once it grows no more: growing would detach its views. */
export const inhabit = (memory: WebAssembly.Memory): void => {
  inhabited.set(memory.buffer, loopMemory(memory))
}

let common: LoopMemory | undefined

/** The memory that one of these arrays lives in, else the one for the whole program (and each worker). */
export const memoryOf = (arrays: readonly (Float32Array | Float64Array)[]): LoopMemory => {
  for (const { buffer } of arrays) {
    const home = inhabited.get(buffer)
    if (home) return home
  }
  common ??= loopMemory(typeof WebAssembly === 'undefined' ? undefined : new WebAssembly.Memory({ initial: pages }))
  return common
}
