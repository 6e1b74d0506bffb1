import { own } from '../base/index.ts'
import { type Graph, type Node, readsOf, subgraphsOf } from '../onnx/index.ts'

/** Inputs whose numbers say how large an output is. */
const sizing: { readonly [opType: string]: readonly number[] } = {
  AffineGrid: [1],
  CenterCropPad: [1],
  Col2Im: [1, 2],
  ConstantOfShape: [0],
  Expand: [1],
  If: [0],
  MaxUnpool: [2],
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

/** Operators that count what they are given, or choose by it. */
const counting = new Set(['NonZero', 'NonMaxSuppression', 'Unique', 'Compress', 'Loop', 'Scan', 'SequenceAt'])

/** Whether a node counts, or one within it does. */
const counts = (node: Node): boolean =>
  counting.has(node.opType) || subgraphsOf(node).some((graph) => graph.nodes.some(counts))

/**
<<<<<<< HEAD
 * Values whose size, or what is computed from it, depends on what numbers the model is fed: boxes found, elements that are
 * not zero. Two runs that happened to give the same size say nothing of them.
 * @param known what follows from sizes and initializers in one run
 */
export const dependsOnData = ({ nodes, initializers }: Graph, known: ReadonlyMap<string, Tensor>): Set<string> => {
  const loose = new Set<string>()
  const isKnown = (name: string) => name === '' || known.has(name) || initializers.has(name)
  for (const node of nodes) {
    const unknown = (own(sizing, node.opType) ?? []).some((position) => !isKnown(node.inputs[position] ?? ''))
    if (unknown || counts(node) || readsOf(node).some((name) => loose.has(name)))
      for (const name of node.outputs) loose.add(name)
  }
  return loose
}

/**
=======
>>>>>>> 59587f2 (Sizes are followed by what they depend on, not by two runs that agree)
 * Whether the numbers in some of a graph's values, its weights say, may have a part in how large others are. Where they have
 * none, any numbers will do to learn the sizes.
 */
export const decideSizes = (values: Iterable<string>, { nodes }: Graph): boolean => {
  const varying = new Set(values)
  return nodes.some((node) => {
    const reads = readsOf(node)
    if (!reads.some((name) => varying.has(name))) return false
    const deciding = isOpaque(node)
      ? reads
      : (own(sizing, node.opType) ?? []).map((position) => node.inputs[position] ?? '')
    if (deciding.some((name) => varying.has(name))) return true
    if (node.opType !== 'Shape' && node.opType !== 'Size') for (const name of node.outputs) varying.add(name)
    return false
  })
}

/** Whether any input may decide: what is within subgraphs is not followed, and no standard says what unknown domains do. */
const isOpaque = (node: Node): boolean =>
  counts(node) || subgraphsOf(node).length > 0 || !['', 'ai.onnx', 'com.microsoft'].includes(node.domain)
