import { FormatError } from '../base/index.ts'
import { producersOf, readsOf } from './graph.ts'
import { nodeLabel, subgraphsOf } from './node.ts'
import type { Graph, Node } from './types.ts'

/**
 * Puts a graph's nodes, and those of its subgraphs, into an order in which every value is made before it is read. Nodes
 * already so stay where they are. In place, in linear time.
 * @param options.file named in the error
 * @throws FormatError naming a node on a cycle
 */
export const topologicalSort = (graph: Graph, options: { file?: string } = {}): void => {
  for (const node of graph.nodes) for (const inner of subgraphsOf(node)) topologicalSort(inner, options)
  const producers = producersOf(graph)
  const sourcesOf = (node: Node) => readsOf(node).flatMap((name) => producers.get(name) ?? [])
  const sources = new Map(graph.nodes.map((node) => [node, sourcesOf(node)]))
  if (isOrdered(graph.nodes, sources)) return

  // A walk to the sources first, its stack kept by hand since a network can be deeper than the call stack.
  const sorted: Node[] = []
  const state = new Map<Node, 'open' | 'done'>()
  for (const root of graph.nodes) {
    const stack = [root]
    for (let node = stack.at(-1); node; node = stack.at(-1)) {
      if (state.get(node) === undefined) {
        state.set(node, 'open')
        for (const source of sources.get(node) ?? []) {
          if (state.get(source) === 'open')
            throw new FormatError('the node is part of a cycle: what it makes depends on itself', {
              place: { ...options, node: nodeLabel(source), operator: source.opType },
            })
          if (state.get(source) === undefined) stack.push(source)
        }
      } else {
        stack.pop()
        if (state.get(node) === 'open') sorted.push(node)
        state.set(node, 'done')
      }
    }
  }
  graph.nodes = sorted
}

const isOrdered = (nodes: readonly Node[], sources: ReadonlyMap<Node, readonly Node[]>): boolean => {
  const made = new Set<Node>()
  return nodes.every((node) => {
    const ready = (sources.get(node) ?? []).every((source) => made.has(source))
    made.add(node)
    return ready
  })
}
