import { int64, type TensorType } from '../base/index.ts'
import { type Graph, GraphBuilder, intsOf, type Node } from '../onnx/index.ts'

/** Emits nodes that bring values into the blocked layout; a value is brought there once. */
export type Blocks = {
  readonly b: GraphBuilder
  /** Looks at a node of the graph as it passes: what it makes may be had in blocks without reordering anew. */
  note(node: Node): void
  /** [N, C, H, W] → [N, C/block, H, W, block], C padded with zeros to whole blocks. */
  of(value: string): string
  /** The same with stride − 1 zeros behind each position. */
  spread(value: string, strides: readonly number[]): string
  /** [O, C, kh, kw] → [O/block, C/block, kh, kw, block of C, block of O], or [O/block, C, kh, kw, block of O]. */
  kernel(value: string, dims: readonly number[]): string
  /** [C, 1, kh, kw] → [C/block, 1, kh, kw, block]. */
  depthwiseKernel(value: string, dims: readonly number[]): string
  /** A kernel with its positions in reverse. */
  flipped(value: string): string
  /** A vector with zeros added. */
  vector(value: string, missing: number): string
}

export const roundUp = (n: number, multiple: number): number => Math.ceil(n / multiple) * multiple

export const blocksOf = (
  graph: Graph,
  types: ReadonlyMap<string, TensorType>,
  block: number,
  domain: string,
): Blocks => {
  const b = new GraphBuilder(graph, 'blocked', graph.nodes)
  const transposed = new Map<string, string>()
  const reshaped = new Map<string, string>()
  const reordered = new Map<string, string>()
  const dimsOf = (value: string) => types.get(value)?.dims ?? []

  /** ReorderInput wants a multiple of 4 channels and pads the rest itself. `batch` and channels are padded with zeros. */
  const reorder = (value: string, channels: number, batch = 0): string => {
    const more = roundUp(channels, 4) - channels
    const padded = batch + more === 0 ? value : b.op('Pad', [value, b.ints([0, 0, 0, 0, batch, more, 0, 0])])
    return b.op('ReorderInput', [padded], {}, { domain })
  }
  const once = (key: string, make: () => string): string => {
    const found = reordered.get(key) ?? make()
    reordered.set(key, found)
    return found
  }

  /**
   * Samples laid behind each other as channels, [N, C, H, W] → [1, N·C, H, W] or [N·C, 1, H, W], lie in memory as they did
   * where C is whole blocks: the blocks of the one are the blocks of the other.
   */
  const samplesBehindEachOther = (value: string): string | undefined => {
    const source = reshaped.get(value)
    if (source === undefined) return undefined
    const [from, to] = [dimsOf(source), dimsOf(value)]
    const same = from.length === 4 && to.length === 4 && from[2] === to[2] && from[3] === to[3]
    return same && from[1]! % block === 0 && (to[0] === 1 || to[1] === 1) ? source : undefined
  }
  const sampleInBlocks = (value: string, dims: readonly number[]): string => {
    const source = samplesBehindEachOther(value)
    return source === undefined
      ? reorder(b.op('Reshape', [value, b.ints(dims)]), dims[1]!)
      : b.op('Reshape', [of(source), b.ints(dims)])
  }

  const of = (value: string): string =>
    once(value, () => {
      const dims = dimsOf(value)
      return dims[0] === 1 && samplesBehindEachOther(value) ? sampleInBlocks(value, dims) : reorder(value, dims[1]!)
    })

  return {
    b,
    of,
    note(node) {
      const [x = ''] = node.inputs
      if (node.opType === 'Transpose' && intsOf(node, 'perm', []).join() === '1,0,2,3')
        transposed.set(node.outputs[0]!, x)
      if (node.opType === 'Reshape') reshaped.set(node.outputs[0]!, x)
    },
    spread(value, strides) {
      const [n = 0, channels = 0, height = 0, width = 0] = dimsOf(value)
      const [down = 1, right = 1] = strides
      if (down * right === 1) return of(value)
      return once(`${value} ${strides}`, () => {
        const rows = (n * roundUp(channels, block) * height) / block
        const apart = b.op('Reshape', [of(value), b.ints([rows, 1, width, block])])
        const padded = b.op('Pad', [apart, b.ints([0, 0, 0, 0, 0, down - 1, 0, (right - 1) * block])])
        return b.op('Reshape', [padded, b.ints([n, roundUp(channels, block), height * down, width * right])])
      })
    },
    kernel(value, [outputs = 0, channels = 0, height = 0, width = 0]) {
      const swapped = transposed.get(value) ?? b.op('Transpose', [value], { perm: [1, 0, 2, 3] })
      const [o, c] = [roundUp(outputs, block), channels < block ? channels : roundUp(channels, block)]
      const byOutput = once(`${swapped} ${c}`, () => reorder(swapped, outputs, c - channels))
      const inBlocks = channels < block ? 1 : block
      const apart = b.op('Reshape', [byOutput, b.ints([c / inBlocks, inBlocks, o / block, height * width, block])])
      return b.op('Reshape', [b.op('Transpose', [apart], { perm: [2, 0, 3, 1, 4] }), b.ints([o, c, height, width])])
    },
    depthwiseKernel(value, [channels = 0, , height = 0, width = 0]) {
      const sample = sampleInBlocks(value, [1, channels, height, width])
      return b.op('Reshape', [sample, b.ints([roundUp(channels, block), 1, height, width])])
    },
    flipped(value) {
      const ends = Array(2).fill(-(2 ** 31))
      return b.op('Slice', [value, b.ints([-1, -1]), b.ints(ends), b.ints([2, 3]), b.ints([-1, -1])])
    },
    vector: (value, missing) => (missing === 0 ? value : b.op('Pad', [value, b.constant(int64([2], [0, missing]))])),
  }
}
