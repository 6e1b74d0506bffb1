import { inhabit, page, placesEnd } from './memory.ts'

/** Fewer elements than this stay in the cache anyway. */
const worthwhile = 1 << 18

type Wish = { readonly length: number; readonly from: number | Float32Array; readonly start: number }

/**
 * Arrays that live together in WASM memory, where loops reach them without a copy: each is asked for first, which gives an
 * empty array to stand for it, and made by `settle`, when the size of all is known. For a memory that grew would detach its
 * views, and once a program has detached one buffer V8 asks at every access to any typed array whether it is still there:
 * plain loops took up to twice as long. Where there is no WASM, no room or little to gain, arrays are ordinary ones.
 */
export const residence = () => {
  const wishes = new Map<Float32Array, Wish>()
  let end = placesEnd
  let elements = 0

  const ask = (length: number, from: number | Float32Array = 0): Float32Array => {
    const standIn = new Float32Array(0)
    wishes.set(standIn, { length, from, start: end })
    // A few cache lines between two arrays: see `stride`.
    end += 16 * Math.ceil(length / 4) + 256
    elements += length
    return standIn
  }
  /** Gives the array that another stands for; arrays that stand for themselves come back. */
  const settle = () => {
    const memory = elements < worthwhile ? undefined : memoryOfSize(Math.ceil(end / page))
    if (memory) inhabit(memory)
    return (array: Float32Array): Float32Array => {
      const wish = wishes.get(array)
      if (!wish) return array
      const { length, from, start } = wish
      const made = memory ? new Float32Array(memory.buffer, start, length) : new Float32Array(length)
      if (typeof from !== 'number') made.set(from)
      else if (from !== 0) made.fill(from)
      return made
    }
  }
  return { ask, settle }
}

const memoryOfSize = (pages: number): WebAssembly.Memory | undefined => {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages })
  } catch {
    return undefined // no WASM, more than its 4 GB, or no address space left
  }
}
