import { expect, test } from 'vitest'
import { poolingCases } from './cases/pooling.ts'
import type { OperatorCase } from './cases/types.ts'
import { checkGradient } from './testing/check.ts'
import { testGradients } from './testing/gradients.ts'

testGradients(poolingCases)

/** Where the gradient goes when every input is equal. */
const takers = async (op: string, dims: readonly number[], attributes: NonNullable<OperatorCase['attributes']>) => {
  const equal: OperatorCase = { op, name: 'all equal', inputs: { X: { dims, low: 0, high: 0 } }, attributes }
  const [found] = await checkGradient(equal)
  return found!.given.flatMap((value, i) => (value === 0 ? [] : [i]))
}

test('the first of equal maxima takes the gradient: tiles', async () => {
  expect(await takers('MaxPool', [1, 1, 4, 4], { kernel_shape: [2, 2], strides: [2, 2] })).toEqual([0, 2, 8, 10])
  expect(await takers('MaxPool', [1, 2, 2, 3], { kernel_shape: [2, 2], strides: [2, 2] })).toEqual([0, 6])
})

test('the first of equal maxima takes the gradient: overlapping, padded and one-dimensional windows', async () => {
  expect(await takers('MaxPool', [1, 1, 3, 3], { kernel_shape: [2, 2] })).toEqual([0, 1, 3, 4])
  expect(await takers('MaxPool', [1, 1, 6], { kernel_shape: [3], strides: [3] })).toEqual([0, 3])
})

test('the first of equal maxima takes the gradient: the whole image', async () => {
  expect(await takers('GlobalMaxPool', [1, 2, 2, 2], {})).toEqual([0, 4])
})

test('a window of zeros has no gradient under a p-norm', async () => {
  expect(await takers('LpPool', [1, 1, 2, 2], { kernel_shape: [2, 2] })).toEqual([])
  expect(await takers('GlobalLpPool', [1, 1, 2, 2], {})).toEqual([])
})
