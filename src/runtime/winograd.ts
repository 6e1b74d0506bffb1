import { float32, type TensorType } from '../base/index.ts'
import { GraphBuilder, intOf, intsOf, type Model, makeNode, type Node } from '../onnx/index.ts'

/** What a convolution works on: batch, channels in and out, size in and out. */
type Sizes = {
  readonly n: number
  readonly c: number
  readonly o: number
  readonly input: readonly [height: number, width: number]
  readonly output: readonly [height: number, width: number]
}

/**
 * Rewrites 3×3 convolutions of stride 1 by Winograd's minimal filtering F(4×4, 3×3), in place, where `saves` says that it
 * is less work: a tile of 4×4 outputs takes 36 multiplications for each pair of channels instead of 144. Everything is
 * MatMul, so the gradients by input and by kernel that follow from it take a quarter too. For engines whose matrix
 * products are bound by arithmetic, such as WebAssembly's; results differ in the last digits.
 *
 *   Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A   for a kernel g and an input tile d of 6×6, summed over input channels
 *
 * Bᵀ and Aᵀ are written for all tiles of an axis at once, [6·tiles, size] and [size, 6·tiles], the padding being rows that
 * read nothing. Channels are innermost in between, so that all but the first and last step move long runs of memory.
 *
 * Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (2016), §4.1 and §4.3.
 *
 * @param types shapes of all values (`trace`)
 */
export const winogradConvolutions = (
  model: Model,
  types: ReadonlyMap<string, TensorType>,
  saves: (sizes: Sizes) => boolean = savesInWasm,
): void => {
  const { graph } = model
  const nodes: Node[] = []
  const b = new GraphBuilder(graph, 'winograd', nodes)
  const matrices = new Map<string, string>()
  const matrix = (key: string, make: () => readonly (readonly number[])[]): string => {
    const found = matrices.get(key)
    if (found !== undefined) return found
    const rows = make()
    const name = b.constant(float32([rows.length, rows[0]?.length ?? 0], rows.flat()))
    matrices.set(key, name)
    return name
  }
  const shaped = (value: string, dims: readonly number[]) => b.op('Reshape', [value, b.ints(dims)])
  const inwards = (size: number, tiles: number, pad: number) =>
    matrix(`in ${size} ${tiles} ${pad}`, () => tilesIn(size, tiles, pad))
  const outwards = (size: number, tiles: number) => matrix(`out ${size} ${tiles}`, () => tilesOut(size, tiles))

  for (const node of graph.nodes) {
    const [x = '', w = '', bias = ''] = node.inputs
    const sizes = isPlain3x3(node, types.get(w)) && sizesOf(types.get(x), types.get(node.outputs[0] ?? ''))
    if (!sizes || !saves(sizes)) {
      nodes.push(node)
      continue
    }
    const { n, c, o } = sizes
    const {
      input: [height, width],
      output: [outHeight, outWidth],
    } = sizes
    const [top = 0, left = 0] = intsOf(node, 'pads', [0, 0, 0, 0])
    const [down, across] = [tilesOf(outHeight), tilesOf(outWidth)]

    // [N, C, H, W] → [H, W, N, C] → [6, down, 6, across, N, C] → [36, down · across · N, C]
    const apart = shaped(b.op('Transpose', [x], { perm: [2, 3, 0, 1] }), [height, width * n * c])
    const rows = shaped(b.op('MatMul', [inwards(height, down, top), apart]), [6 * down, width, n * c])
    const tiles = shaped(b.op('MatMul', [inwards(width, across, left), rows]), [6, down, 6, across * n * c])
    const points = shaped(b.op('Transpose', [tiles], { perm: [0, 2, 1, 3] }), [36, down * across * n, c])

    // [O, C, 3, 3] → [9, C · O] → [36, C, O]
    const taps = shaped(b.op('Transpose', [w], { perm: [2, 3, 1, 0] }), [9, c * o])
    const filters = shaped(b.op('MatMul', [matrix('filter', () => filterPoints), taps]), [36, c, o])

    // And back: [36, down · across · N, O] → [6, down, 6, across, N, O] → [H, W, N, O] → [N, O, H, W]
    const products = shaped(b.op('MatMul', [points, filters]), [6, 6, down, across * n * o])
    const columns = shaped(b.op('Transpose', [products], { perm: [0, 2, 1, 3] }), [6 * down, 6 * across, n * o])
    const lines = shaped(b.op('MatMul', [outwards(outWidth, across), columns]), [6 * down, outWidth * n * o])
    const whole = shaped(b.op('MatMul', [outwards(outHeight, down), lines]), [outHeight, outWidth, n, o])
    const biased = bias ? b.op('Add', [whole, bias]) : whole
    nodes.push(makeNode('Transpose', [biased], node.outputs, { perm: [2, 3, 0, 1] }))
  }
  graph.nodes = nodes
}

