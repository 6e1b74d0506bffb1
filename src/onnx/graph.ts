import { float32, int64, type Tensor } from '../base/index.ts'
import { subgraphsOf } from './node.ts'
import type { Attribute, Graph, Model, Node } from './types.ts'

/** An empty graph. */
export const makeGraph = (name: string): Graph => ({
  name,
  inputs: [],
  outputs: [],
  valueInfo: new Map(),
  nodes: [],
  initializers: new Map(),
})

/** A model around a graph; opset 17 and IR 8 run in every ONNX Runtime since 1.12. */
export const makeModel = (graph: Graph, options: { opset?: number; irVersion?: number } = {}): Model => ({
  irVersion: options.irVersion ?? 8,
  opsets: new Map([['', options.opset ?? 17]]),
  producer: 'espalier',
  graph,
  metadata: new Map(),
})

/** The version of ONNX's own operator set a model uses. */
export const opsetOf = (model: Model): number => model.opsets.get('') ?? model.opsets.get('ai.onnx') ?? 1

/** A copy that can be edited without touching the original. Tensors' bytes are shared. */
export const copyModel = (model: Model): Model => ({
  ...model,
  opsets: new Map(model.opsets),
  metadata: new Map(model.metadata),
  graph: copyGraph(model.graph),
})

export const copyGraph = (graph: Graph): Graph => ({
  ...graph,
  inputs: graph.inputs.map((value) => ({ ...value })),
  outputs: graph.outputs.map((value) => ({ ...value })),
  valueInfo: new Map(graph.valueInfo),
  nodes: graph.nodes.map(copyNode),
  initializers: new Map(graph.initializers),
  ...(graph.defaults ? { defaults: [...graph.defaults] } : {}),
})

export const copyNode = (node: Node): Node => ({
  ...node,
  inputs: [...node.inputs],
  outputs: [...node.outputs],
  attributes: new Map(Array.from(node.attributes, ([name, attribute]) => [name, copyAttribute(attribute)])),
})

/** Values are never changed in place, except the graphs among them. */
export const copyAttribute = (attribute: Attribute): Attribute =>
  attribute.type === 'GRAPH'
    ? { ...attribute, value: copyGraph(attribute.value) }
    : attribute.type === 'GRAPHS'
      ? { ...attribute, value: attribute.value.map(copyGraph) }
      : attribute

/** The node that makes each value. */
export const producersOf = (graph: Graph): Map<string, Node> => {
  const producers = new Map<string, Node>()
  for (const node of graph.nodes) for (const output of node.outputs) if (output) producers.set(output, node)
  return producers
}

/** Every value a node reads, those its subgraphs capture from outside included. */
export const readsOf = (node: Node): string[] => [
  ...node.inputs.filter((name) => name !== ''),
  ...subgraphsOf(node).flatMap(capturesOf),
]

/** The names a subgraph uses but does not define. */
export const capturesOf = (graph: Graph): string[] => {
  const own = new Set([...graph.inputs.map((v) => v.name), ...graph.initializers.keys()])
  for (const node of graph.nodes) for (const output of node.outputs) own.add(output)
  const read = [...graph.nodes.flatMap(readsOf), ...graph.outputs.map((v) => v.name)]
  return [...new Set(read)].filter((name) => !own.has(name))
}

/** The nodes that read each value. */
export const consumersOf = (graph: Graph): Map<string, Node[]> => {
  const consumers = new Map<string, Node[]>()
  for (const node of graph.nodes)
    for (const name of new Set(readsOf(node))) {
      const list = consumers.get(name)
      if (list) list.push(node)
      else consumers.set(name, [node])
    }
  return consumers
}

/**
 * Turns Constant nodes into initializers, so that weights stored either way are treated alike; in subgraphs too, each into
 * its own graph's. In place. A subgraph's output stays a node, since not every runtime takes an initializer there.
 */
export const liftConstants = (graph: Graph): void => liftFrom(graph, new Set())

const liftFrom = (graph: Graph, fixed: ReadonlySet<string>): void => {
  graph.nodes = graph.nodes.filter((node) => {
    for (const inner of subgraphsOf(node)) liftFrom(inner, new Set(inner.outputs.map((value) => value.name)))
    const [name] = node.outputs
    if (node.opType !== 'Constant' || node.domain !== '' || node.outputs.length !== 1) return true
    if (!name || fixed.has(name) || graph.initializers.has(name)) return true
    const tensor = constantOf(node)
    if (tensor) graph.initializers.set(name, tensor)
    return !tensor
  })
}

/** The tensor a Constant node makes, whichever attribute holds it; undefined for sparse and unknown kinds. */
export const constantOf = (node: Node): Tensor | undefined => {
  const [attribute] = node.attributes.values()
  if (!attribute || node.attributes.size !== 1) return undefined
  const none = new Uint8Array(0)
  switch (attribute.type) {
    case 'TENSOR':
      // The number of an element type newer than this library stands in the attribute's `extra`, so the node stays.
      return attribute.value.type === 'undefined' ? undefined : attribute.value
    case 'FLOAT':
      return float32([], [attribute.value])
    case 'FLOATS':
      return float32([attribute.value.length], attribute.value)
    case 'INT':
      return int64([], [attribute.value])
    case 'INTS':
      return int64([attribute.value.length], attribute.value)
    case 'STRING':
      return { type: 'string', dims: [], bytes: none, strings: [attribute.value] }
    case 'STRINGS':
      return { type: 'string', dims: [attribute.value.length], bytes: none, strings: attribute.value }
    default:
      return undefined
  }
}

/** Removes nodes whose outputs nothing reads, then initializers nothing reads and shapes recorded for either. In place. */
export const removeDead = (graph: Graph): void => {
  const live = new Set(graph.outputs.map((value) => value.name))
  const kept: Node[] = []
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => live.has(name))) continue
    kept.push(node)
    for (const name of readsOf(node)) live.add(name)
  }
  graph.nodes = kept.reverse()
  for (const name of graph.initializers.keys()) if (!live.has(name)) graph.initializers.delete(name)
  const made = new Set([
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.keys(),
    ...kept.flatMap((node) => node.outputs),
  ])
  for (const name of graph.valueInfo.keys()) if (!made.has(name)) graph.valueInfo.delete(name)
}
