import { type DataType, float32 } from '../../../base/index.ts'
import { type Graph, makeGraph, makeNode, type Node, subgraph } from '../../../onnx/index.ts'
import { picture, stem } from './layers.ts'
import type { SizeNet } from './net.ts'
import { images, lengths, type SizeCase } from './types.ts'

const sequence = ['N', 'T', 6] as const

/** A subgraph; its inputs and outputs by name and type. */
export const bodyOf = (
  inputs: readonly (readonly [string, DataType])[],
  nodes: readonly Node[],
  outputs: readonly (readonly [string, DataType])[],
): Graph => {
  const body = makeGraph('body')
  body.inputs = inputs.map(([name, type]) => ({ name, type, ...(type === 'float32' ? {} : { dims: [] }) }))
  body.nodes = [...nodes]
  body.outputs = outputs.map(([name, type]) => ({ name, type }))
  return body
}

/** What every body of a Loop is given first, and the node that lets it go on. */
const [step, goOn] = [['i', 'int64'] as const, ['go', 'bool'] as const]
const goesOn = () => makeNode('Identity', ['go'], ['goes'])
const goes = ['goes', 'bool'] as const

/** One step of h ← tanh(x·u + h·w), as nodes of a body whose weights are captured. */
const cell = (net: SizeNet, name: string, [inner, width]: readonly [number, number]) => {
  const [u, w] = [net.weight(`${name}.input`, [inner, width]), net.weight(`${name}.state`, [width, width])]
  return [
    makeNode('MatMul', ['xt', u], ['from_x']),
    makeNode('MatMul', ['h', w], ['from_h']),
    makeNode('Add', ['from_x', 'from_h'], ['both']),
    makeNode('Tanh', ['both'], ['next']),
  ]
}

/** Zeros of (…, N, width), N the batch of x. */
export const zeros = (net: SizeNet, before: readonly number[], width: number): string =>
  net.op('ConstantOfShape', [net.list([...before, net.size('x', 0), width])], { value: float32([1], [0]) })

/** Layers run as often as there are samples or steps. */
export const recurrentCases: readonly SizeCase[] = [
  {
    name: 'a Loop runs a layer for each sample',
    dims: picture,
    write: (net) => {
      const a = stem(net)
      const [w, b] = [net.weight('inner.weight', [10, 8, 3, 3]), net.weight('inner.bias', [10])]
      const v = net.weight('last.weight', [6, 10, 1, 1])
      const one = net.b.initializer('one', net.graph.initializers.get(net.b.ints([0]))!)
      const body = bodyOf(
        [step, goOn],
        [
          makeNode('Unsqueeze', net.opset >= 13 ? ['i', one] : ['i'], ['at'], net.opset >= 13 ? {} : { axes: [0] }),
          makeNode('Gather', [a, 'at'], ['sample'], { axis: 0 }),
          makeNode('Conv', ['sample', w, b], ['wide'], { pads: [1, 1, 1, 1], kernel_shape: [3, 3] }),
          makeNode('Relu', ['wide'], ['active']),
          makeNode('Conv', ['active', v], ['narrow'], { kernel_shape: [1, 1] }),
          makeNode(
            'Squeeze',
            net.opset >= 13 ? ['narrow', one] : ['narrow'],
            ['made'],
            net.opset >= 13 ? {} : { axes: [0] },
          ),
          goesOn(),
        ],
        [goes, ['made', 'float32']],
      )
      const all = net.op('Loop', [net.size('x', 0), net.true()], { body: subgraph(body) }, { name: 'samples' })
      return net.conv(net.relu(net.conv(all, 'head', [6, 6, 3])), 'out', [2, 6, 1])
    },
    sizes: images,
    prunable: ['head'],
  },
  {
    name: 'a Loop carries a state along a length',
    dims: sequence,
    write: (net) => {
      const x = net.relu(net.dense('x', 'embed', [6, 8]))
      const nodes = [makeNode('Gather', [x, 'i'], ['xt'], { axis: 1 }), ...cell(net, 'cell', [8, 5]), goesOn()]
      const body = bodyOf([step, goOn, ['h', 'float32']], nodes, [goes, ['next', 'float32']])
      const inputs = [net.size(x, 1), net.true(), zeros(net, [], 5)]
      const last = net.op('Loop', inputs, { body: subgraph(body) }, { name: 'steps' })
      return net.dense(net.relu(net.dense(last, 'head', [5, 12])), 'out', [12, 2])
    },
    sizes: lengths,
    prunable: ['head'],
  },
  {
    name: 'a Scan carries a state along a length',
    dims: sequence,
    write: (net) => {
      const x = net.relu(net.dense('x', 'embed', [6, 8]))
      const nodes = [...cell(net, 'cell', [8, 5]), makeNode('Identity', ['next'], ['seen'])]
      const body = bodyOf(
        [
          ['h', 'float32'],
          ['xt', 'float32'],
        ],
        nodes,
        [
          ['next', 'float32'],
          ['seen', 'float32'],
        ],
      )
      const inputs = [zeros(net, [], 5), net.transpose(x, [1, 0, 2])]
      const attributes = { body: subgraph(body), num_scan_inputs: 1 }
      const [, all] = net.b.ops('Scan', inputs, 2, attributes, { name: 'steps' }) as [string, string]
      return net.dense(net.relu(net.dense(all, 'head', [5, 12])), 'out', [12, 2])
    },
    sizes: lengths,
    prunable: ['head'],
  },
  {
    name: 'an LSTM begins with zeros of the batch',
    dims: sequence,
    write: (net) => {
      const x = net.relu(net.dense('x', 'embed', [6, 8]))
      const weights = [
        net.weight('lstm.W', [1, 20, 8]),
        net.weight('lstm.R', [1, 20, 5]),
        net.weight('lstm.B', [1, 40]),
      ]
      const inputs = [net.transpose(x, [1, 0, 2]), ...weights, '', zeros(net, [1], 5), zeros(net, [1], 5)]
      const [all] = net.b.ops('LSTM', inputs, 3, { hidden_size: 5 }, { name: 'lstm' }) as [string]
      const steps = net.transpose(net.squeeze(all, [1]), [1, 0, 2])
      return net.dense(net.relu(net.dense(steps, 'head', [5, 12])), 'out', [12, 2])
    },
    sizes: lengths,
    prunable: ['embed', 'head'],
  },
  {
    name: 'a GRU begins with zeros of twice the batch, in two directions',
    dims: sequence,
    write: (net) => {
      const x = net.relu(net.dense('x', 'embed', [6, 8]))
      const weights = [net.weight('gru.W', [2, 15, 8]), net.weight('gru.R', [2, 15, 5]), net.weight('gru.B', [2, 30])]
      const inputs = [net.transpose(x, [1, 0, 2]), ...weights, '', zeros(net, [2], 5)]
      const attributes = { hidden_size: 5, direction: 'bidirectional' }
      const [all] = net.b.ops('GRU', inputs, 2, attributes, { name: 'gru' }) as [string]
      const turned = net.transpose(all, [2, 0, 1, 3])
      const steps = net.reshape(turned, [net.size(x, 0), net.size(x, 1), -1])
      return net.dense(net.relu(net.dense(steps, 'head', [10, 12])), 'out', [12, 2])
    },
    sizes: lengths,
    prunable: ['embed', 'head'],
  },
]
