import { describe, expect, test } from 'vitest'
import { float32, int32, int64 } from '../base/index.ts'
import { type Model, makeGraph, makeNode, subgraph } from '../onnx/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { analyzeModel, pruneModel, verifyPlan } from './index.ts'
import { Net } from './testing/networks.ts'

// Every operator that makes dependency graphs hard, and what is done with the units that pass through it: they go (proven, and
// once more with what is left), they stay for a reason, or they go on request alone.

const runtime = nodeRuntime

type Step = (net: Net, x: string) => string
type Case = readonly [name: string, model: () => Model, expected: 'goes' | 'on request' | RegExp]

/** Eight channels of 6×6, a step, and a dense layer that reads all `size` numbers of what it makes. */
const images =
  (size: number, step: Step, opset = 17) =>
  () => {
    const net = new Net([3, 6, 6])
    return net.model(net.dense(net.flatten(step(net, net.conv('x', 'one', [8, 3, 3]))), 'out', [3, size]), opset)
  }

/** Five rows of eight features, a step, and a product that reads rows of `size`. */
const rows =
  (size: number, step: Step, opset = 17) =>
  () => {
    const net = new Net([5, 6])
    const y = step(net, net.b.op('MatMul', ['x', net.weight('one', [6, 8])]))
    return net.model(net.b.op('MatMul', [y, net.weight('out', [size, 3])]), opset)
  }

const op =
  (opType: string, attributes = {}, ...more: (number[] | number)[]): Step =>
  (net, x) =>
    net.b.op(opType, [x, ...more.map((n) => (typeof n === 'number' ? net.b.scalar(n) : net.b.ints(n)))], attributes)

const shapeOf = (net: Net, x: string, axis: number) =>
  net.b.op('Unsqueeze', [
    net.b.op('Gather', [net.b.op('Shape', [x]), net.b.constant(int64([], [axis]))]),
    net.b.ints([0]),
  ])

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

