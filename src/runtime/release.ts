import type { Tensor } from '../base/index.ts'

/**
 * Gives the memory of tensors that nobody reads any more back at once: they are empty after it. In a browser an array that
 * waits for the garbage collector costs more than its memory: the next one is made of pages the system has yet to provide,
 * 4 ms for a megabyte in Chromium, and of the same, warm, ones where the last was given back. Does nothing where the
 * language cannot do it (ArrayBuffer.prototype.transfer, ES2024).
 */
export const release = (tensors: Iterable<Tensor>): void => {
  for (const { bytes } of tensors) if (transfers(bytes.buffer)) bytes.buffer.transfer(0)
}

/** The compiler's library is a year older. */
type Transferable = { transfer(length: number): unknown }

const transfers = (buffer: ArrayBufferLike): buffer is ArrayBufferLike & Transferable => 'transfer' in buffer
