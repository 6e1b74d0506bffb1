import { readFileSync } from 'node:fs'
import { create, toBinary } from '@bufbuild/protobuf'
import { AttributeProto_AttributeType as AttributeType, ModelProtoSchema } from 'onnx-buf'
import { bool, float32, type Random } from '../base/index.ts'
import {
  decodeModel,
  encodeModel,
  type Graph,
  GraphBuilder,
  type Model,
  makeGraph,
  makeModel,
  type Node,
  subgraph,
  subgraphsOf,
} from '../onnx/index.ts'
import { fixture } from '../testing/fixtures.ts'
import { mutate, pick, strangeNumber, strangeText } from './mutate.ts'

/** A small convolutional network. */
const convolutional = (): Uint8Array => {
  const graph = makeGraph('net')
  graph.inputs = [{ name: 'x', type: 'float32', dims: ['N', 1, 8, 8] }]
  const b = new GraphBuilder(graph)
  const weight = b.initializer('conv.weight', float32([4, 1, 3, 3], new Float32Array(36).fill(0.5)))
  const conv = b.op('Conv', ['x', weight], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
  const flat = b.op('Reshape', [b.op('Relu', [conv]), b.ints([0, -1])])
  const dense = b.initializer('fc.weight', float32([256, 3], new Float32Array(768)))
  graph.outputs = [{ name: b.op('MatMul', [flat, dense]), type: 'float32', dims: ['N', 3] }]
  return encodeModel({ ...makeModel(graph), metadata: new Map([['author', 'nobody']]) })
}

/** A choice between two subgraphs that read values from outside. */
const branching = (): Uint8Array => {
  const branch = (opType: string) => {
    const inner = makeGraph(opType)
    const b = new GraphBuilder(inner, opType)
    inner.outputs = [{ name: b.op(opType, ['x', b.scalar(2)]), type: 'float32' }]
    return inner
  }
  const graph = makeGraph('choice')
  graph.inputs = [{ name: 'x', type: 'float32', dims: [2] }]
  const b = new GraphBuilder(graph)
  const condition = b.constant(bool([], [true]))
  const branches = { then_branch: subgraph(branch('Add')), else_branch: subgraph(branch('Mul')) }
  graph.outputs = [{ name: b.op('If', [condition], branches), type: 'float32' }]
  return encodeModel(makeModel(graph))
}

/** Typed fields, strings, sparse data, a function and training information, as other writers store them. */
const elaborate = (): Uint8Array =>
  toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 8n,
      opsetImport: [{ version: 17n }],
      metadataProps: [{ key: 'k', value: 'v' }],
      functions: [
        {
          name: 'f',
          domain: 'own',
          input: ['a'],
          output: ['b'],
          node: [{ opType: 'Relu', input: ['a'], output: ['b'] }],
        },
      ],
      trainingInfo: [{ algorithm: { name: 'step', output: [{ name: 'o' }] } }],
      graph: {
        input: [
          {
            name: 'x',
            type: {
              value: {
                case: 'tensorType',
                value: { elemType: 1, shape: { dim: [{ value: { case: 'dimValue', value: 2n } }] } },
              },
            },
          },
        ],
        output: [{ name: 'y' }],
        initializer: [
          { name: 'f', dims: [4n], dataType: 1, floatData: [1, 2, 3, 4] },
          { name: 'h', dims: [3n], dataType: 10, int32Data: [1, 2, 3] },
          { name: 'i', dims: [2n], dataType: 7, int64Data: [-1n, 2n ** 40n] },
          { name: 's', dims: [2n], dataType: 8, stringData: [new Uint8Array([65]), new Uint8Array([66, 67])] },
        ],
        sparseInitializer: [
          {
            dims: [9n],
            values: { name: 'sp', dims: [1n], dataType: 1, floatData: [1] },
            indices: { dims: [1n], dataType: 7, int64Data: [3n] },
          },
        ],
        node: [
          {
            opType: 'Constant',
            output: ['c'],
            attribute: [{ name: 'value_ints', type: AttributeType.INTS, ints: [1n, 2n, 3n] }],
          },
          {
            opType: 'Constant',
            output: ['d'],
            attribute: [{ name: 'value', type: AttributeType.TENSOR, t: { dims: [1n], dataType: 1, floatData: [1] } }],
          },
          { opType: 'f', domain: 'own', input: ['x'], output: ['y'], docString: 'call' },
        ],
      },
    }),
  )

const recorded = ['mlp', 'gru', 'shufflenet', 'unet', 'inception', 'gpt']

/** Files to damage: small models of every part of the format, and networks as PyTorch exports them. */
export const soundModels = (): readonly Uint8Array[] => [
  ...[convolutional(), branching(), elaborate()],
  ...recorded.map((name) => new Uint8Array(readFileSync(fixture(`gradients/${name}.onnx`)))),
]

const operators = [
  ...['Add', 'Mul', 'Relu', 'MatMul', 'Gemm', 'Conv', 'Reshape', 'Transpose', 'Concat', 'Split', 'Slice', 'Gather'],
  ...['Shape', 'Range', 'ConstantOfShape', 'Expand', 'Tile', 'Pad', 'Resize', 'Loop', 'If', 'Scan', 'TopK', 'NonZero'],
  ...['Flatten', 'Squeeze', 'Unsqueeze', 'BatchNormalization', 'MaxPool', 'Softmax', 'Cast', 'OneHot', 'LSTM', 'GRU'],
  ...['Identity', 'Nonsense', 'constructor', ''],
]

