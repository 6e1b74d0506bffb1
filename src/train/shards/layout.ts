import { byteLengthOf, type Tensor, type TensorType } from '../../base/index.ts'

/** Where named tensors lie in memory that two threads share. */
export type Layout = { readonly [name: string]: TensorType & { readonly offset: number } }

/** The first bytes of the shared memory: what the worker is to do, watched with Atomics. */
export const signal = { idle: 0, run: 1, done: 2, failed: 3, stop: 4 } as const
export const signalBytes = 64

/** Lays tensors out one after the other, each at a multiple of 64 bytes. */
export const layOut = (tensors: ReadonlyMap<string, TensorType>): { layout: Layout; bytes: number } => {
  let offset = signalBytes
  const layout = Object.fromEntries(
    [...tensors].map(([name, type]) => {
      const place = { ...type, offset }
      offset += Math.ceil(byteLengthOf(type) / 64) * 64
      return [name, place]
    }),
  )
  return { layout, bytes: offset }
}

/** A tensor over shared memory; ONNX Runtime refuses these as feeds, so they are copied from and into. */
export const tensorAt = (memory: SharedArrayBuffer, layout: Layout, name: string): Tensor => {
  const place = layout[name]!
  return { type: place.type, dims: place.dims, bytes: new Uint8Array(memory, place.offset, byteLengthOf(place)) }
}
