import { type DataType, sizeOf, UsageError } from '../base/index.ts'
import { subgraphsOf } from './node.ts'
import type { Graph, Model, Node, ValueInfo } from './types.ts'

/** Whether a graph itself makes or is given a value of this name. */
const defines = (graph: Graph, name: string): boolean =>
  graph.initializers.has(name) ||
  graph.inputs.some((value) => value.name === name) ||
  graph.nodes.some((node) => node.outputs.includes(name))

/**
 * Gives a value of a graph another name, wherever it is made, read or recorded, also where subgraphs read it. In place.
 * @throws UsageError when the graph or a subgraph that reads the value has another value of the new name
 */
export const renameValue = (graph: Graph, from: string, to: string): void => {
  if (from === to) return
  const taken = (inner: Graph): boolean =>
    defines(inner, to) || inner.nodes.some((node) => subgraphsOf(node).some(taken))
  if (taken(graph)) throw new UsageError(`there already is a value '${to}'`, { place: { value: from } })
  const renamed = (value: ValueInfo): ValueInfo => (value.name === from ? { ...value, name: to } : value)
  graph.inputs = graph.inputs.map(renamed)
  graph.outputs = graph.outputs.map(renamed)
  graph.valueInfo = new Map(Array.from(graph.valueInfo.values(), renamed).map((value) => [value.name, value]))
  graph.initializers = new Map(Array.from(graph.initializers, ([name, tensor]) => [name === from ? to : name, tensor]))
  if (graph.defaults) graph.defaults = graph.defaults.map((name) => (name === from ? to : name))
  for (const node of graph.nodes) {
    node.outputs = node.outputs.map((name) => (name === from ? to : name))
    replaceReads(node, from, to)
  }
}

/**
 * Makes every node that reads `from` read `to` instead, also inside subgraphs. In place. The graph's outputs keep what they
 * are: their names are its interface.
 */
export const replaceUses = (graph: Graph, from: string, to: string): void => {
  for (const node of graph.nodes) replaceReads(node, from, to)
}

const replaceReads = (node: Node, from: string, to: string): void => {
  node.inputs = node.inputs.map((name) => (name === from ? to : name))
  for (const inner of subgraphsOf(node)) {
    // A subgraph's own value of that name is another one.
    if (defines(inner, from)) continue
    replaceUses(inner, from, to)
    // An inner graph's outputs go by position, so one may be the captured value itself.
    for (const value of inner.outputs) if (value.name === from) value.name = to
  }
}

const floating: ReadonlySet<DataType> = new Set<DataType>([
  'float32',
  'float64',
  'float16',
  'bfloat16',
  'float8e4m3fn',
  'float8e4m3fnuz',
  'float8e5m2',
  'float8e5m2fnuz',
  'float4e2m1',
])

/** How many floating-point numbers a graph's initializers hold, those of its subgraphs included. */
export const parameterCount = (graph: Graph): number => {
  let count = 0
  for (const { type, dims } of graph.initializers.values()) if (floating.has(type)) count += sizeOf(dims)
  for (const node of graph.nodes) for (const inner of subgraphsOf(node)) count += parameterCount(inner)
  return count
}

/** The names of a graph's free dimensions, as its inputs have them. */
export const freeDimensions = (graph: Graph): string[] => [
  ...new Set(graph.inputs.flatMap(({ dims }) => (dims ?? []).filter((dim) => typeof dim === 'string'))),
]

/**
 * Gives free dimensions a size: `fixDimensions(model, { N: 1 })`. In place, wherever the name stands.
 * @throws UsageError for a name no input has, or a size that is not a whole number of at least 0
 */
export const fixDimensions = (model: Model, sizes: Readonly<Record<string, number>>): void => {
  const free = freeDimensions(model.graph)
  for (const [name, size] of Object.entries(sizes)) {
    if (!free.includes(name))
      throw new UsageError(`no input has a dimension '${name}'`, {
        remedy: free.length > 0 ? `the free dimensions are ${free.join(', ')}` : 'all dimensions are fixed already',
      })
    if (!Number.isSafeInteger(size) || size < 0) throw new UsageError(`the dimension '${name}' cannot be ${size}`)
  }
  fixIn(model.graph, new Map(Object.entries(sizes)))
}

const fixIn = (graph: Graph, sizes: ReadonlyMap<string, number>): void => {
  const fixed = (value: ValueInfo): ValueInfo =>
    value.dims
      ? { ...value, dims: value.dims.map((dim) => (typeof dim === 'string' ? (sizes.get(dim) ?? dim) : dim)) }
      : value
  graph.inputs = graph.inputs.map(fixed)
  graph.outputs = graph.outputs.map(fixed)
  graph.valueInfo = new Map(Array.from(graph.valueInfo, ([name, value]) => [name, fixed(value)]))
  for (const node of graph.nodes) for (const inner of subgraphsOf(node)) fixIn(inner, sizes)
}
