import { float32, int64, sizeOf } from '../../base/index.ts'
import type { Network } from '../../nn/index.ts'
import type { EngineBatch } from '../../train/index.ts'

/** A batch for timing: values as pictures have them, and every class in turn. */
export const exampleBatch = ({ sampleDims, classes }: Network, batch: number): EngineBatch => {
  const dims = [batch, ...sampleDims]
  const values = Float32Array.from({ length: sizeOf(dims) }, (_, i) => Math.max(0, Math.sin(i * 7.3)))
  const labels = Array.from({ length: batch }, (_, i) => i % classes)
  return { inputs: { input: float32(dims, values) }, targets: { labels: int64([batch], labels) } }
}
