import { expect, test } from 'vitest'
import { float32, int64, type Tensor } from '../base/index.ts'
import { floats } from '../onnx/index.ts'
import { fusedCases, fusedPruningCases } from './cases/fused.ts'
import { operatorCases } from './cases/index.ts'
import type { OperatorCase } from './cases/types.ts'
import { fusedRows, operatorOf, operators, treatmentOf } from './index.ts'
import { caseContext, factsOf, testAxes } from './testing/axes.ts'

const bools: Tensor = { type: 'bool', dims: [2, 3], bytes: Uint8Array.of(1, 0, 1, 1, 0, 0) }
const bytes: Tensor = { type: 'uint8', dims: [2, 3], bytes: Uint8Array.of(1, 2, 3, 4, 5, 6) }

const cases = (
  names: string,
  inputs: OperatorCase['inputs'],
  rest: Partial<OperatorCase> = {},
): readonly OperatorCase[] =>
  names.split(' ').map((op) => ({ op, name: 'rows and columns', inputs, type: 'float32', loss: [], ...rest }))

/** Operators whose gradient needs no case. */
const settled: readonly OperatorCase[] = [
  ...cases('Sign Floor Ceil Round IsNaN IsInf Shape Size NonZero', { x: [2, 3] }),
  ...cases('ArgMax ArgMin Hardmax', { x: [2, 3, 4] }, { attributes: { axis: 1 } }),
  ...cases('Equal Greater GreaterOrEqual Less LessOrEqual', { a: [2, 3], b: [2, 3] }),
  ...cases('And Or Xor', { a: bools, b: bools }),
  ...cases('Not', { a: bools }),
  ...cases('BitwiseAnd BitwiseOr BitwiseXor', { a: bytes, b: bytes }, { opset: 18 }),
  ...cases('BitwiseNot', { a: bytes }, { opset: 18 }),
  ...cases('BitShift', { a: bytes, b: bytes }, { attributes: { direction: 'LEFT' } }),
  ...cases('QuantizeLinear', { x: [2, 3], scale: float32([], [0.1]) }),
  ...cases('ConstantOfShape', { shape: int64([2], [2, 3]) }),
]

/** Nothing of theirs is left to prune, so nothing is to be compared. */
const drawn: readonly OperatorCase[] = [
  ...cases('Bernoulli', { x: { dims: [2, 3], low: 0, high: 1 } }),
  ...cases('RandomNormalLike RandomUniformLike', { x: [2, 3] }),
  ...cases('RandomNormal RandomUniform', {}, { attributes: { shape: [2, 3] } }),
  ...cases('EyeLike', { x: [3, 3] }),
  ...cases('Constant', {}, { attributes: { value_floats: floats([1, 2]) } }),
  ...cases('BlackmanWindow HammingWindow HannWindow', { size: int64([], [4]) }),
  ...cases('Multinomial', { x: [2, 3] }),
  ...cases('NonMaxSuppression', { boxes: [1, 4, 4], scores: [1, 1, 4] }),
  ...cases('MelWeightMatrix', {
    bins: int64([], [3]),
    length: int64([], [8]),
    rate: int64([], [16]),
    low: float32([], [0]),
    high: float32([], [8]),
  }),
]

testAxes(settled)

const rows = [
  ...Object.keys(operators).map((op) => ['', op] as const),
  ...Object.entries(fusedRows).flatMap(([domain, names]) => Object.keys(names).map((op) => [domain, op] as const)),
]
const all = [...operatorCases, ...fusedCases, ...fusedPruningCases, ...settled, ...drawn]

test.each(rows)("what is said of '%s' %s is what its rule does", async (domain, op) => {
  const seen = { treatment: 'freezes', approximate: false }
  const own = all.filter((c) => (c.domain ?? '') === domain && c.op === op)
  expect(own).not.toEqual([])
  for (const c of own) {
    const { one, context } = await caseContext(c)
    const facts = factsOf(context, 0)
    const units = [...facts.units.values()]
    const tied = units.filter((places) => places.length > 1)
    const moves = tied.some((places) => new Set(places.map((place) => place.split(' ')[2])).size > 1)
    if (moves || (units.length > 0 && operatorOf(one.node)!.resize)) seen.treatment = 're-maps'
    else if (units.length > 0 && seen.treatment === 'freezes') seen.treatment = 'joins'
    if (facts.approximate) seen.approximate = true
  }
  const said = treatmentOf(op)
  // An embedding joins its features, all of them approximately.
  if (said.approximate && seen.treatment === 'freezes') seen.treatment = 'joins'
  expect(said).toEqual(seen)
})
