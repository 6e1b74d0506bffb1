import { type Attribute, floatOf, intOf, type Node } from '../../onnx/index.ts'
import { calculator } from '../calculator.ts'
import { inputOf, range, scaled, transpose } from '../helpers.ts'
import type { Emitter, Lowering } from '../types.ts'
import { activated } from './activation.ts'

const without = (node: Node, drop: (name: string) => boolean): Record<string, Attribute> =>
  Object.fromEntries([...node.attributes].filter(([name]) => !drop(name)))

const isActivation = (name: string) => name.startsWith('activation')

/** A factor with its rows and columns swapped, or its first axis brought behind the batch axes. */
const factor = (e: Emitter, position: number, side: 'A' | 'B'): string => {
  const name = inputOf(e.node, position)
  const rank = e.dims(name).length
  if (rank < 2) return name
  const batched = intOf(e.node, `transBatch${side}`, 0) === 1
  const perm = batched ? [...range(1, rank - 1), 0, rank - 1] : range(0, rank)
  const swapped = intOf(e.node, `trans${side}`, 0) === 1
  return transpose(e, name, swapped ? [...perm.slice(0, -2), perm.at(-1)!, perm.at(-2)!] : perm)
}

/** y = α·A′B′ */
const product = (e: Emitter): string =>
  scaled(e, inputOf(e.node, 0), e.b.op('MatMul', [factor(e, 0, 'A'), factor(e, 1, 'B')]), floatOf(e.node, 'alpha', 1))

/** Convolutions and products with an activation behind them. */
export const fusedProducts = {
  // y = f(x ∗ w + b + z)
  FusedConv: (e) => {
    const [inputs, added] = [e.node.inputs.slice(0, 3), e.node.inputs[3]]
    const y = e.b.op('Conv', inputs.at(-1) === '' ? inputs.slice(0, 2) : inputs, without(e.node, isActivation))
    return [activated(e, added ? calculator(e, inputOf(e.node, 0)).add(y, added) : y)]
  },
  FusedGemm: (e) => [activated(e, e.b.op('Gemm', e.node.inputs, without(e.node, isActivation)))],
  FusedMatMul: (e) => [product(e)],
  TransposeMatMul: (e) => [product(e)],
  Trilu: (e) => [
    e.b.op(
      'Trilu',
      e.node.inputs,
      without(e.node, () => false),
    ),
  ],
  GridSample: (e) => [
    e.b.op(
      'GridSample',
      e.node.inputs,
      without(e.node, () => false),
    ),
  ],
  ExpandDims: (e) => [
    e.b.op('Unsqueeze', [
      inputOf(e.node, 0),
      e.b.op('Reshape', [e.b.op('Cast', [inputOf(e.node, 1)], { to: 7 }), e.b.ints([1])]),
    ]),
  ],
} satisfies Record<string, Lowering>
