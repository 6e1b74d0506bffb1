import { float32, int64 } from '../../../base/index.ts'
import { type Case, images, op, rows, type Step, shapeOf, vectors } from './build.ts'

const cell =
  (opType: string, gates: number, biases: number, directions: number): Step =>
  (net, x) => {
    const turned = net.b.op('Transpose', [x], { perm: [1, 0, 2] })
    const weights = [
      net.weight('w', [directions, gates * 4, 8]),
      net.weight('r', [directions, gates * 4, 4]),
      net.weight('b', [directions, biases * 4]),
    ]
    if (opType === 'LSTM') weights.push('', '', '', net.weight('p', [directions, 12]))
    const direction = directions === 2 ? 'bidirectional' : 'forward'
    const [y] = net.b.ops(opType, [turned, ...weights], 1, { hidden_size: 4, direction })
    const back = net.b.op('Transpose', [y!], { perm: [2, 0, 1, 3] })
    return net.b.op('Reshape', [back, net.b.ints([0, 0, -1])])
  }

/** Heads of two dimensions each, from queries, keys and values side by side. */
const heads: Step = (net, x) => {
  const packed = net.b.op('MatMul', [x, net.weight('qkv', [8, 24])])
  const parts = net.b.ops('Split', [packed, net.b.ints([8, 8, 8])], 3, { axis: 2 })
  const [q, k, v] = parts.map((part) =>
    net.b.op('Transpose', [net.b.op('Reshape', [part, net.b.ints([0, 0, 4, 2])])], { perm: [0, 2, 1, 3] }),
  )
  const scores = net.b.op('Softmax', [net.b.op('MatMul', [q!, net.b.op('Transpose', [k!], { perm: [0, 1, 3, 2] })])])
  const mixed = net.b.op('Transpose', [net.b.op('MatMul', [scores, v!])], { perm: [0, 2, 1, 3] })
  return net.b.op('Reshape', [mixed, net.b.ints([0, 0, 8])])
}

const groupNorm: Step = (net, x) => {
  const apart = net.b.op('Reshape', [x, net.b.ints([0, 4, -1])])
  const plain = [1, 0].map((n) => net.b.constant(float32([4], Array(4).fill(n))))
  const normal = net.b.op('InstanceNormalization', [apart, ...plain])
  const back = net.b.op('Reshape', [normal, net.b.op('Shape', [x])])
  const scaled = net.b.op('Mul', [back, net.weight('gamma', [8, 1, 1])])
  return net.b.op('Add', [scaled, net.weight('beta', [8, 1, 1])])
}

const layerNorm: Step = (net, x) => {
  const mean = (y: string) => net.b.op('ReduceMean', [y], { axes: [-1] })
  const centred = net.b.op('Sub', [x, mean(x)])
  const variance = net.b.op('Add', [mean(net.b.op('Pow', [centred, net.b.scalar(2)])), net.b.scalar(1e-5)])
  return net.b.op('Mul', [net.b.op('Div', [centred, net.b.op('Sqrt', [variance])]), net.weight('gamma', [8])])
}

