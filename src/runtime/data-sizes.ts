import type { Tensor } from '../base/index.ts'
import { type Graph, type Node, readsOf, subgraphsOf } from '../onnx/index.ts'

/** Inputs that say how large an output is. */
const sizing: { readonly [opType: string]: readonly number[] } = {
  ConstantOfShape: [0],
  Expand: [1],
  OneHot: [1],
  Pad: [1, 3],
  Range: [0, 1, 2],
  Reshape: [1],
  Resize: [1, 2, 3],
  Slice: [1, 2, 3, 4],
  Split: [1],
  Tile: [1],
  TopK: [1],
  Upsample: [1],
}

const counting = new Set(['NonZero', 'NonMaxSuppression', 'Unique', 'Compress', 'Loop', 'Scan', 'SequenceAt'])

/**
 * Values whose size, or what is computed from it, depends on what numbers the model is fed: boxes found, elements that are
 * not zero. Two runs that happened to give the same size say nothing of them.
 * @param known what follows from sizes and initializers in one run
 */
export const dependsOnData = ({ nodes, initializers }: Graph, known: ReadonlyMap<string, Tensor>): Set<string> => {
  const loose = new Set<string>()
  const isKnown = (name: string) => name === '' || known.has(name) || initializers.has(name)
  const counts = (node: Node): boolean =>
    counting.has(node.opType) || subgraphsOf(node).some((graph) => graph.nodes.some(counts))
  for (const node of nodes) {
    const decides = node.opType === 'If' ? [0] : (sizing[node.opType] ?? [])
    const unknown = decides.some((position) => !isKnown(node.inputs[position] ?? ''))
    if (unknown || counts(node) || readsOf(node).some((name) => loose.has(name)))
      for (const name of node.outputs) loose.add(name)
  }
  return loose
}
