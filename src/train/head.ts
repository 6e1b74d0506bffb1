import { float32, numbersOf, random, sizeOf, UnsupportedError, UsageError } from '../base/index.ts'
import { pytorchBias } from '../nn/index.ts'
import {
  copyModel,
  type Graph,
  GraphBuilder,
  intOf,
  intsOf,
  type Model,
  type Node,
  nodeLabel,
  producersOf,
} from '../onnx/index.ts'

/** A weight or bias of the last layer, and the axis along which its classes lie. */
type Part = { readonly node: Node; readonly input: number; readonly name: string; readonly axis: number }

/** The layer whose outputs are the scores of the classes. */
export type Head = {
  /** Its node: Gemm, MatMul or Conv. */
  readonly node: Node
  readonly weight: Part
  readonly bias?: Part
  readonly classes: number
  /** The nodes behind it, from the graph's output back. */
  readonly after: readonly Node[]
}

/** Operators behind the last layer that leave the classes where they are. */
const passes = new Set([
  ...['Softmax', 'LogSoftmax', 'Sigmoid', 'Relu', 'Identity', 'Dropout', 'Cast', 'Flatten', 'Reshape', 'Squeeze'],
  ...[
    'Unsqueeze',
    'GlobalAveragePool',
    'GlobalMaxPool',
    'AveragePool',
    'ReduceMean',
    'Resize',
    'Upsample',
    'Transpose',
  ],
])

/** The layer that gives a classifier's first output, found from the output back; undefined where there is none. */
export const headOf = ({ graph }: Model): Head | undefined => {
  const producers = producersOf(graph)
  const after: Node[] = []
  let bias: Part | undefined
  for (let node = producers.get(graph.outputs[0]?.name ?? ''); node; ) {
    const weight = weightOf(graph, node, producers)
    if (weight) {
      const classes = graph.initializers.get(weight.name)!.dims[weight.axis]!
      const found = (node.opType === 'MatMul' ? undefined : partOf(graph, node, 2)) ?? bias
      return { node, weight, classes, after, ...(found && { bias: found }) }
    }
    let next = node.inputs[0]
    if (node.opType === 'Add') {
      bias = partOf(graph, node, 0) ?? partOf(graph, node, 1)
      if (!bias) return undefined
      next = node.inputs[1 - bias.input]
    } else if (passes.has(node.opType)) after.push(node)
    else return undefined
    node = producers.get(next ?? '')
  }
  return undefined
}

/** The weight of a layer, as an initializer or as one transposed. */
const weightOf = (graph: Graph, node: Node, producers: ReadonlyMap<string, Node>): Part | undefined => {
  if (node.domain !== '' || !['Gemm', 'MatMul', 'Conv'].includes(node.opType)) return undefined
  const name = node.inputs[1] ?? ''
  const rank = graph.initializers.get(name)?.dims.length
  if (node.opType === 'Conv')
    return rank && intOf(node, 'group', 1) === 1 ? { node, input: 1, name, axis: 0 } : undefined
  const last = node.opType === 'Gemm' && intOf(node, 'transB', 0) === 1 ? 0 : 1
  if (rank === 2) return { node, input: 1, name, axis: last }
  const turned = producers.get(name)
  const inner = turned?.opType === 'Transpose' ? turned.inputs[0] : undefined
  if (!turned || inner === undefined || graph.initializers.get(inner)?.dims.length !== 2) return undefined
  const swaps = intsOf(turned, 'perm', [1, 0])[0] === 1
  return { node: turned, input: 0, name: inner, axis: swaps ? 1 - last : last }
}

/** A bias: an initializer whose one long axis is its last. */
const partOf = (graph: Graph, node: Node, input: number): Part | undefined => {
  const name = node.inputs[input] ?? ''
  const dims = graph.initializers.get(name)?.dims
  if (!dims) return undefined
  const axis = Math.max(
    0,
    dims.findIndex((dim) => dim > 1),
  )
  return dims.length > 0 && sizeOf(dims) === dims[axis] ? { node, input, name, axis } : undefined
}

