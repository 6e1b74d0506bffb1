import { int64, sizeOf } from '../base/index.ts'
import { intOf, intsOf } from '../onnx/index.ts'
import {
  at,
  filled,
  freezeAll,
  freezeAxes,
  frontAxis,
  gradOf,
  inputOf,
  outputOf,
  padZeros,
  range,
  reshape,
  tensorLike,
  unsupported,
} from './helpers.ts'
import { newSize } from './kept.ts'
import {
  type AxisRule,
  free,
  type GradientRule,
  type NodeContext,
  type Operator,
  type ResizeContext,
  type ResizeRule,
} from './types.ts'
import { offsetsOf, windowsOf } from './windows.ts'

// CenterCropPad

/** The axes a CenterCropPad is told the sizes of. */
const sizedAxes = (c: NodeContext): number[] => {
  const rank = c.dims(inputOf(c.node, 0)).length
  return intsOf(c.node, 'axes', range(0, rank)).map((axis) => frontAxis(axis, rank))
}

/** y shows the middle of x, or x in the middle of zeros: dy in its place. */
const centerGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const [x, y] = [g.dims(inputOf(g.node, 0)), g.dims(outputOf(g.node, 0))]
  const more = x.map((size, axis) => size - y[axis]!)
  const begin = more.map((n) => (n > 0 ? Math.floor(n / 2) : -Math.floor(-n / 2)))
  return [
    padZeros(
      g,
      dy,
      begin,
      more.map((n, axis) => n - begin[axis]!),
    ),
  ]
}

const centerAxes: AxisRule = (a) => {
  const [x, shape, y] = [inputOf(a.node, 0), inputOf(a.node, 1), outputOf(a.node, 0)]
  freezeAxes(a, shape, 'holds the sizes of axes')
  for (const axis of a.dims(x).keys()) {
    const passes = a.dims(x)[axis] === a.dims(y)[axis] && (a.constant(shape) || !sizedAxes(a).includes(axis))
    if (passes) a.join(at(x, axis), at(y, axis))
    else for (const value of [x, y]) a.freeze(at(value, axis), 'CenterCropPad counts from the middle of the axis')
  }
}

const resizeCenter: ResizeRule = (r: ResizeContext) => {
  const [x, y] = [inputOf(r.node, 0), outputOf(r.node, 0)]
  const axes = sizedAxes(r)
  if (!axes.some((axis) => r.kept(at(x, axis)))) return
  r.setConstant(
    1,
    int64(
      [axes.length],
      axes.map((axis) => newSize(r, y, axis)),
    ),
  )
}

// Col2Im

/** Sums of columns over an image: each column's entry gets dy of the pixel it was added to, 0 where that is padding. */
const columnsGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const [x, y] = [g.dims(inputOf(g.node, 0)), g.dims(outputOf(g.node, 0))]
  const block = g.constant(inputOf(g.node, 2))
  if (!block) throw unsupported(g.node, 'its block_shape is computed while the graph runs', 'make it a constant')
  const image = y.slice(2)
  const windows = windowsOf(g.node, blockOf(g), image)
  const { kernel, strides, dilations, begin, end } = windows
  const padded = image.map((size, i) => size + begin[i]! + end[i]!)
  const counts = padded.map((size, i) => Math.floor((size - (kernel[i]! - 1) * dilations[i]! - 1) / strides[i]!) + 1)
  const places = offsetsOf(kernel).flatMap((offset) =>
    offsetsOf(counts).map((window) =>
      padded.reduce((place, size, i) => place * size + window[i]! * strides[i]! + offset[i]! * dilations[i]!, 0),
    ),
  )
  const around = padZeros(g, dy, [0, 0, ...begin], [0, 0, ...end])
  const flat = reshape(g, around, [y[0]!, y[1]!, sizeOf(padded)])
  return [reshape(g, g.b.op('Gather', [flat, g.b.ints(places)], { axis: 2 }), x)]
}

const blockOf = (c: NodeContext): number[] => {
  const tensor = c.constant(inputOf(c.node, 2))
  return tensor ? Array.from(new BigInt64Array(tensor.bytes.slice().buffer), Number) : []
}

/** A channel is its stretch of the columns' axis. */
const columnsAxes: AxisRule = (a) => {
  const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
  const per = a.dims(x)[1]! / a.dims(y)[1]!
  a.join(at(x, 0), at(y, 0))
  for (const i of range(0, a.dims(x)[1]!)) a.joinAt({ ...at(x, 1), at: i }, { ...at(y, 1), at: Math.floor(i / per) })
  for (const value of [x, y])
    freezeAxes(a, value, 'Col2Im adds up neighbouring positions', range(2, a.dims(value).length))
  for (const i of [1, 2]) freezeAxes(a, inputOf(a.node, i), 'holds the sizes of axes')
}

// AffineGrid

/**
 * grid = [p, 1]·θᵀ for the positions p of every pixel, which the operator itself gives for θ = [I, 0]: ∂L/∂θ = dgridᵀ·[p, 1].
 */
const affineGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const theta = inputOf(g.node, 0)
  const [batch, space, columns] = [g.dims(theta)[0]!, g.dims(theta)[1]!, g.dims(theta)[2]!]
  const spatial = g.dims(outputOf(g.node, 0)).slice(1, -1)
  const identity = range(0, space * columns).map((i) => (i % columns === Math.floor(i / columns) ? 1 : 0))
  const plain = g.b.constant(tensorLike(g.type(theta), [1, space, columns], identity))
  const align = { align_corners: intOf(g.node, 'align_corners', 0) }
  const positions = g.b.op('AffineGrid', [plain, g.b.ints([1, 1, ...spatial])], align)
  const pixels = sizeOf(spatial)
  const base = g.b.op('Concat', [reshape(g, positions, [pixels, space]), filled(g, theta, [pixels, 1], 1)], { axis: 1 })
  const turned = g.b.op('Transpose', [reshape(g, dy, [batch, pixels, space])], { perm: [0, 2, 1] })
  return [g.b.op('MatMul', [turned, base])]
}

/** Operators that lay images out and take them apart. */
export const images = {
  CenterCropPad: { gradient: centerGradient, axes: centerAxes, macs: free, resize: resizeCenter },
  Col2Im: { gradient: columnsGradient, axes: columnsAxes, macs: free },
  AffineGrid: {
    gradient: affineGradient,
    axes: (a) => freezeAll(a, 'AffineGrid makes coordinates of given sizes'),
    macs: free,
  },
} satisfies Record<string, Operator>
