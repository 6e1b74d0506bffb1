import type { Tensor, TensorType } from '../../base/index.ts'
import { GraphBuilder } from '../builder.ts'
import { opsetOf } from '../graph.ts'
import type { Graph, Model, Node } from '../types.ts'

/** What is known of a graph that is being rewritten. */
export type Known = {
  readonly graph: Graph
  readonly opset: number
  /** Types and shapes of its tensors, of as many as are known. */
  readonly types: ReadonlyMap<string, TensorType>
  /** The contents of a value known before the graph runs. */
  constant(name: string): Tensor | undefined
  /** A name nothing in the graph has. */
  fresh(hint: string): string
  /** Adds a constant and returns its name. */
  add(tensor: Tensor): string
}

/** The nodes that take a node's place; undefined where it stays. */
export type Rewrite = (node: Node, known: Known) => readonly Node[] | undefined

export const knownOf = (model: Model, found: Pick<Known, 'types' | 'constant'>): Known => {
  const builder = new GraphBuilder(model.graph)
  return {
    ...found,
    graph: model.graph,
    opset: opsetOf(model),
    fresh: (hint) => builder.fresh(hint),
    add: (tensor) => builder.constant(tensor),
  }
}
