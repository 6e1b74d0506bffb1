import { expect, test } from 'vitest'
import { float32, float32Of, int64Of } from './index.ts'

test('elements are read from any offset of a Node Buffer, whose slice is no copy', () => {
  const file = Buffer.alloc(17)
  file.writeFloatLE(1.5, 1)
  file.writeFloatLE(-2, 5)
  expect(float32Of({ type: 'float32', dims: [2], bytes: file.subarray(1, 9) })).toEqual(Float32Array.of(1.5, -2))
  file.writeBigInt64LE(7n, 9)
  expect(int64Of({ type: 'int64', dims: [1], bytes: file.subarray(9) })).toEqual(BigInt64Array.of(7n))
})

test('aligned elements are not copied', () => {
  const values = Float32Array.of(1, 2)
  expect(float32Of(float32([2], values)).buffer).toBe(values.buffer)
})
