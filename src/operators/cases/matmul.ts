import { float } from '../../onnx/index.ts'
import type { OperatorCase } from './types.ts'

const gemm = (
  name: string,
  a: readonly number[],
  b: readonly number[],
  c: readonly number[] | undefined,
  attributes: NonNullable<OperatorCase['attributes']> = {},
): OperatorCase => ({ op: 'Gemm', name, inputs: { A: a, B: b, C: c }, attributes })

const matmul = (name: string, a: readonly number[], b: readonly number[]): OperatorCase => ({
  op: 'MatMul',
  name,
  inputs: { A: a, B: b },
})

const einsum = (equation: string, ...shapes: readonly (readonly number[])[]): OperatorCase => ({
  op: 'Einsum',
  name: `${equation} ${shapes.map((dims) => `[${dims}]`).join(' ')}`,
  inputs: Object.fromEntries(shapes.map((dims, i) => [`x${i}`, dims])),
  attributes: { equation },
})

export const matmulCases: readonly OperatorCase[] = [
  gemm('plain', [3, 4], [4, 2], [2]),
  gemm('no C', [3, 4], [4, 2], undefined),
  gemm('transB', [3, 4], [2, 4], [2], { transB: 1 }),
  gemm('transA', [4, 3], [4, 2], [1, 2], { transA: 1 }),
  gemm('transA, transB, alpha, beta', [4, 3], [2, 4], [3, 1], {
    transA: 1,
    transB: 1,
    alpha: float(0.5),
    beta: float(-2),
  }),
  gemm('C of the full shape', [3, 4], [4, 2], [3, 2], { beta: float(0.25) }),
  gemm('scalar C', [3, 4], [4, 2], [], { alpha: float(3) }),
  gemm('C of size 1', [1, 4], [4, 2], [1]),
  matmul('matrices', [3, 4], [4, 2]),
  matmul('batch times a weight', [2, 3, 4], [4, 2]),
  matmul('two batch axes times a weight', [2, 2, 3, 4], [4, 3]),
  matmul('batch times batch', [2, 3, 4], [2, 4, 2]),
  matmul('a weight times batch', [3, 4], [2, 4, 2]),
  matmul('batches that broadcast', [2, 1, 3, 4], [3, 4, 2]),
  matmul('batches that broadcast both ways', [2, 1, 2, 3], [1, 3, 3, 2]),
  matmul('batch of 1', [1, 2, 3], [2, 3, 2]),
  matmul('vector times vector', [4], [4]),
  matmul('vector times matrix', [4], [4, 3]),
  matmul('matrix times vector', [3, 4], [4]),
  matmul('vector times batch', [4], [2, 4, 3]),
  matmul('batch times vector', [2, 3, 4], [4]),
  einsum('ij,jk->ik', [2, 3], [3, 4]),
  einsum('ij,jk', [2, 3], [3, 4]),
  einsum('ba,a', [2, 3], [3]),
  einsum('bhqd,bhkd->bhqk', [2, 2, 3, 2], [2, 2, 2, 2]),
  einsum('ij->ji', [2, 3]),
  einsum('ij->i', [2, 3]),
  einsum('ij->', [2, 3]),
  einsum('ij,kj->j', [2, 3], [4, 3]),
  einsum('ij,k->k', [2, 3], [4]),
  einsum('ij,jk,kl->il', [2, 3], [3, 2], [2, 4]),
  einsum('i,i->', [3], [3]),
  einsum('i,j->ij', [3], [2]),
  einsum('ii->i', [3, 3]),
  einsum('ii->', [3, 3]),
  einsum('iij,j->i', [2, 2, 3], [3]),
  einsum('...ij,...jk->...ik', [2, 2, 3], [2, 3, 2]),
  einsum('...ij,jk->...ik', [2, 2, 2, 3], [3, 2]),
  einsum('...ij,...jk->...ik', [2, 1, 2, 3], [1, 3, 3, 2]),
  einsum('...i,...i', [2, 3], [2, 3]),
]

export const determinantCases: readonly OperatorCase[] = [
  { op: 'Det', name: 'a number', inputs: { A: [1, 1] } },
  { op: 'Det', name: 'of pairs', inputs: { A: [2, 2] } },
  { op: 'Det', name: 'a batch', inputs: { A: [2, 3, 3] } },
  { op: 'Det', name: 'two batch axes', inputs: { A: [2, 2, 4, 4] } },
  // ONNX Runtime gives 0 for a singular matrix; its adjugate is not.
  { op: 'Det', name: 'a singular matrix', inputs: { A: { dims: [3, 3], values: [1, 2, 3, 2, 4, 6, 1, 0, -1] } } },
]
