import { floatOf, intOf, intsOf } from '../../onnx/index.ts'
import { calculator } from '../calculator.ts'
import { hasInput, hasOutput, inputOf, range, reshape, slice, split, tensorLike, unsupported } from '../helpers.ts'
import type { Emitter, Lowering } from '../types.ts'

/** Queries [B, N, S, H], keys [B, N, T, H] and values [B, N, T, Hv]. */
type Heads = {
  readonly q: string
  readonly k: string
  readonly v: string
  readonly batch: number
  readonly heads: number
  readonly steps: number
  readonly total: number
  readonly size: number
  readonly valueSize: number
}

/** Takes the features of [B, S, N·H] apart into heads: [B, N, S, H]. */
const headed = (e: Emitter, x: string, [batch, steps, heads, size]: readonly number[]): string =>
  e.b.op('Transpose', [reshape(e, x, [batch!, steps!, heads!, size!])], { perm: [0, 2, 1, 3] })

/**
 * softmax(s·QKᵀ + mask)·V for each head, the heads side by side again: [B, S, N·Hv]. Vaswani et al. 2017, §3.2. A mask adds
 * `mask_filter_value` to what is hidden, as ONNX Runtime does.
 */
const attend = (e: Emitter, h: Heads, mask: string | undefined, bias: string | undefined): string => {
  const c = calculator(e, inputOf(e.node, 0))
  const scale = floatOf(e.node, 'scale', 0) || 1 / Math.sqrt(h.size)
  const turned = e.b.op('Transpose', [h.k], { perm: [0, 1, 3, 2] })
  const scores = c.mul(e.b.op('MatMul', [h.q, turned]), scale)
  const causal = intOf(e.node, 'unidirectional', 0) === 0 ? undefined : future(e, h)
  const hidden = [bias, mask, causal].reduce((sum, one) => (one === undefined ? sum : c.add(sum!, one)), scores)!
  const mixed = e.b.op('MatMul', [e.b.op('Softmax', [hidden], { axis: -1 }), h.v])
  const side = e.b.op('Transpose', [mixed], { perm: [0, 2, 1, 3] })
  return reshape(e, side, [h.batch, h.steps, h.heads * h.valueSize])
}

/** What lies after a query's own position is never looked at: the lowest number there is. */
const future = (e: Emitter, { steps, total }: Heads): string => {
  const lowest = range(0, steps * total).map((i) => (i % total > Math.floor(i / total) ? -3.4028234663852886e38 : 0))
  return e.b.constant(tensorLike(e.type(inputOf(e.node, 0)), [steps, total], lowest))
}

/** A mask input as numbers to add to the scores: lengths [B], or 1 for what is seen and 0 for what is hidden. */
const maskOf = (e: Emitter, position: number, h: Heads): string | undefined => {
  if (!hasInput(e.node, position)) return undefined
  const name = inputOf(e.node, position)
  const dims = e.dims(name)
  const c = calculator(e, inputOf(e.node, 0))
  const places = e.b.constant(tensorLike('int32', [1, 1, 1, h.total], range(0, h.total)))
  const [whole = 0] = dims
  const filter = floatOf(e.node, 'mask_filter_value', -10000)
  const part = (from: number) =>
    reshape(e, slice(e, name, { axes: [0], starts: [from], ends: [from + h.batch] }), [h.batch, 1, 1, 1])
  const hides = (condition: string) => c.mul(c.indicator(condition), filter)
  if (dims.length === 1 && whole === h.batch) return hides(c.not(c.less(places, part(0))))
  if (dims.length === 1 && whole === 2 * h.batch)
    return hides(c.or(c.not(c.less(places, part(0))), c.less(places, part(h.batch))))
  const shape =
    dims.length === 2 ? [whole, 1, 1, dims[1]!] : dims.length === 3 ? [whole, 1, dims[1]!, dims[2]!] : undefined
  if (!shape || dims.at(-1) !== h.total)
    throw unsupported(e.node, `a mask of shape [${dims.join(', ')}] has no gradient`, 'give one number per word')
  const seen = e.b.op('Cast', [reshape(e, name, shape)], { to: 9 })
  return hides(c.not(seen))
}

const refuse = (e: Emitter, inputs: readonly number[], outputs: readonly number[]): void => {
  if (inputs.some((i) => hasInput(e.node, i)) || outputs.some((i) => hasOutput(e.node, i)))
    throw unsupported(e.node, 'attention with a cache of past words has no gradient', 'export the model without it')
}

/** One product makes queries, keys and values. */
const attention: Lowering = (e) => {
  const { node } = e
  refuse(e, [4, 6], [1])
  if (intOf(node, 'do_rotary', 0) !== 0)
    throw unsupported(node, 'no gradient is known for do_rotary', 'export the model unoptimized')
  const [x, weights] = [inputOf(node, 0), inputOf(node, 1)]
  const [batch, steps] = [e.dims(x)[0]!, e.dims(x)[1]!]
  const third = e.dims(weights)[1]! / 3
  const sizes = intsOf(node, 'qkv_hidden_sizes', [third, third, third])
  const heads = intOf(node, 'num_heads', 1)
  const c = calculator(e, x)
  const product = e.b.op('MatMul', [x, weights])
  const parts = split(e, hasInput(node, 2) ? c.add(product, inputOf(node, 2)) : product, 2, sizes)
  const [q, k, v] = parts.map((part, i) => headed(e, part, [batch, steps, heads, sizes[i]! / heads])) as string[]
  const shape = { batch, heads, steps, total: steps, size: sizes[0]! / heads, valueSize: sizes[2]! / heads }
  const h: Heads = { q: q!, k: k!, v: v!, ...shape }
  return [attend(e, h, maskOf(e, 3, h), hasInput(node, 5) ? inputOf(node, 5) : undefined)]
}

/** Queries, keys and values given. ONNX Runtime's CPU provider takes them apart only, not packed into one. */
const multiHead: Lowering = (e) => {
  const { node } = e
  refuse(e, [6, 7, 8, 9], [1, 2, 3])
  const heads = intOf(node, 'num_heads', 1)
  const parts = [0, 1, 2].map((i) => inputOf(node, i))
  const [q0, k0, v0] = parts.map((name) => e.dims(name)) as [readonly number[], readonly number[], readonly number[]]
  if (q0.length !== 3 || k0.length !== 3)
    throw unsupported(node, 'keys of past words have no gradient', 'export the model without them')
  const [batch, steps, total] = [q0[0]!, q0[1]!, k0[1]!]
  const [size, valueSize] = [q0[2]! / heads, v0[2]! / heads]
  const c = calculator(e, parts[0]!)
  const sizes = [size, size, valueSize]
  const biases = hasInput(node, 3)
    ? split(
        e,
        inputOf(node, 3),
        0,
        sizes.map((one) => heads * one),
      )
    : undefined
  const [q, k, v] = parts.map((part, i) =>
    headed(e, biases ? c.add(part, biases[i]!) : part, [batch, i === 0 ? steps : total, heads, sizes[i]!]),
  )
  const h: Heads = { q: q!, k: k!, v: v!, batch, heads, steps, total, size, valueSize }
  return [attend(e, h, maskOf(e, 4, h), hasInput(node, 5) ? inputOf(node, 5) : undefined)]
}

export const attentions = {
  Attention: attention,
  MultiHeadAttention: multiHead,
} satisfies Record<string, Lowering>
