import type { Tensor } from '../base/index.ts'

/** Takes back the memory of tensors that come anew in every step; see {@link recyclerFor}. */
export type Recycler = {
  /** Remembers what is to be given back. */
  take(tensors: readonly Tensor[]): void
  /** Gives back what was taken last; it is empty after it. */
  release(): void
  /** Bytes set aside and never touched. */
  readonly idle: number
}

/**
 * In a browser an array that waits for the garbage collector costs more than its memory: the next one is made of pages the
 * system has yet to provide, 4 ms for a megabyte in Chromium. So arrays are given back at once, where the language can
 * (ArrayBuffer.prototype.transfer, ES2024). Chromium then keeps their pages, for arrays under a megabyte, as long as they
 * are less than an eighth of what it has given out; so twenty times as much is asked for beside them and never touched, for
 * which no page is ever provided.
 *
 * @param bytes of the tensors that one step brings.
 */
export const recyclerFor = (bytes: number): Recycler => {
  const idle = unlessRefused(Math.min(20 * bytes, most))
  let taken: readonly Tensor[] = []
  return {
    take(tensors) {
      taken = tensors
    },
    release() {
      for (const { bytes } of taken) if (transfers(bytes.buffer)) bytes.buffer.transfer(0)
      taken = []
    },
    get idle() {
      return idle.byteLength
    },
  }
}

/** A device that has no such room trains without it, as before, and no room is asked for where nothing is given back. */
const unlessRefused = (bytes: number): ArrayBuffer => {
  try {
    return new ArrayBuffer(transfers(ArrayBuffer.prototype) ? bytes : 0)
  } catch {
    return new ArrayBuffer(0)
  }
}

/** Where gradients are larger, a step takes so long that fresh pages are little of it. */
const most = 64 * 2 ** 20

/** The compiler's library is a year older. */
type Transferable = { transfer(length: number): unknown }

const transfers = (buffer: ArrayBufferLike): buffer is ArrayBufferLike & Transferable => 'transfer' in buffer