/**
 * Whether the rewritten convolution is less work in a training step: three products (forward, by input, by kernel), each
 * transformation once and once more backwards. The figures are nanoseconds measured in ONNX Runtime Web 1.30, one thread:
 * its products do 22 multiplications and additions in one, a transformation takes longer for each element the longer its
 * axes are.
 */
const savesInWasm = ({ n, c, o, input: [height, width], output: [outHeight, outWidth] }: Sizes): boolean => {
  const direct = (18 * n * outHeight * outWidth * c * o) / 22
  const products = (72 * n * tilesOf(outHeight) * tilesOf(outWidth) * c * o) / 22
  const each = (h: number, w: number) => n * h * w * (6 + (3 * h + 4.5 * w) / 17)
  const transformations = c * each(height, width) + o * each(outHeight, outWidth) + 80 * c * o
  return 3 * products + 2 * transformations < 3 * direct
}

const tilesOf = (size: number) => Math.ceil(size / 4)

/** The interpolation points are 0, 1, −1, 2, −2 and infinity. */
const inputTile = [
  [4, 0, -5, 0, 1, 0],
  [0, -4, -4, 1, 1, 0],
  [0, 4, -4, -1, 1, 0],
  [0, -2, -1, 2, 1, 0],
  [0, 2, -1, -2, 1, 0],
  [0, 4, 0, -5, 0, 1],
]
const filterTile = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
]
const outputTile = [
  [1, 1, 1, 1, 1, 0],
  [0, 1, -1, 2, -2, 0],
  [0, 1, 1, 4, 4, 0],
  [0, 1, -1, 8, -8, 1],
]

/** Row point·tiles + tile: a tile begins at 4·tile − pad of the axis, and reads zeros beyond its ends. */
const tilesIn = (size: number, tiles: number, pad: number): number[][] =>
  inputTile.flatMap((row) =>
    Array.from({ length: tiles }, (_, tile) => Array.from({ length: size }, (_, at) => row[at - 4 * tile + pad] ?? 0)),
  )

/** Column point·tiles + tile, as above. */
const tilesOut = (size: number, tiles: number): number[][] =>
  Array.from({ length: size }, (_, at) =>
    Array.from({ length: 6 * tiles }, (_, column) =>
      column % tiles === Math.floor(at / 4) ? outputTile[at % 4]![Math.floor(column / tiles)]! : 0,
    ),
  )

/** G ⊗ G: a kernel's nine taps, row by row, to its 36 points. */
const filterPoints = filterTile.flatMap((u) => filterTile.map((v) => u.flatMap((a) => v.map((b) => a * b))))

/** A convolution of one group, 3×3, without stride or dilation, whose padding is stated. */
const isPlain3x3 = (node: Node, kernel: TensorType | undefined): boolean => {
  const ones = (name: string) => intsOf(node, name, [1, 1]).every((value) => value === 1)
  return (
    node.opType === 'Conv' &&
    node.domain === '' &&
    kernel?.type === 'float32' &&
    kernel.dims.length === 4 &&
    kernel.dims[2] === 3 &&
    kernel.dims[3] === 3 &&
    intOf(node, 'group', 1) === 1 &&
    ones('strides') &&
    ones('dilations') &&
    !node.attributes.has('auto_pad')
  )
}

const sizesOf = (input: TensorType | undefined, output: TensorType | undefined): Sizes | undefined => {
  const [n = 0, c = 0, height = 0, width = 0] = input?.dims ?? []
  const [, o = 0, outHeight = 0, outWidth = 0] = output?.dims ?? []
  return n * c * o * outHeight * outWidth === 0 || !input || !output
    ? undefined
    : { n, c, o, input: [height, width], output: [outHeight, outWidth] }
}
