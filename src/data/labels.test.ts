import { expect, test } from 'vitest'
import { numbersOf } from '../base/index.ts'
import { labelTensor, oneHot } from './labels.ts'

test('labels as int64 and as rows with a one', () => {
  expect(labelTensor([2, 0])).toMatchObject({ type: 'int64', dims: [2] })
  expect(numbersOf(labelTensor([2, 0]))).toEqual([2, 0])
  const rows = oneHot(Int32Array.of(2, 0), 3)
  expect([rows.dims, numbersOf(rows)]).toEqual([
    [2, 3],
    [0, 0, 1, 1, 0, 0],
  ])
  expect(() => oneHot([3], 3)).toThrow(/label 3 is none of 3 classes/)
})
