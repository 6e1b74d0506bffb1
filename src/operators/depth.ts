import { intOf, stringOf } from '../onnx/index.ts'
import { at, gradOf, inputOf, outputOf, range, reshape, transpose } from './helpers.ts'
import { depthToSpaceSizes, spaceToDepthSizes } from './sizes/moves.ts'
import { type AxisRule, free, type GradientRule, type NodeContext, type Operator } from './types.ts'

// [N, C, H, W] with b·b channels for each place of a b×b square

/** Where channel c's place k of b² stands among the merged channels. */
const mergedChannel = (mode: string, channels: number, places: number) =>
  mode === 'CRD' ? (c: number, k: number) => c * places + k : (c: number, k: number) => k * channels + c

const depthToSpaceGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined) return []
  const size = intOf(g.node, 'blocksize', 1)
  if (stringOf(g.node, 'mode', 'DCR') === 'DCR') return [g.b.op('SpaceToDepth', [dy], { blocksize: size })]
  const dims = g.dims(inputOf(g.node, 0))
  const [n, , h, w] = dims
  const channels = dims[1]! / size ** 2
  // [N, C, H, b, W, b] → [N, C, b, b, H, W]
  const apart = reshape(g, dy, [n!, channels, h!, size, w!, size])
  return [reshape(g, transpose(g, apart, [0, 1, 3, 5, 2, 4]), dims)]
}

const spaceToDepthGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  return dy === undefined
    ? []
    : [g.b.op('DepthToSpace', [dy], { blocksize: intOf(g.node, 'blocksize', 1), mode: 'DCR' })]
}

/** @param deep the value with b² times the channels @param wide the one with b times the rows and columns */
const squareAxes =
  (deep: (c: NodeContext) => string, wide: (c: NodeContext) => string): AxisRule =>
  (a) => {
    const [x, y] = [deep(a), wide(a)]
    const size = intOf(a.node, 'blocksize', 1)
    const channels = a.dims(y)[1]!
    const merged = mergedChannel(stringOf(a.node, 'mode', 'DCR'), channels, size ** 2)
    a.join(at(x, 0), at(y, 0))
    for (const c of range(0, channels))
      for (const k of range(0, size ** 2)) a.joinAt({ ...at(x, 1), at: merged(c, k) }, { ...at(y, 1), at: c })
    for (const axis of [2, 3])
      for (const i of range(0, a.dims(y)[axis]!))
        a.joinAt({ ...at(x, axis), at: Math.floor(i / size) }, { ...at(y, axis), at: i })
  }

const input = (c: NodeContext) => inputOf(c.node, 0)
const output = (c: NodeContext) => outputOf(c.node, 0)

/** Operators that trade channels for rows and columns. */
export const depth = {
  DepthToSpace: {
    gradient: depthToSpaceGradient,
    axes: squareAxes(input, output),
    macs: free,
    sizes: depthToSpaceSizes,
  },
  SpaceToDepth: {
    gradient: spaceToDepthGradient,
    axes: squareAxes(output, input),
    macs: free,
    sizes: spaceToDepthSizes,
  },
} satisfies Record<string, Operator>
