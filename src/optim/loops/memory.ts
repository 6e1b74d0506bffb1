/** Elements a loop works on at a time: a handful of such pieces of 128 KB stay in a core's second-level cache. */
export const pieceLength = 32_768

/** Most arrays in one loop. */
export const mostArrays = 4

/** A piece and a few cache lines, so that equal indices of two pieces do not meet in the same set of the cache. */
const stride = 4 * pieceLength + 256
/** Of 64 KB, WASM's unit of memory. */
export const pages = Math.ceil(((1 + mostArrays) * stride) / 65_536)

export type LoopMemory = {
  /** Absent where there is no WASM. */
  readonly memory: WebAssembly.Memory | undefined
  /** The first place is for what a caller keeps here, one follows for each array of a loop. */
  readonly places: readonly Float32Array[]
}

let loops: LoopMemory | undefined

/**
 * The memory WASM loops compute in, one for the program (and each worker): its size is fixed, for growing it would detach
 * the views. Arrays elsewhere are brought here piece by piece and taken back, which costs a trip to the nearest cache.
 */
export const loopMemory = (): LoopMemory => {
  if (!loops) {
    const memory =
      typeof WebAssembly === 'undefined' ? undefined : new WebAssembly.Memory({ initial: pages, maximum: pages })
    const buffer = memory?.buffer ?? new ArrayBuffer(pages * 65_536)
    const places = Array.from({ length: 1 + mostArrays }, (_, i) => new Float32Array(buffer, i * stride, pieceLength))
    loops = { memory, places }
  }
  return loops
}