const quantized: Step = (net, x) => {
  const parts = [
    net.b.scalar(0.1),
    net.b.initializer(net.b.fresh('zero'), { type: 'uint8', dims: [], bytes: Uint8Array.of(128) }),
  ]
  return net.b.op('DequantizeLinear', [net.b.op('QuantizeLinear', [x, ...parts]), ...parts])
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

const vectors =
  (opType: string, names: readonly string[], attributes = {}): Step =>
  (net, x) =>
    net.b.op(opType, [x, ...names.map((name) => net.weight(name, [8], name === 'var'))], attributes)

/** A subgraph that reads `x` from outside and passes it on; its own inputs come first. */
const bodyOf = (x: string, inputs: readonly [string, 'int64' | 'bool' | 'float32', number[]?][], outputs: string[]) => {
  const body = makeGraph('body')
  for (const [name, type, dims] of inputs) body.inputs.push({ name, type, ...(dims && { dims }) })
  body.nodes.push(makeNode('Identity', [x], ['inside']))
  if (outputs.includes('go')) body.nodes.push(makeNode('Identity', ['condition'], ['go']))
  if (outputs.includes('kept')) body.nodes.push(makeNode('Identity', ['state'], ['kept']))
  body.outputs = outputs.map((name) => ({
    name,
    type: name === 'go' ? ('bool' as const) : ('float32' as const),
  }))
  return subgraph(body)
}

const onData = (net: Net) => net.b.op('Greater', [net.b.op('ReduceMax', ['x'], { keepdims: 0 }), net.b.scalar(0)])

const cases: readonly Case[] = [
  ['Conv: groups', images(288, (net, x) => net.conv(x, 'two', [8, 4, 3], 2)), 'goes'],
  ['Conv: depthwise, two outputs a channel', images(576, (net, x) => net.conv(x, 'two', [16, 1, 3], 8)), 'goes'],
  ['Conv: one channel in is not depthwise', images(144, (net, x) => net.conv(x, 'two', [4, 8, 3], 1)), 'goes'],
  [
    'ConvTranspose: groups',
    images(288, (net, x) => net.b.op('ConvTranspose', [x, net.weight('two', [8, 4, 1, 1])], { group: 2 })),
    'goes',
  ],
  ['Gemm', images(12, (net, x) => net.dense(net.flatten(x), 'two', [12, 288])), 'goes'],
  [
    'MatMul: weight on the left',
    rows(5, (net, x) =>
      net.b.op('MatMul', [net.weight('two', [4, 8]), net.b.op('Transpose', [x], { perm: [0, 2, 1] })]),
    ),
    'goes',
  ],
  [
    'MatMul: two computed',
    rows(5, (net, x) => net.b.op('MatMul', [x, net.b.op('Transpose', [x], { perm: [0, 2, 1] })])),
    'goes',
  ],
  [
    'MatMul: two computed that are not 0',
    rows(5, (net, x) => {
      const y = net.b.op('Sigmoid', [x])
      return net.b.op('MatMul', [y, net.b.op('Transpose', [y], { perm: [0, 2, 1] })])
    }),
    /none of which is surely 0/,
  ],
  ['BatchNormalization', images(288, vectors('BatchNormalization', ['gamma', 'beta', 'mean', 'var'])), 'goes'],
  ['residual Add', images(288, (net, x) => net.b.op('Add', [x, net.conv(net.relu(x), 'two', [8, 8, 3])])), 'goes'],
  [
    'Mul by a gate',
    images(288, (net, x) => {
      const gate = net.conv(net.b.op('GlobalAveragePool', [x]), 'two', [8, 8, 1])
      return net.b.op('Mul', [x, net.b.op('Sigmoid', [gate])])
    }),
    'goes',
  ],
  [
    'Where',
    images(288, (net, x) => net.b.op('Where', [net.b.op('Greater', [x, net.b.scalar(0)]), x, net.b.scalar(0)])),
    'goes',
  ],
  ['Div by what may be 0', images(288, (net, x) => net.b.op('Div', [net.b.scalar(1), x])), /may give no number/],
  ['Flatten behind images', images(288, (_, x) => x), 'goes'],
  [
    'Reshape with 0 and −1',
    rows(8, (net, x) => op('Reshape', {}, [0, -1, 8])(net, op('Reshape', {}, [0, 0, 4, 2])(net, x))),
    'goes',
  ],
  [
    'Reshape that shares no blocks',
    images(288, op('Reshape', {}, [0, 9, 32])),
    /indices go in whole blocks|share no whole blocks/,
  ],
  ['Squeeze and Unsqueeze', rows(8, (net, x) => op('Squeeze', {}, [3])(net, op('Unsqueeze', {}, [3])(net, x))), 'goes'],
  [
    'Shape → Gather → Concat → Reshape',
    rows(8, (net, x) =>
      net.b.op('Reshape', [
        net.b.op('Reshape', [x, net.b.op('Concat', [shapeOf(net, x, 0), net.b.ints([-1])], { axis: 0 })]),
        net.b.op('Concat', [shapeOf(net, x, 0), shapeOf(net, x, 1), net.b.ints([8])], { axis: 0 }),
      ]),
    ),
    'goes',
  ],
  ['Transpose', images(288, op('Transpose', { perm: [0, 2, 3, 1] })), 'goes'],
  ['Concat: the same twice', images(576, (net, x) => net.b.op('Concat', [x, x], { axis: -3 })), 'goes'],
  ['Concat: another axis', images(576, (net, x) => net.b.op('Concat', [x, net.relu(x)], { axis: 2 })), 'goes'],
  [
    'Split: equal, no sizes',
    images(288, (net, x) => net.b.op('Concat', net.b.ops('Split', [x], 2, { axis: 1 }).reverse(), { axis: 1 })),
    'goes',
  ],
  [
    'Split: num_outputs',
    images(
      288,
      (net, x) => net.b.op('Concat', net.b.ops('Split', [x], 2, { axis: -3, num_outputs: 2 }), { axis: 1 }),
      18,
    ),
    'goes',
  ],
  [
    'Split: uneven',
    images(288, (net, x) => {
      const [a, b] = net.b.ops('Split', [x, net.b.ints([3, 5])], 2, { axis: 1 })
      return net.b.op('Concat', [net.relu(b!), a!], { axis: 1 })
    }),
    'goes',
  ],
  ['Slice: every second, backwards', images(144, op('Slice', {}, [-1], [-9], [1], [-2])), 'goes'],
  [
    'Slice: computed bounds',
    images(288, (net, x) => {
      const end = net.b.op('Add', [net.b.op('Cast', [onData(net)], { to: 7 }), net.b.constant(int64([], [8]))])
      return net.b.op('Slice', [x, net.b.ints([0]), net.b.op('Unsqueeze', [end, net.b.ints([0])]), net.b.ints([1])])
    }),
    /computes its bounds while the graph runs/,
  ],
  [
    'Gather: repeated and negative',
    images(180, (net, x) => net.b.op('Gather', [x, net.b.ints([0, -1, 2, 2, -4])], { axis: 1 })),
    'goes',
  ],
  [
    'Gather: computed indices',
    images(36, (net, x) => {
      const index = net.b.op('Cast', [onData(net)], { to: 7 })
      return net.b.op('Gather', [x, index], { axis: 1 })
    }),
    /indices computed while the graph runs/,
  ],
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
    /computes its sizes/,
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
  [
    'If',
    rows(8, (net, x) => {
      const branch = bodyOf(x, [], ['inside'])
      return net.b.op('If', [onData(net)], { then_branch: branch, else_branch: branch })
    }),
    /read inside a subgraph of If/,
  ],
  [
    'Loop',
    rows(8, (net, x) => {
      const inputs = [
        ['i', 'int64', []],
        ['condition', 'bool', []],
        ['state', 'float32'],
      ] as const
      const body = bodyOf(
        x,
        inputs.map(([name, type, dims]) => (dims ? [name, type, []] : [name, type])),
        ['go', 'inside'],
      )
      const times = net.b.op('Add', [net.b.op('Cast', [onData(net)], { to: 7 }), net.b.constant(int64([], [1]))])
      return net.b.op('Loop', [times, '', x], { body })
    }),
    /read inside a subgraph of Loop|no rule for operator Loop/,
  ],
  [
    'Scan',
    rows(8, (net, x) => {
      const body = bodyOf(
        x,
        [
          ['state', 'float32'],
          ['slice', 'float32'],
        ],
        ['kept', 'inside'],
      )
      const states = net.b.ops('Scan', [net.b.scalar(0), net.b.constant(float32([2], [0, 0]))], 2, {
        body,
        num_scan_inputs: 1,
      })
      return net.b.op('ReduceSum', [states[1]!, net.b.ints([0])], { keepdims: 0 })
    }),
    /read inside a subgraph of Scan/,
  ],
  ['QuantizeLinear and DequantizeLinear', images(288, quantized), 'goes'],
  [
    'tied weights',
    rows(6, (net, x) => net.b.op('MatMul', [net.relu(x), net.b.op('Transpose', ['one'], { perm: [1, 0] })])),
    'goes',
  ],
  [
    'a table of words',
    () => {
      const net = new Net([5])
      const ids = net.b.op('Cast', [net.b.op('Clip', ['x', net.b.scalar(0), net.b.scalar(4)])], { to: 7 })
      const y = net.b.op('Gather', [net.weight('one', [6, 8]), ids])
      return net.model(net.b.op('MatMul', [net.relu(y), net.weight('out', [8, 3])]))
    },
    'goes',
  ],
  [
    'Expand',
    rows(8, (net, x) => net.b.op('Mul', [x, net.b.op('Expand', [net.weight('two', [1]), net.b.ints([8])])])),
    'goes',
  ],
  ['Tile', rows(16, op('Tile', {}, [1, 1, 2])), 'goes'],
  [
    'ConstantOfShape',
    rows(8, (net, x) => net.b.op('Add', [x, net.b.op('ConstantOfShape', [net.b.ints([8])])])),
    'goes',
  ],
  [
    'Range',
    rows(8, (net, x) => {
      const numbers = ['start', 'limit', 'delta'].map((_, i) => net.b.constant(int32([], [[0], [8], [1]][i]!)))
      return net.b.op('Add', [x, net.b.op('Cast', [net.b.op('Range', numbers)], { to: 1 })])
    }),
    /makes its output from given sizes/,
  ],
  ...['ReduceSum', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare'].map(
    (name): Case => [
      name,
      rows(1, op(name, name === 'ReduceSum' ? {} : { axes: [2] }, ...(name === 'ReduceSum' ? [[2]] : []))),
      'goes',
    ],
  ),
  [
    'ReduceSum of what is not 0',
    rows(1, (net, x) => op('ReduceSum', {}, [2])(net, net.b.op('Exp', [x]))),
    /none of which is surely 0/,
  ],
  ...['ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceLogSumExp'].map(
    (name): Case => [name, rows(1, op(name, { axes: [2] })), /combines all indices/],
  ),
  ['ReduceMean', rows(1, op('ReduceMean', { axes: [2] })), 'on request'],
  [
    'GatherND: positions by number',
    rows(8, (net, x) => {
      const first = net.b.op('Transpose', [x], { perm: [2, 0, 1] })
      const picked = net.b.op('GatherND', [first, net.b.constant(int64([2, 1], [2, 5]))])
      return net.b.op('MatMul', [net.b.op('Transpose', [picked], { perm: [1, 2, 0] }), net.weight('two', [2, 8])])
    }),
    /reads the axis by index/,
  ],
  [
    'NonZero',
    rows(1, (net, x) => {
      const places = net.b.op('Cast', [net.b.op('NonZero', [net.relu(x)])], { to: 1 })
      return net.b.op('Add', [
        net.b.op('ReduceMax', ['x'], { axes: [2] }),
        net.b.op('ReduceMax', [places], { keepdims: 0 }),
      ])
    }),
    /counts positions/,
  ],
  [
    'RoiAlign',
    images(32, (net, x) =>
      net.b.op('Expand', [
        net.b.op(
          'ReduceMax',
          [
            net.b.op('RoiAlign', [x, net.b.constant(float32([1, 4], [0, 0, 4, 4])), net.b.constant(int64([1], [0]))], {
              output_height: 2,
              output_width: 2,
            }),
          ],
          { axes: [0] },
        ),
        net.b.op('Concat', [shapeOf(net, x, 0), net.b.ints([1, 1, 1])], { axis: 0 }),
      ]),
    ),
    'goes',
  ],
]

describe('operator by operator', () => {
  test.each(cases)('%s', async (_, build, expected) => {
    const model = build()
    const analysis = await analyzeModel(model, { runtime })
    const ones = analysis.groups.filter(({ members }) =>
      members.some(({ initializer }) => initializer.startsWith('one')),
    )
    const reasons = analysis.frozen.filter(({ value }) => value.startsWith('one')).map(({ reason }) => reason)
    if (expected instanceof RegExp) {
      expect(ones).toEqual([])
      expect(reasons.join('\n')).toMatch(expected)
      return
    }
    expect(ones.length, reasons.join('\n')).toBeGreaterThan(0)
    expect(ones.map(({ approximate }) => approximate !== undefined)).toEqual(ones.map(() => expected === 'on request'))
    let before = model
    for (let round = 0; round < 2; round++) {
      const { model: after, plan } = await pruneModel(before, { runtime, target: { ratio: 0.5 }, criterion: 'random' })
      const proof = await verifyPlan(before, after, plan, { runtime })
      expect(proof).toMatchObject({ equal: true, changed: [] })
      if (round === 0 && expected === 'goes')
        expect(Object.keys(plan.slices).some((name) => name.startsWith('one'))).toBe(true)
      before = after
    }
  })
})
