import { copyNode, type Graph, makeNode, type Node, subgraphsOf } from '../../onnx/index.ts'

/** Names for the values of a graph that is written into another. */
export type Fresh = (hint: string) => string

/** A subgraph's nodes as part of the graph around it, and what its outputs are called there. */
export type Instance = { readonly nodes: readonly Node[]; readonly outputs: readonly string[] }

/**
 * Writes a subgraph's nodes out for the graph around it: its inputs become the given values, everything else it makes gets a
 * fresh name, and its constants go to `host`. What it reads from outside keeps its name.
 */
export const instantiate = (body: Graph, inputs: readonly string[], host: Graph, fresh: Fresh): Instance => {
  const names = new Map(body.inputs.map(({ name }, i) => [name, inputs[i] ?? '']))
  for (const [name, tensor] of body.initializers) {
    if (names.has(name)) continue
    names.set(name, fresh(name))
    host.initializers.set(names.get(name)!, tensor)
  }
  for (const node of body.nodes) for (const name of node.outputs) if (name) names.set(name, fresh(name))
  const rename = (name: string) => names.get(name) ?? name
  return {
    nodes: body.nodes.map((node) => ({ ...renamed(copyNode(node), rename), name: node.name && fresh(node.name) })),
    outputs: body.outputs.map(({ name }) => rename(name)),
  }
}

/** ONNX wants names unique across a graph and its subgraphs, so one map serves both. In place. */
export const renamed = (node: Node, rename: (name: string) => string): Node => {
  node.inputs = node.inputs.map(rename)
  node.outputs = node.outputs.map(rename)
  for (const inner of subgraphsOf(node)) {
    inner.nodes = inner.nodes.map((one) => renamed(one, rename))
    inner.outputs = inner.outputs.map((value) => ({ ...value, name: rename(value.name) }))
  }
  return node
}

/** Hands values on under other names. */
export const aliases = (from: readonly string[], to: readonly string[]): Node[] =>
  to.flatMap((name, i) => (name && from[i] ? [makeNode('Identity', [from[i]], [name])] : []))
