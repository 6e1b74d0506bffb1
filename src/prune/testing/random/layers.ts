import { float32 } from '../../../base/index.ts'
import { float } from '../../../onnx/index.ts'
import { ofRank, type Sketch, type Step } from './sketch.ts'

const divisors = (n: number) => Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0)

const bias = (s: Sketch, y: string, size: number) => (s.below(2) ? s.b.op('Add', [y, s.weight([size])]) : y)

const dense: Step = (s) => {
  const x = s.take(ofRank(1))
  if (!x) return
  const size = 2 + s.below(5)
  const y = s.b.op('MatMul', [x.name, s.weight([x.dims.at(-1)!, size])])
  s.add(bias(s, y, size), [...x.dims.slice(0, -1), size])
}

const gemm: Step = (s) => {
  const x = s.take(ofRank(1, 1))
  if (!x) return
  const [size, transB] = [2 + s.below(5), s.below(2)]
  const w = s.weight(transB ? [size, x.dims[0]!] : [x.dims[0]!, size])
  const c = s.pick([[size], [1, size], [1]])
  s.add(s.b.op('Gemm', [x.name, w, s.weight(c)], { transB, alpha: float(0.5), beta: float(s.pick([1, -1])) }), [size])
}

const convolution: Step = (s) => {
  const x = s.take(ofRank(3, 3))
  if (!x) return
  const [channels, h, w] = x.dims as [number, number, number]
  const group = s.pick(divisors(channels))
  const transposed = s.below(4) === 0
  const size = group * (1 + s.below(3))
  const k = s.pick([1, 3])
  const kernel = transposed ? [channels, size / group, k, k] : [size, channels / group, k, k]
  const pad = (k - 1) / 2
  const inputs = [x.name, s.weight(kernel), ...(s.below(2) ? [s.weight([size])] : [])]
  const attributes = { group, pads: [pad, pad, pad, pad], kernel_shape: [k, k] }
  s.add(s.b.op(transposed ? 'ConvTranspose' : 'Conv', inputs, attributes), [size, h, w])
}

const batchNormalization: Step = (s) => {
  const x = s.take(ofRank(1))
  if (!x) return
  const size = [x.dims[0]!]
  const inputs = [x.name, s.weight(size), s.weight(size), s.weight(size), s.weight(size, 'positive')]
  s.add(s.b.op('BatchNormalization', inputs), x.dims)
}

const normalization: Step = (s) => {
  const x = s.take(ofRank(2))
  if (!x) return
  const [first, last] = [x.dims[0]!, x.dims.at(-1)!]
  const groups = s.pick(divisors(first))
  const kinds: (() => string)[] = [
    () => s.b.op('LayerNormalization', [x.name, s.weight([last]), s.weight([last])]),
    () => s.b.op('LayerNormalization', [x.name, s.weight(x.dims.slice(-2)), s.weight(x.dims.slice(-2))], { axis: -2 }),
    () => s.b.op('InstanceNormalization', [x.name, s.weight([first]), s.weight([first])]),
    () => s.b.op('LpNormalization', [x.name], { axis: s.pick([1, -1]), p: s.pick([1, 2]) }),
    () => s.b.op('LRN', [x.name], { size: 3 }),
    // GroupNorm as exporters write it: the inner scales and biases are as many as groups.
    () => {
      const apart = s.b.op('Reshape', [x.name, s.b.ints([0, groups, -1])])
      const ones = s.b.constant(float32([groups], Array(groups).fill(1)))
      const zeros = s.b.constant(float32([groups], Array(groups).fill(0)))
      const normal = s.b.op('InstanceNormalization', [apart, ones, zeros])
      const back = s.b.op('Reshape', [normal, s.b.ints([0, ...x.dims])])
      const shape = [first, ...x.dims.slice(1).map(() => 1)]
      return s.b.op('Add', [s.b.op('Mul', [back, s.weight(shape)]), s.weight(shape)])
    },
    ...(s.opset >= 21
      ? [() => s.b.op('GroupNormalization', [x.name, s.weight([first]), s.weight([first])], { num_groups: groups })]
      : []),
  ]
  const kind = s.below(kinds.length)
  if (kind === 4 && x.dims.length !== 3) return
  s.add(kinds[kind]!(), x.dims)
}

