import { expect, test } from 'vitest'
import { FormatError } from '../base/index.ts'
import { decodeModel, encodeModel, makeGraph, makeModel } from '../onnx/index.ts'
import {
  dataset,
  preprocessingOf,
  preprocessingText,
  statedClasses,
  statedPreprocessing,
  withPreprocessing,
} from './index.ts'

const data = dataset({
  name: 'd',
  inputs: new Uint8Array(12),
  sampleDims: [3, 2, 2],
  labels: [0],
  normalise: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
})
const options = { size: [224, 200], crop: 0.875, channels: 3, order: 'bgr' } as const

test('goes into a model’s file and comes out alike, with the names of the classes', () => {
  const model = makeModel(makeGraph('empty'))
  const stated = preprocessingOf(data, options)
  const read = decodeModel(encodeModel(withPreprocessing(model, stated, ['ant', 'bee'])))
  expect(statedPreprocessing(read)).toEqual(stated)
  expect(statedClasses(read)).toEqual(['ant', 'bee'])
  expect([statedPreprocessing(model), statedClasses(model), model.metadata.size]).toEqual([undefined, undefined, 0])
})

test('that makes no sense is refused by its key', () => {
  const broken = makeModel(makeGraph('empty'))
  for (const text of ['{', 'null', '[]', '{"fit":"cover"}']) {
    broken.metadata.set('espalier.preprocessing', text)
    expect(() => statedPreprocessing(broken)).toThrow(FormatError)
    expect(() => statedPreprocessing(broken)).toThrow('espalier.preprocessing')
  }
})

test('as people read it', () => {
  expect(preprocessingText(preprocessingOf(data, options))).toBe(
    '224 × 200 (cover, the middle 87.5 %), BGR, channels first, (value / 255 − [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]',
  )
  const grey = dataset({ name: 'g', inputs: new Uint8Array(4), sampleDims: [1, 2, 2], labels: [0] })
  expect(preprocessingText(preprocessingOf(grey, { channels: 1, multiple: 32 }))).toBe(
    'sides multiples of 32, grey, channels first, value / 255',
  )
})
