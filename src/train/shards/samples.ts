import type { Tensor } from '../../base/index.ts'
import type { Values } from '../../runtime/index.ts'
import type { EngineBatch } from '../engine.ts'

export const batchSize = (batch: EngineBatch) => Object.values(batch.inputs)[0]?.dims[0] ?? 0

/** A batch of `total` samples in parts as equal as can be. */
export const shardSizes = (total: number, shards: number): number[] => {
  const parts = Math.max(1, Math.min(shards, total))
  return Array.from(
    { length: parts },
    (_, i) => Math.floor(((i + 1) * total) / parts) - Math.floor((i * total) / parts),
  )
}

/** Samples [start, start + size) of a batch, as views. */
export const slice = (batch: EngineBatch, start: number, size: number): EngineBatch => ({
  inputs: rowsOf(batch.inputs, start, size),
  targets: rowsOf(batch.targets, start, size),
})

const rowsOf = (values: Values, start: number, size: number): Values =>
  Object.fromEntries(Object.entries(values).map(([name, tensor]) => [name, rows(tensor, start, size)]))

const rows = (tensor: Tensor, start: number, size: number): Tensor => {
  const stride = tensor.bytes.byteLength / (tensor.dims[0] || 1)
  return {
    type: tensor.type,
    dims: [size, ...tensor.dims.slice(1)],
    bytes: tensor.bytes.subarray(start * stride, (start + size) * stride),
  }
}

/** The parts' samples, one after another. */
export const concatenate = (parts: readonly Tensor[]): Tensor => {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.bytes.byteLength, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part.bytes, offset)
    offset += part.bytes.byteLength
  }
  const [first] = parts
  return { type: first!.type, dims: [parts.reduce((n, part) => n + part.dims[0]!, 0), ...first!.dims.slice(1)], bytes }
}
