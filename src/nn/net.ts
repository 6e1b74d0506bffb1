import { type DataType, float32, type Random, random } from '../base/index.ts'
import { type AttributeInput, GraphBuilder, type Model, makeGraph, makeModel, makeNode } from '../onnx/index.ts'
import { type Initializer, pytorchBias, pytorchWeight, zeros } from './init.ts'

/** A value while a network is written: its name in the graph, and its shape without the batch axis. */
export type Value = {
  readonly name: string
  readonly dims: readonly number[]
  /** The layer it came from; what follows without a name of its own is named after it, as in `conv1.relu`. */
  readonly layer: string
}

/** A network under construction: what its layers are written into and draw their weights from. */
export type Net = {
  readonly b: GraphBuilder
  readonly random: Random
  readonly weight: Initializer
  /** Biases may depend on how many inputs their layer sums. */
  readonly bias: (fanIn: number) => Initializer
}

export type NetOptions = {
  /** Seed of the weights; the same seed gives the same file, byte by byte. */
  seed: number
  /** How weights start, biases then at zero; PyTorch's default for both unless given. */
  init?: Initializer
}

/** The value names every network's graph has. */
export const valueNames = {
  input: 'input',
  /** What the classifier reads: the last hidden values, [N, features]. */
  features: 'features',
  /** The graph's output: scores before softmax, [N, classes]. */
  output: 'logits',
} as const

/**
 * A model (opset 17) with one input `input` of shape [N, ...sample] and one output `logits`, written by `body`, which
 * returns the last value.
 */
export const buildModel = (
  name: string,
  sample: { readonly dims: readonly number[]; readonly type?: DataType },
  { seed, init }: NetOptions,
  body: (net: Net, input: Value) => Value,
): Model => {
  const graph = makeGraph(name)
  graph.inputs.push({ name: valueNames.input, type: sample.type ?? 'float32', dims: ['N', ...sample.dims] })
  const net: Net = {
    b: new GraphBuilder(graph),
    random: random(seed),
    weight: init ?? pytorchWeight,
    bias: init ? () => zeros : pytorchBias,
  }
  const last = body(net, { name: valueNames.input, dims: sample.dims, layer: valueNames.input })
  graph.outputs.push({ name: last.name, type: 'float32', dims: ['N', ...last.dims] })
  return makeModel(graph)
}

/** Appends a layer's node; it and its output share the layer's name unless `output` names the value. */
export const append = (
  net: Net,
  layer: string,
  opType: string,
  inputs: readonly string[],
  attributes: Record<string, AttributeInput> = {},
  output?: string,
): string => {
  const name = net.b.fresh(layer)
  const value = output === undefined || output === layer ? name : net.b.fresh(output)
  net.b.graph.nodes.push(makeNode(opType, inputs, [value], attributes, { name }))
  return value
}

/** Adds an initializer drawn by `init`. */
export const drawn = (net: Net, name: string, dims: readonly number[], init: Initializer): string =>
  net.b.initializer(name, float32(dims, init(dims, net.random)))
