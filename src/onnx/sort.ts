import { FormatError } from '../base/index.ts'
import { producersOf, readsOf } from './graph.ts'
import { nodeLabel, subgraphsOf } from './node.ts'
import type { Graph, Node } from './types.ts'

/** A node that another needs, and the value it gives it. */
type Source = { readonly node: Node; readonly value: string }

/**
 * Puts a graph's nodes, and those of its subgraphs, into an order in which every value is made before it is read. Nodes
 * already so stay where they are. In place, in linear time.
 * @param options.file named in the error
 * @throws FormatError with a cycle's nodes and values
 */
export const topologicalSort = (graph: Graph, options: { file?: string } = {}): void => {
  for (const node of graph.nodes) for (const inner of subgraphsOf(node)) topologicalSort(inner, options)
  const producers = producersOf(graph)
  const sources = new Map<Node, Source[]>()
  for (const node of graph.nodes) {
    const found: Source[] = []
    for (const value of readsOf(node)) {
      const producer = producers.get(value)
      if (producer) found.push({ node: producer, value })
    }
    sources.set(node, found)
  }
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
          if (state.get(source.node) === 'open') throw cycleError(source, stack, state, sources, options)
          if (state.get(source.node) === undefined) stack.push(source.node)
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

/** At most so many nodes of a cycle are named, half from each end, and so many characters of each name. */
const [mostNamed, longestName] = [8, 40]

/** The cycle that `last`, needed by the walk's newest open node, closes. */
const cycleError = (
  last: Source,
  stack: readonly Node[],
  state: ReadonlyMap<Node, string>,
  sources: ReadonlyMap<Node, readonly Source[]>,
  options: { readonly file?: string },
): FormatError => {
  // The open nodes, from the one that closes the cycle on: each is needed by the one before it. One that waits below, too,
  // because another reads it as well, is where it was opened: at its last place.
  const open = [...new Set(stack.filter((node) => state.get(node) === 'open').reverse())].reverse()
  const needs = open.slice(open.indexOf(last.node))
  const given = needs.map((node, i) => {
    const next = needs[i + 1]
    return next ? (sources.get(node) ?? []).find((source) => source.node === next)!.value : last.value
  })
  // In the order in which values flow: a node, what it makes, and the node that reads it.
  const steps = needs
    .map((node, i) => [nodeLabel(node), given[(i + needs.length - 1) % needs.length]!] as const)
    .reverse()
  const texts = [...steps, steps[0]!.slice(0, 1)].map((names) =>
    names.map((name) => `'${shortened(name)}'`).join(' → '),
  )
  const half = mostNamed / 2
  const shown =
    texts.length <= mostNamed + 1
      ? texts
      : [...texts.slice(0, half), `… ${texts.length - mostNamed - 1} more nodes …`, ...texts.slice(-half - 1)]
  return new FormatError(`the node is part of a cycle, so what it makes depends on itself: ${shown.join(' → ')}`, {
    place: {
      ...(options.file !== undefined && { file: options.file }),
      node: nodeLabel(last.node),
      operator: last.node.opType,
    },
    remedy: 'export the model again',
  })
}

const shortened = (name: string) => (name.length > longestName ? `${name.slice(0, longestName)}…` : name)

const isOrdered = (nodes: readonly Node[], sources: ReadonlyMap<Node, readonly Source[]>): boolean => {
  const made = new Set<Node>()
  return nodes.every((node) => {
    const ready = (sources.get(node) ?? []).every((source) => made.has(source.node))
    made.add(node)
    return ready
  })
}