/** Attention, normalizations, pictures and recurrent layers. */
export const features: readonly Case[] = [
  ['attention: packed queries, keys and values', rows(8, heads), 'goes'],
  ['Softmax of its own axis', rows(8, op('Softmax', { axis: -1 })), /mixes all indices/],
  ['Softmax of another axis', rows(8, op('Softmax', { axis: 1 })), 'goes'],
  ['LogSoftmax', rows(8, op('LogSoftmax')), /mixes all indices/],
  [
    'ArgMax',
    rows(1, (net, x) => net.b.op('Cast', [op('ArgMax', { axis: 2 })(net, x)], { to: 1 })),
    /combines all indices/,
  ],
  ['TopK', rows(3, (net, x) => net.b.ops('TopK', [x, net.b.ints([3])], 2, { axis: 2 })[0]!), /compares all indices/],
  ['CumSum', rows(8, (net, x) => net.b.op('CumSum', [x, net.b.constant(int64([], [-1]))])), /adds up all indices/],
  ['LayerNormalization', rows(8, vectors('LayerNormalization', ['gamma', 'beta'])), 'on request'],
  ['LayerNormalization in parts', rows(8, layerNorm), 'on request'],
  ['InstanceNormalization', images(288, vectors('InstanceNormalization', ['gamma', 'beta'])), 'goes'],
  ['GroupNormalization', images(288, vectors('GroupNormalization', ['gamma', 'beta'], { num_groups: 4 }), 21), 'goes'],
  ['GroupNormalization in parts', images(288, groupNorm), 'goes'],
  ['LRN', images(288, op('LRN', { size: 3 })), /neighbouring channels/],
  ['MaxPool', images(72, (net, x) => net.pool(x)), 'goes'],
  ['GlobalAveragePool', images(8, op('GlobalAveragePool')), 'goes'],
  [
    'Resize: scales of every axis',
    images(1152, (net, x) => net.b.op('Resize', [x, '', net.b.constant(float32([4], [1, 1, 2, 2]))])),
    'goes',
  ],
  [
    'Resize: sizes computed with the batch',
    images(72, (net, x) => {
      const sizes = net.b.op('Concat', [shapeOf(net, x, 0), net.b.ints([8, 3, 3])], { axis: 0 })
      return net.b.op('Resize', [x, '', '', sizes])
    }),
    'goes',
  ],
  ['Pad of channels', images(396, op('Pad', {}, [0, 1, 0, 0, 0, 2, 0, 0])), 'goes'],
  ['Pad of channels with what is not 0', images(324, op('Pad', {}, [0, 1, 0, 0, 0, 0, 0, 0], 0.5)), 'goes'],
  [
    'Pad of channels by their edge',
    images(324, op('Pad', { mode: 'edge' }, [0, 1, 0, 0, 0, 0, 0, 0])),
    /repeats indices/,
  ],
  [
    'Dropout, Identity, Cast, Clip',
    images(288, (net, x) => {
      const wide = net.b.op('Cast', [op('Dropout')(net, x)], { to: 11 })
      return op('Clip', {}, -1, 1)(net, net.b.op('Identity', [net.b.op('Cast', [wide], { to: 1 })]))
    }),
    'goes',
  ],
  ['PRelu', images(288, (net, x) => net.b.op('PRelu', [x, net.weight('slope', [8, 1, 1])])), 'goes'],
  ...['DCR', 'CRD'].map(
    (mode): Case => [
      `DepthToSpace ${mode}`,
      images(288, (net, x) => net.conv(op('DepthToSpace', { blocksize: 2, mode })(net, x), 'two', [2, 2, 1])),
      'goes',
    ],
  ),
  ['SpaceToDepth', images(288, op('SpaceToDepth', { blocksize: 2 })), 'goes'],
  [
    'channel shuffle',
    images(288, (net, x) => {
      const apart = op('Reshape', {}, [0, 2, 4, 6, 6])(net, x)
      const mixed = op('Reshape', {}, [0, 8, 6, 6])(net, net.b.op('Transpose', [apart], { perm: [0, 2, 1, 3, 4] }))
      return net.conv(mixed, 'two', [8, 4, 3], 2)
    }),
    'goes',
  ],
  ['LSTM with peepholes', rows(4, cell('LSTM', 4, 8, 1)), 'goes'],
  ['LSTM in both directions', rows(8, cell('LSTM', 4, 8, 2)), 'goes'],
  ['GRU', rows(4, cell('GRU', 3, 6, 1)), 'goes'],
  ['RNN in both directions', rows(8, cell('RNN', 1, 2, 2)), 'goes'],
  [
    'Einsum',
    rows(4, (net, x) => net.b.op('Einsum', [x, net.weight('two', [8, 4])], { equation: '...j,jk->...k' })),
    'goes',
  ],
  [
    'Einsum: a diagonal',
    rows(5, (net, x) => {
      const square = net.b.op('MatMul', [x, net.weight('two', [8, 5])])
      const gram = net.b.op('MatMul', [net.b.op('Transpose', [square], { perm: [0, 2, 1] }), square])
      const diagonal = net.b.op('Einsum', [gram], { equation: 'njj->nj' })
      return net.b.op('Unsqueeze', [diagonal, net.b.ints([1])])
    }),
    'goes',
  ],
]
