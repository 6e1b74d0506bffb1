import { expect, test } from 'vitest'
import { type AttributeInput, makeNode } from '../onnx/index.ts'
import { operatorOf } from './index.ts'

/** MACs of one node whose values have the given shapes. */
const macs = (
  op: string,
  inputs: Record<string, readonly number[]>,
  output: readonly number[],
  attributes: Record<string, AttributeInput> = {},
) => {
  const node = makeNode(op, Object.keys(inputs), ['Y'], attributes)
  const dims = (name: string) => (name === 'Y' ? output : inputs[name]!)
  return operatorOf(node)!.macs({ node, opset: 17, dims, type: () => 'float32', constant: () => undefined })
}

test('convolutions: outputs × kernel taps × input channels of a group', () => {
  // ResNet-50's first layer: 118 M.
  expect(macs('Conv', { X: [1, 3, 224, 224], W: [64, 3, 7, 7] }, [1, 64, 112, 112])).toBe(118_013_952)
  expect(macs('Conv', { X: [1, 32, 8, 8], W: [32, 1, 3, 3] }, [1, 32, 8, 8], { group: 32 })).toBe(32 * 64 * 9)
  expect(macs('ConvTranspose', { X: [1, 4, 5, 5], W: [4, 3, 2, 2] }, [1, 3, 10, 10])).toBe(4 * 25 * 3 * 4)
  expect(macs('ConvTranspose', { X: [2, 4, 5], W: [4, 3, 2] }, [2, 6, 6], { group: 2 })).toBe(2 * 4 * 5 * 3 * 2)
})

test('matrix products: outputs × inner length', () => {
  expect(macs('Gemm', { A: [8, 100], B: [100, 10], C: [10] }, [8, 10])).toBe(8000)
  expect(macs('Gemm', { A: [100, 8], B: [10, 100] }, [8, 10], { transA: 1, transB: 1 })).toBe(8000)
  expect(macs('MatMul', { A: [2, 3, 4, 5], B: [5, 6] }, [2, 3, 4, 6])).toBe(2 * 3 * 4 * 5 * 6)
  expect(macs('MatMul', { A: [7], B: [7] }, [])).toBe(7)
})

test('Einsum: one multiplication per combination of labels and further factor', () => {
  expect(macs('Einsum', { A: [2, 3], B: [3, 4] }, [2, 4], { equation: 'ij,jk->ik' })).toBe(24)
  expect(macs('Einsum', { A: [2, 3], B: [3, 4], C: [4, 5] }, [2, 5], { equation: 'ij,jk,kl->il' })).toBe(240)
  expect(macs('Einsum', { A: [2, 3] }, [3, 2], { equation: 'ij->ji' })).toBe(0)
})

test('recurrent layers: every step multiplies by all of W and R', () => {
  const lstm = { X: [5, 2, 3], W: [2, 16, 3], R: [2, 16, 4] }
  expect(macs('LSTM', lstm, [5, 2, 2, 4], { hidden_size: 4, direction: 'bidirectional' })).toBe(5 * 2 * 2 * 16 * 7)
})

test('pools and normalizations count none, as the literature counts', () => {
  expect(macs('MaxPool', { X: [1, 8, 4, 4] }, [1, 8, 2, 2], { kernel_shape: [2, 2] })).toBe(0)
  expect(macs('BatchNormalization', { X: [1, 8, 4, 4], s: [8], b: [8], m: [8], v: [8] }, [1, 8, 4, 4])).toBe(0)
})
