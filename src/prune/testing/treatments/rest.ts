import { float32, int32, int64 } from '../../../base/index.ts'
import { makeGraph, makeNode, subgraph } from '../../../onnx/index.ts'
import { Net } from '../networks.ts'
import { type Case, images, onData, op, rows, type Step, shapeOf } from './build.ts'

const quantized: Step = (net, x) => {
  const parts = [
    net.b.scalar(0.1),
    net.b.initializer(net.b.fresh('zero'), { type: 'uint8', dims: [], bytes: Uint8Array.of(128) }),
  ]
  return net.b.op('DequantizeLinear', [net.b.op('QuantizeLinear', [x, ...parts]), ...parts])
}

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

/** Subgraphs, quantized values, shared weights, made-up values and reductions. */
export const rest: readonly Case[] = [
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
    /holds sizes/,
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
