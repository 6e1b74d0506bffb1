import { describe, expect, test } from 'vitest'
import { float32, type Tensor } from '../../base/index.ts'
import { batchOf, split } from '../index.ts'
import { type AnswerOptions, answersIn } from './answers.ts'
import { splitsOf } from './arrays.ts'
import { parseTable } from './csv.ts'

const x = float32([3, 2], [1, 2, 3, 4, 5, 6])
const answers = (y: Tensor, options: AnswerOptions) => answersIn(y, x, 'data.npz', options)

describe('what the y of a file is', () => {
  const whole = float32([3], [0, 2, 1])
  const broken = float32([3], [0.5, 2, 1])
  const rows = float32([3, 2], [0, 1, 1, 1, 0, 0])

  test('classes, or numbers, or what it looks like', () => {
    expect(answers(whole, {})).toEqual({ labels: [0, 2, 1] })
    expect(answers(whole, { answers: 'either' })).toEqual({ labels: [0, 2, 1] })
    expect(answers(whole, { answers: 'numbers' })).toEqual({ targets: [0, 2, 1], targetDims: [1] })
    expect(answers(broken, { answers: 'either' })).toMatchObject({ targets: [0.5, 2, 1] })
    expect(answers(rows, { answers: 'either' })).toEqual({ targets: [0, 1, 1, 1, 0, 0], targetDims: [2] })
  })

  test('in the shape that the model gives', () => {
    expect(answers(whole, { answers: 'numbers', answerDims: [] })).toMatchObject({ targetDims: [] })
    expect(answers(rows, { answers: 'numbers', answerDims: [2, 1, 1] })).toMatchObject({ targetDims: [2, 1, 1] })
    expect(() => answers(rows, { answers: 'numbers', answerDims: [3] })).toThrow(
      /data.npz.*numbers of shape \[2\] for each sample and the model gives \[3\].*--new-head/,
    )
  })

  test('rows of numbers are no classes, and the loss for them is named', () => {
    expect(() => answers(rows, {})).toThrow(/\[3, 2\].*--loss mse/)
  })
})

describe('samples that have numbers to meet', () => {
  const data = splitsOf(
    'npz:data.npz',
    {
      train: {
        x: float32([10, 1], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        y: float32([10], [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]),
        file: 'data.npz',
      },
    },
    { answers: 'numbers', seed: 3 },
  )

  test('keep them in parts, splits and batches', () => {
    expect([data.train.size, data.test.size]).toEqual([8, 2])
    for (const part of [data.train, data.test, split(data.train, 0.5, 1).validation]) {
      const { inputs, target, labels } = batchOf(
        part,
        Uint32Array.from({ length: part.size }, (_, i) => i),
      )
      expect(labels.dims).toEqual([0])
      expect(target?.dims).toEqual([part.size, 1])
      const [given, wanted] = [new Float32Array(inputs.bytes.buffer), new Float32Array(target!.bytes.buffer)]
      expect(Array.from(wanted)).toEqual(Array.from(given, (value) => 10 * value))
    }
  })

  test('must be numbers', () => {
    const make = (y: number[]) => () =>
      splitsOf('npz:d', { train: { x, y: float32([3], y), file: 'd.npz' } }, { answers: 'numbers' })
    expect(make([1, Number.NaN, 2])).toThrow(/d\.npz.*sample 1 is to give NaN/)
    const short = () =>
      splitsOf('npz:d', { train: { x, y: float32([2], [1, 2]), file: 'd.npz' } }, { answers: 'numbers' })
    expect(short).toThrow('6 values are not 2 samples')
  })
})

test('a table may have several columns of numbers to meet', () => {
  const { x, y, classes } = parseTable('a,target_east,b,target_north\n1,0.5,2,-1\n3,0.25,4,-2\n', 'map.csv')
  expect(classes).toEqual(['target_east', 'target_north'])
  expect([x.dims, y.dims]).toEqual([
    [2, 2],
    [2, 2],
  ])
  expect(Array.from(new Float32Array(y.bytes.buffer))).toEqual([0.5, -1, 0.25, -2])
  expect(() => parseTable('a,y1,y2\n1,2,north\n', 'map.csv')).toThrow(/map\.csv.*line 2: 'north' in column 'y2'/)
  // A column of another meaning is not taken for one of them.
  expect(parseTable('year,yield,label\n1,2,0\n3,4,1\n', 'map.csv').x.dims).toEqual([2, 2])
})
