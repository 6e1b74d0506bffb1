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