const recurrent: Step = (s) => {
  const x = s.take(ofRank(2, 2))
  if (!x) return
  const [steps, inner] = x.dims as [number, number]
  const [op, gates, biases] = s.pick([
    ['LSTM', 4, 8],
    ['GRU', 3, 6],
    ['RNN', 1, 2],
  ] as const)
  const directions = 1 + s.below(2)
  const hidden = 2 + s.below(4)
  const turned = s.b.op('Transpose', [x.name], { perm: [1, 0, 2] })
  const given = s.below(3) === 0
  const state = () => (given ? initial(s, directions, hidden) : '')
  const inputs = [
    turned,
    s.weight([directions, gates * hidden, inner]),
    s.weight([directions, gates * hidden, hidden]),
    s.below(2) ? s.weight([directions, biases * hidden]) : '',
    '',
    state(),
    ...(op === 'LSTM' ? [state(), s.below(2) ? s.weight([directions, 3 * hidden]) : ''] : []),
  ]
  while (inputs.at(-1) === '') inputs.pop()
  const attributes = {
    hidden_size: hidden,
    direction: directions === 2 ? 'bidirectional' : s.pick(['forward', 'reverse']),
    ...(op === 'GRU' ? { linear_before_reset: s.below(2) } : {}),
  }
  const [all, last] = s.b.ops(op, inputs, 2, attributes) as [string, string]
  // [S, D, N, H] → [N, S, D·H], and [D, N, H] → [N, D·H]
  const back = s.b.op('Transpose', [all], { perm: [2, 0, 1, 3] })
  s.add(s.b.op('Reshape', [back, s.b.ints([0, 0, -1])]), [steps, directions * hidden])
  s.add(s.b.op('Flatten', [s.b.op('Transpose', [last], { perm: [1, 0, 2] })]), [directions * hidden])
}

/** A learned state, stretched over the batch. */
const initial = (s: Sketch, directions: number, hidden: number): string => {
  const batch = s.b.op('Slice', [s.b.op('Shape', ['x']), s.b.ints([0]), s.b.ints([1])])
  const shape = s.b.op('Concat', [s.b.ints([directions]), batch, s.b.ints([hidden])], { axis: 0 })
  return s.b.op('Expand', [s.weight([directions, 1, hidden]), shape])
}

/** Rows of a table by the largest of scores, and scores by the same table. */
const tied: Step = (s) => {
  const x = s.take(ofRank(2, 2))
  if (!x) return
  const [words, size] = [4 + s.below(3), x.dims[1]!]
  const table = s.weight([words, size])
  const scores = s.b.op('MatMul', [x.name, s.b.op('Transpose', [table], { perm: [1, 0] })])
  const ids = s.b.op('ArgMax', [scores], { axis: 2, keepdims: 0 })
  s.add(s.b.op('Gather', [table, ids]), x.dims)
  s.add(scores, [x.dims[0]!, words])
}

const quantized: Step = (s) => {
  const x = s.take()
  if (!x) return
  const point = () =>
    s.b.initializer(s.b.fresh('zero'), { type: 'uint8', dims: [], bytes: Uint8Array.of(s.pick([0, 100, 128])) })
  const there = point()
  const q = s.b.op('QuantizeLinear', [x.name, s.b.scalar(0.05), there])
  const back = s.below(2) ? there : point()
  s.add(s.b.op('DequantizeLinear', [q, s.b.scalar(s.pick([0.05, 0.1])), back]), x.dims)
}

export const layers = {
  dense,
  gemm,
  convolution,
  batchNormalization,
  normalization,
  recurrent,
  tied,
  quantized,
} satisfies Record<string, Step>