/** What a new head is, for people. */
export type NewHead = {
  readonly layer: string
  readonly from: number
  readonly to: number
  /** Initializers drawn anew, by the names they have now. */
  readonly drawn: readonly string[]
}

/**
 * The model with another last layer: as many outputs as there are classes, weights and bias drawn anew as PyTorch draws a
 * layer's, uniform on ±1/√(inputs).
 * @throws UnsupportedError where no layer gives the scores by itself
 */
export const newHead = (
  original: Model,
  classes: number,
  { seed = 0 }: { readonly seed?: number } = {},
): { readonly model: Model; readonly head: NewHead } => {
  if (!(Number.isInteger(classes) && classes >= 1))
    throw new UsageError(`${classes} classes make no sense`, { remedy: 'give a whole number from 1' })
  const model = copyModel(original)
  const { graph } = model
  const head = headOf(model)
  if (!head)
    throw new UnsupportedError('the layer that gives the scores of the classes was not found', {
      place: { value: graph.outputs[0]?.name ?? '' },
      remedy:
        'a new head needs a Gemm, MatMul or Conv at the end of the network, with at most a Softmax or pooling behind',
    })
  const dice = random(seed)
  const { dims } = graph.initializers.get(head.weight.name)!
  const draw = pytorchBias(sizeOf(dims) / head.classes)
  const builder = new GraphBuilder(graph)
  const drawn = [head.weight, ...(head.bias ? [head.bias] : [])].map(({ node, input, name, axis }) => {
    const shape = graph.initializers.get(name)!.dims.map((dim, i) => (i === axis ? classes : dim))
    // A weight that other nodes read too, as tied embeddings are, stays theirs.
    const reads = graph.nodes.reduce((sum, { inputs }) => sum + inputs.filter((read) => read === name).length, 0)
    const own = reads > 1 ? builder.fresh(`${name}_head`) : name
    node.inputs[input] = own
    graph.initializers.set(own, float32(shape, draw(shape, dice)))
    return own
  })
  for (const node of head.after) reshapeTo(graph, node, head.classes, classes, builder)
  for (const output of graph.outputs)
    output.dims &&= output.dims.map((dim, axis) => (axis > 0 && dim === head.classes ? classes : dim))
  for (const name of [head.node, ...head.after].flatMap(({ outputs }) => outputs)) graph.valueInfo.delete(name)
  return { model, head: { layer: nodeLabel(head.node), from: head.classes, to: classes, drawn } }
}

/** Shapes written down behind the head name the number of classes too. */
const reshapeTo = (graph: Graph, node: Node, from: number, to: number, builder: GraphBuilder) => {
  const input = node.opType === 'Reshape' ? 1 : node.opType === 'Resize' ? 3 : -1
  const shape = graph.initializers.get(node.inputs[input] ?? '')
  if (!shape) return
  const dims = numbersOf(shape)
  const at = dims.lastIndexOf(from)
  if (at < 1) return
  node.inputs[input] = builder.ints(dims.with(at, to), 'shape')
}

/**
 * The value holding the scores before the last Softmax, LogSoftmax or Sigmoid: what losses over scores read. The first
 * output's own name where nothing of the kind stands behind it.
 */
export const scoresOf = ({ graph }: Model): string | undefined => {
  const producers = producersOf(graph)
  const output = graph.outputs[0]?.name
  let node = producers.get(output ?? '')
  while (node && ['Identity', 'Dropout'].includes(node.opType)) node = producers.get(node.inputs[0] ?? '')
  return node && ['Softmax', 'LogSoftmax', 'Sigmoid'].includes(node.opType) ? node.inputs[0] : output
}

/** The model with a value of its inside among its outputs. */
export const withOutput = (model: Model, name: string): Model => {
  if (model.graph.outputs.some((output) => output.name === name)) return model
  const copy = copyModel(model)
  copy.graph.outputs.push({ name, type: 'float32' })
  return copy
}
