import { type Loss, lossNamed } from '../../autodiff/index.ts'
import { float32, int64, sizeOf } from '../../base/index.ts'
import type { Network } from '../../nn/index.ts'
import type { EngineBatch } from '../../train/index.ts'

/** A batch for timing: values as pictures have them, or every token in turn; and every class in turn. */
export const exampleBatch = ({ sampleDims, sampleType, classes }: Network, batch: number): EngineBatch => {
  const dims = [batch, ...sampleDims]
  const size = sizeOf(dims)
  const inTurn = (length: number) => Array.from({ length }, (_, i) => i % classes)
  if (sampleType === 'int64')
    return { inputs: { input: int64(dims, inTurn(size)) }, targets: { labels: int64(dims, inTurn(size)) } }
  const values = Float32Array.from({ length: size }, (_, i) => Math.max(0, Math.sin(i * 7.3)))
  return { inputs: { input: float32(dims, values) }, targets: { labels: int64([batch], inTurn(batch)) } }
}

/** What those networks are trained with. */
export const exampleLoss = ({ sampleType }: Network): Loss =>
  lossNamed(sampleType === 'int64' ? 'token-cross-entropy' : 'cross-entropy')
