import { EspalierError, float32, int64, type Tensor } from '../base/index.ts'

/** Class numbers as the int64 tensor that losses take: [n] unless said. */
export const labelTensor = (labels: ArrayLike<number>, dims: readonly number[] = [labels.length]): Tensor =>
  int64(
    dims,
    BigInt64Array.from({ length: labels.length }, (_, i) => BigInt(labels[i]!)),
  )

/** Class numbers as rows of zeros with a one: float32 [n, classes]. */
export const oneHot = (labels: ArrayLike<number>, classes: number): Tensor => {
  const values = new Float32Array(labels.length * classes)
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!
    if (!Number.isInteger(label) || label < 0 || label >= classes)
      throw new EspalierError(`label ${label} is none of ${classes} classes`, { remedy: 'classes count from 0' })
    values[i * classes + label] = 1
  }
  return float32([labels.length, classes], values)
}