const graphsOf = (graph: Graph): Graph[] => [
  graph,
  ...graph.nodes.flatMap((node) => subgraphsOf(node).flatMap((inner) => graphsOf(inner))),
]

/** Changes one thing of one graph that the protobuf reader does not look into: names, links, shapes, numbers. */
const changes: readonly ((graph: Graph, node: Node, dice: Random) => void)[] = [
  (graph, node, dice) => {
    const names = [
      ...graph.inputs.map(({ name }) => name),
      ...graph.initializers.keys(),
      ...graph.nodes.flatMap(({ outputs }) => outputs),
    ]
    node.inputs[dice.below(node.inputs.length + 1)] = dice.below(5) ? pick([...names, ''], dice) : strangeText(dice)
  },
  (graph, node, dice) => {
    node.outputs[dice.below(node.outputs.length + 1)] = dice.below(2)
      ? strangeText(dice)
      : (pick(graph.nodes, dice).outputs[0] ?? '')
  },
  (_, node, dice) => {
    node.opType = pick(operators, dice)
  },
  (_, node, dice) => {
    node.domain = pick(['', 'ai.onnx.ml', 'com.microsoft', 'own', '__proto__'], dice)
  },
  (_, node, dice) => {
    const name = pick([...node.attributes.keys(), 'axis', 'perm', strangeText(dice)], dice)
    const whole = () => BigInt(Math.trunc(Math.min(Math.max(strangeNumber(dice) || 0, -(2 ** 62)), 2 ** 62)))
    node.attributes.set(
      name,
      dice.below(3) === 0
        ? { type: 'FLOAT', value: strangeNumber(dice) }
        : dice.below(2)
          ? { type: 'INT', value: whole() }
          : { type: 'INTS', value: Array.from({ length: dice.below(5) }, whole) },
    )
  },
  (_, node, dice) => {
    const name = pick([...node.attributes.keys(), ''], dice)
    node.attributes.delete(name)
  },
  (graph, node) => {
    graph.nodes.splice(graph.nodes.indexOf(node), 1)
  },
  (graph, node) => {
    graph.nodes.push({ ...node, outputs: node.outputs.map((name) => `${name}'`) })
  },
  (graph, _, dice) => {
    graph.nodes.reverse()
    if (dice.below(2)) graph.nodes.push(...graph.nodes.splice(0, 1))
  },
  (graph, _, dice) => {
    const names = [...graph.initializers.keys()]
    if (names.length === 0) return
    const name = pick(names, dice)
    const tensor = graph.initializers.get(name)!
    const dims = tensor.dims.map((dim) => (dice.below(2) ? dim : pick([0, 1, 2, dim + 1, dim * 2], dice)))
    const size = dims.reduce((a, b) => a * b, 1)
    const bits = tensor.dims.reduce((a, b) => a * b, 1)
    const width = bits > 0 ? tensor.bytes.length / bits : 0
    if (size > 100_000 || tensor.type === 'string') return
    const bytes = new Uint8Array(Math.ceil(size * width))
    bytes.set(tensor.bytes.subarray(0, bytes.length))
    graph.initializers.set(name, { ...tensor, dims, bytes })
  },
  (graph, _, dice) => {
    const names = [...graph.initializers.keys()]
    if (names.length > 0) graph.initializers.delete(pick(names, dice))
  },
  (graph, _, dice) => {
    const input = graph.inputs[dice.below(graph.inputs.length + 1)]
    if (!input) return
    input.dims = Array.from({ length: dice.below(6) }, () =>
      pick([1, 2, 3, 8, 'N', null, strangeText(dice), 0, 2 ** 31, 2 ** 33], dice),
    )
    if (dice.below(3) === 0) input.type = pick(['float32', 'int64', 'bool', 'float16', 'string'], dice)
  },
  (graph, node, dice) => {
    const old = pick([...node.outputs, ...node.inputs, 'x'], dice)
    const fresh = strangeText(dice)
    const renamed = (name: string) => (name === old ? fresh : name)
    for (const each of graph.nodes) {
      each.inputs = each.inputs.map(renamed)
      each.outputs = each.outputs.map(renamed)
    }
    for (const value of [...graph.inputs, ...graph.outputs]) value.name = renamed(value.name)
    const tensor = graph.initializers.get(old)
    if (tensor) {
      graph.initializers.delete(old)
      graph.initializers.set(fresh, tensor)
    }
  },
  (_, node, dice) => {
    node.name = strangeText(dice)
  },
]

/** The model with one to four changes that leave the file well-formed. */
const changed = (model: Model, dice: Random): Model => {
  for (let n = 1 + dice.below(4); n > 0; n--) {
    const graph = pick(graphsOf(model.graph), dice)
    const node = graph.nodes[dice.below(Math.max(1, graph.nodes.length))]
    if (node) pick(changes, dice)(graph, node, dice)
  }
  if (dice.below(10) === 0) model.opsets.set('', pick([1, 6, 12, 18, 25, 1000], dice))
  return model
}

/** A damaged ONNX file: in its bytes, or in what it means while the file is well-formed. */
export const damagedModel = (sound: readonly Uint8Array[], dice: Random): Uint8Array => {
  const base = pick(sound, dice)
  if (dice.uniform() < 0.5) return mutate(base, dice, pick(sound, dice))
  const model = changed(decodeModel(base), dice)
  try {
    return encodeModel(model)
  } catch {
    // Not every model can be written.
    return mutate(base, dice, pick(sound, dice))
  }
}
