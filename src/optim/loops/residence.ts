import { inhabit, page, pages, placesEnd } from './memory.ts'

/** Fewer elements than this stay in the cache anyway. */
const worthwhile = 1 << 18

/**
 * Makes arrays that live in WASM memory, where loops reach them without a copy. The memory grows with each, which detaches
 * those made before it: `settle` returns them as they are once all are made, by what `zeros` returned. Where there is no
 * WASM, or no room, or too little to gain for so many elements, arrays are ordinary ones.
 */
export const residence = (elements: number) => {
  const memory = elements < worthwhile ? undefined : newMemory()
  const places = new Map<Float32Array, { readonly start: number; readonly length: number }>()
  let end = placesEnd

  const zeros = (length: number): Float32Array => {
    // A few cache lines between two arrays: see `stride`.
    const next = end + 256 + 16 * Math.ceil(length / 4)
    if (!memory || !grown(memory, next)) return new Float32Array(length)
    const array = new Float32Array(memory.buffer, end, length)
    places.set(array, { start: end, length })
    end = next
    return array
  }
  const settle = () => {
    if (memory) inhabit(memory)
    return (array: Float32Array): Float32Array => {
      const place = places.get(array)
      return memory && place ? new Float32Array(memory.buffer, place.start, place.length) : array
    }
  }
  return { zeros, settle }
}

const newMemory = (): WebAssembly.Memory | undefined => {
  try {
    return new WebAssembly.Memory({ initial: pages })
  } catch {
    return undefined // no WASM, or no address space left
  }
}

/** Grows a memory to some bytes, unless it cannot. */
const grown = (memory: WebAssembly.Memory, bytes: number): boolean => {
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / page)
  try {
    if (missing > 0) memory.grow(missing)
    return true
  } catch {
    return false
  }
}
