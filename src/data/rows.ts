import { sizeOf, UsageError } from '../base/index.ts'
import type { Dataset } from './types.ts'

const rowOf = (data: Dataset, index: number): number => {
  if (!(index >= 0 && index < data.size))
    throw new UsageError(`there is no sample ${index} in '${data.name}'`, { remedy: 'samples count from 0' })
  return data.rows?.[index] ?? index
}

/** The shape of a sample. */
export const dimsAt = (data: Dataset, index: number): readonly number[] =>
  data.varied?.dims[rowOf(data, index)] ?? data.sampleDims

/** A sample's values as they are stored: a view. */
export const storedAt = (data: Dataset, index: number): Uint8Array | Float32Array => {
  const row = rowOf(data, index)
  const length = sizeOf(data.varied?.dims[row] ?? data.sampleDims)
  const start = data.varied?.offsets[row] ?? row * length
  return data.inputs.subarray(start, start + length)
}

/** A sample's label, or the labels of its pixels: a view. */
export const labelsAt = (data: Dataset, index: number): Int32Array => {
  const length = sizeOf(data.labelDims ?? [])
  return data.labels.subarray(index * length, (index + 1) * length)
}

/** The numbers a sample is to give: a view; none where samples have classes. */
export const targetsAt = (data: Dataset, index: number): Float32Array => {
  const length = sizeOf(data.targetDims ?? [])
  return data.targets?.subarray(index * length, (index + 1) * length) ?? new Float32Array(0)
}

/** Samples in an order, cut into batches: the k-th ends before `ends[k]`. */
export type BatchPlan = { readonly order: Uint32Array; readonly ends: Uint32Array }

/**
 * Cuts samples into batches. Where sizes vary, samples of a size are brought together: each goes into the batch of its size
 * that is open, and a batch is done when it is full; what is left over at the end makes smaller batches.
 */
export const planBatches = (data: Dataset, order: Uint32Array, batch: number): BatchPlan => {
  if (!data.varied) {
    const count = Math.ceil(order.length / batch)
    return { order, ends: Uint32Array.from({ length: count }, (_, i) => Math.min((i + 1) * batch, order.length)) }
  }
  const open = new Map<string, number[]>()
  const full: number[][] = []
  for (const index of order) {
    const key = dimsAt(data, index).join()
    const bucket = open.get(key) ?? []
    open.set(key, bucket)
    if (bucket.push(index) < batch) continue
    full.push(bucket)
    open.delete(key)
  }
  const made = [...full, ...open.values()]
  let end = 0
  return { order: Uint32Array.from(made.flat()), ends: Uint32Array.from(made, ({ length }) => (end += length)) }
}

/** The first `samples` samples batch by batch, as evaluation walks them: each batch's own indices. */
export const batchesInOrder = (data: Dataset, samples: number, batch: number): Uint32Array[] => {
  const { order, ends } = planBatches(
    data,
    Uint32Array.from({ length: samples }, (_, i) => i),
    batch,
  )
  return Array.from(ends, (end, k) => order.subarray(ends[k - 1] ?? 0, end))
}
