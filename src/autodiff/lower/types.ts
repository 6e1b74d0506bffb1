import type { Tensor, TensorType } from '../../base/index.ts'
import type { Graph, Node } from '../../onnx/index.ts'
import type { Fresh } from './instantiate.ts'

/** What is known of a graph that is being lowered. */
export type Known = {
  readonly graph: Graph
  readonly opset: number
  readonly fresh: Fresh
  /** Types and shapes of its tensors in one traced run. */
  readonly types: ReadonlyMap<string, TensorType>
  /** The contents of a value known before the graph runs. */
  constant(name: string): Tensor | undefined
  /** Adds a constant and returns its name. */
  add(tensor: Tensor): string
}

/** The nodes that take a node's place; undefined where it stays. */
export type Rewrite = (node: Node, known: Known) => readonly Node[] | undefined
