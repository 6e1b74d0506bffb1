import { dataTypes, int64, UnsupportedError } from '../base/index.ts'
import type { GraphBuilder } from './builder.ts'
import { producersOf } from './graph.ts'
import { floatOf, intOf, intsOf, makeNode, nodeLabel, stringOf } from './node.ts'
import type { Graph, Node } from './types.ts'

// What changed meaning up to opset 7, above all how a smaller input is stretched: by `broadcast` and `axis`, then as in numpy.

type Upgrade = (node: Node, b: GraphBuilder) => Node[] | undefined

/** Operators whose output has as many axes as their first input. */
const keepsRank = new Set(
  `Conv ConvTranspose BatchNormalization InstanceNormalization LRN MaxPool AveragePool LpPool GlobalMaxPool GlobalAveragePool
  GlobalLpPool Relu LeakyRelu PRelu Elu Selu Sigmoid Tanh Softplus Softsign HardSigmoid Clip Abs Neg Exp Log Sqrt Softmax
  LogSoftmax Dropout Identity Cast Pad Concat Split Slice Transpose Add Sub Mul Div Pow Not`.split(/\s+/),
)

/** How many axes a value has, where the file says or it is easily seen. */
const rankOf = (graph: Graph, name: string): number | undefined => {
  const producers = producersOf(graph)
  let at = name
  for (;;) {
    const dims =
      graph.initializers.get(at)?.dims ??
      graph.inputs.find((input) => input.name === at)?.dims ??
      graph.valueInfo.get(at)?.dims
    if (dims) return dims.length
    const node = producers.get(at)
    if (!node || !keepsRank.has(node.opType)) return undefined
    at = node.inputs[0]!
  }
}

/** A smaller second input whose axes begin at `axis` of the first gets axes of size 1 behind them. */
const alignSecond = (node: Node, b: GraphBuilder, axis: number | undefined): Node[] | undefined => {
  const [first, second] = [rankOf(b.graph, node.inputs[0]!), rankOf(b.graph, node.inputs[1]!)]
  if (axis === undefined) return undefined
  if (first === undefined || second === undefined)
    throw new UnsupportedError('the file says nowhere how many axes its inputs have', {
      place: { node: nodeLabel(node), operator: node.opType },
      remedy: 'export the model again with opset 7 or newer',
    })
  const missing = first - (axis < 0 ? axis + first : axis) - second
  if (missing <= 0) return undefined
  const spread = b.fresh('aligned')
  // Unsqueeze had its axes as an attribute then; a later step makes them an input.
  const axes = Array.from({ length: missing }, (_, i) => second + i)
  const unsqueeze = makeNode('Unsqueeze', [node.inputs[1]!], [spread], { axes })
  node.inputs[1] = spread
  return [unsqueeze, node]
}

const stretched: Upgrade = (node, b) => {
  const axis = intOf(node, 'broadcast', 0) === 1 ? intOf(node, 'axis', undefined) : undefined
  node.attributes.delete('broadcast')
  node.attributes.delete('axis')
  return alignSecond(node, b, axis)
}

/** Slopes went with channels, axis 1, whatever came behind. */
const slopes: Upgrade = (node, b) => (rankOf(b.graph, node.inputs[1]!) === 1 ? alignSecond(node, b, 1) : undefined)

const without =
  (...names: readonly string[]): Upgrade =>
  (node) => {
    for (const name of names) node.attributes.delete(name)
    return undefined
  }

const shapeToInput: Upgrade = (node, b) => {
  const shape = intsOf(node, 'shape', [])
  node.attributes.delete('shape')
  node.inputs[1] = b.constant(int64([shape.length], shape), 'shape')
  return undefined
}

const named: Readonly<Record<string, number>> = {
  FLOAT: dataTypes.float32.onnx,
  DOUBLE: dataTypes.float64.onnx,
  ...Object.fromEntries(Object.entries(dataTypes).map(([name, { onnx }]) => [name.toUpperCase(), onnx])),
}

const typeByNumber: Upgrade = (node) => {
  if (node.attributes.get('to')?.type !== 'STRING') return undefined
  node.attributes.set('to', { type: 'INT', value: BigInt(named[stringOf(node, 'to', '').toUpperCase()] ?? 0) })
  return undefined
}

const wholePower: Upgrade = (node) => {
  if (node.attributes.get('p')?.type !== 'FLOAT') return undefined
  node.attributes.set('p', { type: 'INT', value: BigInt(Math.round(floatOf(node, 'p', 2))) })
  return undefined
}

const padsByName: Upgrade = (node) => {
  const pads = node.attributes.get('paddings')
  if (pads) node.attributes.set('pads', pads)
  node.attributes.delete('paddings')
  return undefined
}

const channels: Upgrade = (node) => {
  if (!node.attributes.has('axis')) node.attributes.set('axis', { type: 'INT', value: 1n })
  return undefined
}

const tiles: Upgrade = (node) => {
  throw new UnsupportedError('Tile of opset 5 or older', {
    place: { node: nodeLabel(node), operator: 'Tile' },
    remedy: 'export the model again with a newer opset',
  })
}

const binary = ['Add', 'Sub', 'Mul', 'Div', 'Pow', 'And', 'Or', 'Xor', 'Equal', 'Greater', 'Less']

/** Rules by version; '*' is asked for every operator. */
export const earlyUpgrades: { readonly [version: number]: { readonly [opType: string]: Upgrade } } = {
  2: { Pad: padsByName, LpPool: wholePower, GlobalLpPool: wholePower },
  4: { Concat: channels },
  5: { Reshape: shapeToInput },
  6: { Cast: typeByNumber, Tile: tiles, '*': without('consumed_inputs') },
  7: {
    ...Object.fromEntries(binary.map((op) => [op, stretched])),
    PRelu: slopes,
    BatchNormalization: without('is_test'),
    Dropout: without('is_test'),
    Gemm: without('broadcast'),
    RNN: without('output_sequence'),
    GRU: without('output_sequence'),
    LSTM: without('output_sequence'),
  },
}
