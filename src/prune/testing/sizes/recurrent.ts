import { type DataType, float32 } from '../../../base/index.ts'
import { type Graph, makeGraph, makeNode, type Node, subgraph } from '../../../onnx/index.ts'
import { head, picture, stem } from './layers.ts'
import type { SizeNet } from './net.ts'
import { images, lengths, type SizeCase } from './types.ts'

const sequence = ['N', 'T', 6] as const

/** An input or output of a subgraph: its name, its type, and how many axes it has. */
export type Port = readonly [name: string, type: DataType, rank?: number]

/** A subgraph; floats without a rank may have any. */
export const bodyOf = (inputs: readonly Port[], nodes: readonly Node[], outputs: readonly Port[]): Graph => {
  const port = ([name, type, rank = type === 'float32' ? undefined : 0]: Port) => ({
    name,
    type,
    ...(rank === undefined ? {} : { dims: Array(rank).fill(null) }),
  })
  const body = makeGraph('body')
  body.inputs = inputs.map(port)
  body.nodes = [...nodes]
  body.outputs = outputs.map(port)
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
const zeros = (net: SizeNet, x: string, before: readonly number[], width: number): string =>
  net.op('ConstantOfShape', [net.list([...before, net.size(x, 0), width])], { value: float32([1], [0]) })

/** Two convolutions of one sample after the other, as often as there are samples. */
export const loopOverSamples = (net: SizeNet, x: string, [inner, wide, out]: readonly [number, number, number]) => {
  const kernels = [net.weight('inner.weight', [wide, inner, 3, 3]), net.weight('inner.bias', [wide])]
  const last = net.weight('last.weight', [out, wide, 1, 1])
  const [first, axes] = net.opset >= 13 ? [[net.b.ints([0])], {}] : [[], { axes: [0] }]
  const nodes = [
    makeNode('Unsqueeze', ['i', ...first], ['at'], axes),
    makeNode('Gather', [x, 'at'], ['sample'], { axis: 0 }),
    makeNode('Conv', ['sample', ...kernels], ['wide'], { pads: [1, 1, 1, 1], kernel_shape: [3, 3] }),
    makeNode('Relu', ['wide'], ['active']),
    makeNode('Conv', ['active', last], ['narrow'], { kernel_shape: [1, 1] }),
    makeNode('Squeeze', ['narrow', ...first], ['made'], axes),
    goesOn(),
  ]
  const body = bodyOf([step, goOn], nodes, [goes, ['made', 'float32', 3]])
  return net.op('Loop', [net.size(x, 0), net.true()], { body: subgraph(body) }, { name: net.b.fresh('samples') })
}

/** The last state of a Loop over x of (N, T, inner). */
export const loopOverSteps = (net: SizeNet, x: string, [inner, width]: readonly [number, number]): string => {
  const nodes = [makeNode('Gather', [x, 'i'], ['xt'], { axis: 1 }), ...cell(net, 'cell', [inner, width]), goesOn()]
  const body = bodyOf([step, goOn, ['h', 'float32', 2]], nodes, [goes, ['next', 'float32', 2]])
  const inputs = [net.size(x, 1), net.true(), zeros(net, x, [], width)]
  return net.op('Loop', inputs, { body: subgraph(body) }, { name: net.b.fresh('steps') })
}

/** All states, (T, N, width), of a Scan over x of (N, T, inner). */
export const scanOverSteps = (net: SizeNet, x: string, [inner, width]: readonly [number, number]): string => {
  const nodes = [...cell(net, 'cell', [inner, width]), makeNode('Identity', ['next'], ['seen'])]
  const given = ['h', 'xt'].map((name) => [name, 'float32', 2] as const)
  const made = ['next', 'seen'].map((name) => [name, 'float32', 2] as const)
  const attributes = { body: subgraph(bodyOf(given, nodes, made)), num_scan_inputs: 1 }
  const inputs = [zeros(net, x, [], width), net.transpose(x, [1, 0, 2])]
  return net.b.ops('Scan', inputs, 2, attributes, { name: net.b.fresh('steps') })[1]!
}

/** An LSTM or GRU over x of (N, T, inner), begun with zeros of the batch; (T, directions, N, width). */
export const recurrentLayer = (
  net: SizeNet,
  x: string,
  [inner, width]: readonly [number, number],
  op: 'LSTM' | 'GRU',
  directions = 1,
): string => {
  const rows = width * { LSTM: 4, GRU: 3 }[op]
  const name = net.b.fresh(op.toLowerCase())
  const weights = [
    net.weight(`${name}.W`, [directions, rows, inner]),
    net.weight(`${name}.R`, [directions, rows, width]),
    net.weight(`${name}.B`, [directions, 2 * rows]),
  ]
  const states = (op === 'LSTM' ? [0, 1] : [0]).map(() => zeros(net, x, [directions], width))
  const attributes = { hidden_size: width, direction: directions === 2 ? 'bidirectional' : 'forward' }
  return net.b.ops(op, [net.transpose(x, [1, 0, 2]), ...weights, '', ...states], 2, attributes, { name })[0]!
}

const embed = (net: SizeNet) => net.relu(net.dense('x', 'embed', [6, 8]))

const ending = (net: SizeNet, x: string, width: number) =>
  net.dense(net.relu(net.dense(x, 'head', [width, 12])), 'out', [12, 2])

/** Layers run as often as there are samples or steps. */
export const recurrentCases: readonly SizeCase[] = [
  {
    name: 'a Loop runs a layer for each sample',
    dims: picture,
    write: (net) => head(net, loopOverSamples(net, stem(net), [8, 10, 6]), 6),
    sizes: images,
    prunable: ['head'],
  },
  {
    name: 'a Loop carries a state along a length',
    dims: sequence,
    write: (net) => ending(net, loopOverSteps(net, embed(net), [8, 5]), 5),
    sizes: lengths,
    prunable: ['head'],
  },
  {
    name: 'a Scan carries a state along a length',
    dims: sequence,
    write: (net) => ending(net, scanOverSteps(net, embed(net), [8, 5]), 5),
    sizes: lengths,
    prunable: ['head'],
  },
  {
    name: 'an LSTM begins with zeros of the batch',
    dims: sequence,
    write: (net) => {
      const all = recurrentLayer(net, embed(net), [8, 5], 'LSTM')
      return ending(net, net.transpose(net.squeeze(all, [1]), [1, 0, 2]), 5)
    },
    sizes: lengths,
    prunable: ['embed', 'head'],
  },
  {
    name: 'a GRU begins with zeros of twice the batch, in two directions',
    dims: sequence,
    write: (net) => {
      const x = embed(net)
      const turned = net.transpose(recurrentLayer(net, x, [8, 5], 'GRU', 2), [2, 0, 1, 3])
      return ending(net, net.reshape(turned, [net.size(x, 0), net.size(x, 1), -1]), 10)
    },
    sizes: lengths,
    prunable: ['embed', 'head'],
  },
]
