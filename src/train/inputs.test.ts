import { expect, test } from 'vitest'
import { float32, int32, int64, type Tensor } from '../base/index.ts'
import type { Batch } from '../data/index.ts'
import { buildModel, linear } from '../nn/index.ts'
import type { ValueInfo } from '../onnx/index.ts'
import { samplesAndLabels } from './inputs.ts'

const taking = (...more: ValueInfo[]) => {
  const model = buildModel('dense', { dims: [3] }, { seed: 1 }, (net, input) => linear(net, 'fc', input, { to: 2 }))
  model.graph.inputs.push(...more)
  return model
}
const second = (type: ValueInfo['type']) => taking({ name: 'second', type, dims: ['N'] })

const inputs = float32([2, 3], [1, 2, 3, 4, 5, 6])
const indices = Uint32Array.of(0, 1)
const classes: Batch = { inputs, labels: int64([2], [1, 0]), indices }
const numbers: Batch = { inputs, labels: int64([0], []), target: float32([2], [0.5, 2]), indices }

test.each<[ValueInfo['type'], Batch, Tensor]>([
  ['int64', classes, int64([2], [1, 0])],
  ['int32', classes, int32([2], [1, 0])],
  ['float32', classes, float32([2], [1, 0])],
  ['float32', numbers, float32([2], [0.5, 2])],
])('a second input of type %s is fed what samples are to give', (type, batch, expected) => {
  expect(samplesAndLabels(second(type))(batch)).toEqual({ input: inputs, second: expected })
})

test('what cannot be fed is said', () => {
  expect(() => samplesAndLabels(second('int64'))(numbers)).toThrow('the model takes whole numbers')
  expect(() => samplesAndLabels(second('string'))).toThrow('second (string)')
  const third = taking({ name: 'a', type: 'int64' }, { name: 'b', type: 'int64' })
  expect(() => samplesAndLabels(third)).toThrow('b (int64)')
})
