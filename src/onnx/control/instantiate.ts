import { copyGraph } from '../graph.ts'
import { makeNode, subgraphsOf } from '../node.ts'
import type { Graph, Node } from '../types.ts'
import type { Known } from './types.ts'

/** A subgraph's nodes as part of the graph around it, and what its outputs are called there. */
type Instance = { readonly nodes: readonly Node[]; readonly outputs: readonly string[] }

/**
 * Writes a subgraph's nodes out for the graph around it: its inputs become the given values, all else it makes, also within
 * subgraphs of its own, gets a fresh name behind `label`, and its constants go to the graph. What it reads from outside keeps
 * its name.
 */
export const instantiate = (body: Graph, inputs: readonly string[], label: string, known: Known): Instance => {
  const inner = copyGraph(body)
  const names = new Map(inner.inputs.map(({ name }, i) => [name, inputs[i] ?? '']))
  const given = new Set(names.keys())
  for (const name of definedIn(inner)) if (!names.has(name)) names.set(name, known.fresh(`${label}/${name}`))
  for (const [name, tensor] of inner.initializers)
    if (!given.has(name)) known.graph.initializers.set(names.get(name)!, tensor)
  const rename = (name: string) => names.get(name) ?? name
  return {
    nodes: inner.nodes.map((node) => ({
      ...renamed(node, rename),
      name: node.name && known.fresh(`${label}/${node.name}`),
    })),
    outputs: inner.outputs.map(({ name }) => rename(name)),
  }
}

/** Names a graph gives to values, those of its subgraphs included. */
const definedIn = (graph: Graph): string[] => [
  ...graph.inputs.map(({ name }) => name),
  ...graph.initializers.keys(),
  ...graph.nodes.flatMap((node) => [
    ...node.outputs.filter((name) => name !== ''),
    ...subgraphsOf(node).flatMap(definedIn),
  ]),
]

/** ONNX wants names unique across a graph and its subgraphs, so one map serves both. In place. */
export const renamed = (node: Node, rename: (name: string) => string): Node => {
  node.inputs = node.inputs.map(rename)
  node.outputs = node.outputs.map(rename)
  for (const graph of subgraphsOf(node)) {
    for (const value of [...graph.inputs, ...graph.outputs]) value.name = rename(value.name)
    graph.initializers = new Map(Array.from(graph.initializers, ([name, tensor]) => [rename(name), tensor]))
    graph.valueInfo = new Map()
    for (const inner of graph.nodes) renamed(inner, rename)
  }
  return node
}

/** Hands values on under other names. */
export const aliases = (from: readonly string[], to: readonly string[]): Node[] =>
  to.flatMap((name, i) => (name && from[i] ? [makeNode('Identity', [from[i]], [name])] : []))
