import { sizeOf } from '../../base/index.ts'
import { intOf } from '../../onnx/index.ts'
import { calculator } from '../calculator.ts'
import { concat, hasInput, inputOf, range, reshape, split, tensorLike, unsupported } from '../helpers.ts'
import type { Emitter, Lowering } from '../types.ts'
import { layerNorm } from './normalization.ts'

/** BERT's first layer: rows for words, positions and segments are added up and normalized. */
const embedLayerNorm: Lowering = (e) => {
  const { node } = e
  const c = calculator(e, inputOf(node, 2))
  const ids = inputOf(node, 0)
  const steps = e.dims(ids)[1]!
  const rows = (table: number, indices: string) => e.b.op('Gather', [inputOf(node, table), indices], { axis: 0 })
  const positions = hasInput(node, 8)
    ? inputOf(node, 8)
    : e.b.constant(tensorLike('int64', [1, steps], range(0, steps)))
  const both = c.add(rows(2, ids), rows(3, positions))
  const all = hasInput(node, 1) ? c.add(both, rows(4, inputOf(node, 1))) : both
  const [y] = layerNorm(e, all, [inputOf(node, 5), inputOf(node, 6)])
  return [y, maskIndex(e), all]
}

/** How many words of each sentence count. */
const maskIndex = (e: Emitter): string =>
  hasInput(e.node, 7)
    ? e.b.op('ReduceSum', [inputOf(e.node, 7), e.b.ints([1])], { keepdims: 0 })
    : e.b.constant(tensorLike('int32', [e.dims(inputOf(e.node, 0))[0]!], Array(e.dims(inputOf(e.node, 0))[0]).fill(0)))

/**
 * Turns pairs of features by an angle that grows with the position (Su et al. 2021, §3.2): (a, b) becomes
 * (a cos − b sin, b cos + a sin). Pairs are neighbours when interleaved, else lie half the rotated features apart.
 */
const rotaryEmbedding: Lowering = (e) => {
  const { node } = e
  const x = inputOf(node, 0)
  if (intOf(node, 'is_packed_batching', 0) !== 0)
    throw unsupported(node, 'sentences packed into one have no gradient', 'pad them to one length')
  const dims = e.dims(x)
  const headed = dims.length === 4
  const half = e.dims(inputOf(node, 2))[1]!
  const heads = intOf(node, 'num_heads', 0)
  const size = headed ? dims[3]! : heads > 0 ? dims[2]! / heads : 2 * half
  const steps = headed ? dims[2]! : dims[1]!
  const apart = [dims[0]!, steps, headed ? dims[1]! : dims[2]! / size, size]
  // [batch, steps, heads, size]
  const ordered = headed ? e.b.op('Transpose', [x], { perm: [0, 2, 1, 3] }) : reshape(e, x, apart)
  const [turning, still] = split(e, ordered, 3, size === 2 * half ? [size] : [2 * half, size - 2 * half])
  const interleaved = intOf(node, 'interleaved', 0) !== 0
  const inPairs = [...apart.slice(0, 3), ...(interleaved ? [half, 2] : [2, half])]
  const pairs = split(e, reshape(e, turning!, inPairs), interleaved ? 4 : 3, [1, 1])
  const [a, b] = pairs.map((one) => reshape(e, one, [...apart.slice(0, 3), half])) as [string, string]

  const c = calculator(e, x)
  const rows = positionsOf(e, steps)
  const angles = (input: number) =>
    e.b.op('Unsqueeze', [e.b.op('Gather', [inputOf(node, input), rows], { axis: 0 }), e.b.ints([2])])
  const [cos, sin] = [angles(2), angles(3)]
  const turned = [c.sub(c.mul(a, cos), c.mul(b, sin)), c.add(c.mul(b, cos), c.mul(a, sin))]
  const axis = interleaved ? 4 : 3
  const joined = concat(
    e,
    turned.map((one) => e.b.op('Unsqueeze', [one, e.b.ints([axis])])),
    axis,
  )
  const flat = reshape(e, joined, [...apart.slice(0, 3), 2 * half])
  const whole = still === undefined ? flat : concat(e, [flat, still], 3)
  return [headed ? e.b.op('Transpose', [whole], { perm: [0, 2, 1, 3] }) : reshape(e, whole, dims)]
}

/** The position of every word, [batch, steps]; a single number says where all sentences begin. */
const positionsOf = (e: Emitter, steps: number): string => {
  const positions = inputOf(e.node, 1)
  if (sizeOf(e.dims(positions)) !== 1 || e.dims(positions).length > 1) return positions
  const counts = e.b.constant(tensorLike('int64', [1, steps], range(0, steps)))
  return e.b.op('Add', [reshape(e, positions, [1, 1]), counts])
}

export const embedded = {
  EmbedLayerNormalization: embedLayerNorm,
  RotaryEmbedding: rotaryEmbedding,
} satisfies Record<string, Lowering>
