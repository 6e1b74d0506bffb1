import { sizeOf } from '../../base/index.ts'
import { intOf } from '../../onnx/index.ts'
import { convAxes, convMacs, resizeGroups } from '../conv.ts'
import { at, freezeAxes, hasInput, inputOf, joinAxes, joinBroadcast, outputOf, range } from '../helpers.ts'
import { matmul, matmulAxes } from '../matmul.ts'
import { scaledRowsAxes } from '../normalization.ts'
import { likeInput } from '../sizes/elementwise.ts'
import { convSizes } from '../sizes/layers.ts'
import { type AxisContext, type AxisRule, free, type NodeContext, type Operator, unknown } from '../types.ts'
import { passAxes } from '../unary.ts'
import { heads } from './heads.ts'

/** A row for pruning alone: gradients go by the operator's plain form. */
const row = (axes: AxisRule, rest: Partial<Operator> = {}): Operator => ({
  gradient: unknown,
  axes,
  macs: free,
  ...rest,
})

/** An activation of x with a bias added first. */
const biasedAxes: AxisRule = (a) => {
  passAxes(a)
  if (hasInput(a.node, 1)) joinBroadcast(a, inputOf(a.node, 1), outputOf(a.node, 0))
}

/** The order of a factor's axes in which the product is one of matrices: batch axes, rows, columns. */
const orderOf = (c: NodeContext, position: number, side: 'A' | 'B'): number[] => {
  const rank = c.dims(inputOf(c.node, position)).length
  if (rank < 2) return range(0, rank)
  const order = intOf(c.node, `transBatch${side}`, 0) ? [...range(1, rank - 1), 0, rank - 1] : range(0, rank)
  return intOf(c.node, `trans${side}`, 0) ? [...order.slice(0, -2), order.at(-1)!, order.at(-2)!] : order
}

const product: Operator = row(
  (x) =>
    matmulAxes(x, {
      a: inputOf(x.node, 0),
      b: inputOf(x.node, 1),
      orderA: orderOf(x, 0, 'A'),
      orderB: orderOf(x, 1, 'B'),
    }),
  { macs: (m) => sizeOf(m.dims(outputOf(m.node, 0))) * m.dims(inputOf(m.node, 0))[orderOf(m, 0, 'A').at(-1)!]! },
)

/** γ·normalized(x + skip + bias) + β, and the sum as the last output. */
const skippingAxes =
  (bias: number): AxisRule =>
  (a) => {
    const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
    const rank = a.dims(x).length
    joinAxes(a, x, y)
    a.approximate(at(x, rank - 1), 'mean and variance change when features are removed')
    for (const i of [1, ...range(2, bias + 1)]) if (hasInput(a.node, i)) joinBroadcast(a, inputOf(a.node, i), y)
    for (const [i, output] of a.node.outputs.entries()) {
      if (!output || i === 0) continue
      if (i === 3) joinAxes(a, x, output)
      else freezeAxes(a, output, 'its statistics are taken over the features')
    }
  }

/** γ·normalized(word + position + segment) + β: features pass, words are picked by number. */
const embeddedAxes: AxisRule = (a) => {
  const y = outputOf(a.node, 0)
  const features = at(y, 2)
  const others = 'words, positions and segments are picked by number'
  freezeAxes(a, y, others, [0, 1])
  a.approximate(features, 'mean and variance change when features are removed')
  for (const [i, value] of a.node.inputs.entries()) {
    if (!value) continue
    const isTable = i >= 2 && i <= 6
    if (isTable) a.join(at(value, -1), features)
    freezeAxes(a, value, others, range(0, a.dims(value).length - (isTable ? 1 : 0)))
  }
  for (const [i, output] of a.node.outputs.entries()) {
    if (!output || i === 0) continue
    freezeAxes(a, output, others, i === 2 ? [0, 1] : undefined)
    if (i === 2) a.join(at(output, 2), features)
  }
}

/** A convolution whose windows are moved: by the same offsets for all channels, or for each block of them. */
const deformedAxes: AxisRule = (a) => {
  convAxes(a, false, 1, 3)
  const x = inputOf(a.node, 0)
  for (const i of [2, 4]) {
    if (!hasInput(a.node, i)) continue
    a.join(at(inputOf(a.node, i), 0), at(x, 0))
    freezeAxes(a, inputOf(a.node, i), 'offsets serve all channels', [1, 2, 3])
  }
  if (intOf(a.node, 'offset_group', 1) > 1) a.freeze(at(x, 1), 'offsets serve blocks of channels')
}

/** Operators that lose units like the plain ones they are made of. */
export const fusedRows = {
  '': {
    DeformConv: row(deformedAxes, { macs: (m) => convMacs(m), resize: resizeGroups, sizes: convSizes() }),
    SimplifiedLayerNormalization: row((a) => scaledRowsAxes(a), { sizes: likeInput() }),
  },
  'com.microsoft': {
    Gelu: row(passAxes, { sizes: likeInput() }),
    QuickGelu: row(passAxes, { sizes: likeInput() }),
    BiasGelu: row(biasedAxes, { sizes: likeInput() }),
    FastGelu: row(biasedAxes, { sizes: likeInput() }),
    FusedConv: row(
      (a: AxisContext) => {
        convAxes(a)
        if (hasInput(a.node, 3)) joinAxes(a, inputOf(a.node, 3), outputOf(a.node, 0))
      },
      { macs: (m) => convMacs(m), resize: resizeGroups, sizes: convSizes() },
    ),
    FusedGemm: row(matmul.Gemm.axes, { macs: matmul.Gemm.macs, sizes: matmul.Gemm.sizes }),
    FusedMatMul: product,
    TransposeMatMul: product,
    EmbedLayerNormalization: row(embeddedAxes),
    SkipLayerNormalization: row(skippingAxes(4)),
    SkipSimplifiedLayerNormalization: row(skippingAxes(3)),
    ...heads,
  },
} satisfies Record<string, Record<string, Operator>>
