import { int64 } from '../base/index.ts'
import { intOf, intsOf } from '../onnx/index.ts'
import {
  at,
  elementsOf,
  freezeAxes,
  gradOf,
  inputOf,
  joinAxes,
  outputOf,
  range,
  reshape,
  sizesOf,
  sum,
  sumTo,
  transpose,
} from './helpers.ts'
import { newSize } from './kept.ts'
import { likeInput } from './sizes/elementwise.ts'
import { isFixed, sameSize } from './sizes/index.ts'
import { expandSizes, tileSizes, transposeSizes } from './sizes/moves.ts'
import { type AxisRule, free, type GradientRule, type NodeContext, type Operator, type ResizeRule } from './types.ts'

// Transpose

const permOf = (c: NodeContext): number[] => {
  const rank = c.dims(inputOf(c.node, 0)).length
  return intsOf(c.node, 'perm', range(0, rank).reverse())
}

/** y[i₀ …] = x with its axes in another order: dy in the order of before. */
const transposeGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  const perm = permOf(g)
  return dy === undefined
    ? []
    : [
        transpose(
          g,
          dy,
          range(0, perm.length).map((axis) => perm.indexOf(axis)),
        ),
      ]
}

const transposeAxes: AxisRule = (a) => {
  for (const [to, from] of permOf(a).entries()) a.join(at(inputOf(a.node, 0), from), at(outputOf(a.node, 0), to))
}

// Expand and Tile

const expandGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  return [sumTo(g, dy, g.dims(outputOf(g.node, 0)), g.dims(inputOf(g.node, 0)))]
}

/**
 * Equal axes are tied; an axis stretched from 1 stands alone, and only its entry of the shape changes. One stretched to a
 * size that varies keeps all its indices.
 */
const expandAxes: AxisRule = (a) => {
  const [x, shape, y] = [inputOf(a.node, 0), inputOf(a.node, 1), outputOf(a.node, 0)]
  const [from, to] = [sizesOf(a, x), sizesOf(a, y)]
  const added = to.length - from.length
  freezeAxes(a, shape, 'holds the sizes of axes')
  for (const [axis, size] of to.entries()) {
    const own = from[axis - added]
    const passes = own !== undefined && sameSize(own, size)
    if (passes) a.join(at(x, axis - added), at(y, axis))
    else if (own !== undefined)
      a.freeze(at(x, axis - added), 'an axis of size 1 stretched by broadcasting has no index to lose')
    if (isFixed(size) || passes) a.join(at(y, axis), at(y, axis))
    else a.freeze(at(y, axis), 'Expand stretches the axis to a size that varies')
  }
}

/** The shape's entries of the axes that lost indices; 1 where the input has the size already. */
const resizeExpand: ResizeRule = (r) => {
  const [x, shape, y] = [inputOf(r.node, 0), inputOf(r.node, 1), outputOf(r.node, 0)]
  const [from, to] = [sizesOf(r, x), sizesOf(r, y)]
  const given = elementsOf(r, shape)
  const rank = given?.length ?? r.dims(shape)[0]!
  const axisOf = (entry: number) => entry + to.length - rank
  const stretches = (axis: number) => from[axis - to.length + from.length] !== to[axis]
  const entries = new Map(
    range(0, rank).flatMap((entry) => {
      const axis = axisOf(entry)
      if (given?.[entry] === 1 || !isFixed(to[axis])) return []
      return [[entry, stretches(axis) ? newSize(r, y, axis) : 1] as const]
    }),
  )
  if (!r.constant(shape)) return r.setElements(1, entries)
  if (!range(0, rank).some((entry) => r.kept(at(y, axisOf(entry))))) return
  const sizes = range(0, rank).map((entry) => entries.get(entry) ?? 1)
  r.setConstant(1, int64([sizes.length], sizes))
}

/** y repeats x: each element gets the sum of dy over its copies, [r·d] seen as [r, d]. */
const tileGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const [x, y] = [g.dims(inputOf(g.node, 0)), g.dims(outputOf(g.node, 0))]
  const apart = x.flatMap((size, axis) => (size === 0 ? [1, 0] : [y[axis]! / size, size]))
  const copies = range(0, x.length).map((axis) => 2 * axis)
  return [sum(g, reshape(g, dy, apart), copies)]
}

/** All copies of an index live and die with it. */
const tileAxes: AxisRule = (a) => {
  const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
  freezeAxes(a, inputOf(a.node, 1), 'holds the numbers of copies')
  for (const [axis, size] of a.dims(x).entries())
    for (const i of range(0, a.dims(y)[axis]!)) a.joinAt({ ...at(x, axis), at: i % size }, { ...at(y, axis), at: i })
}

// Triangles and sequences

/** y keeps a triangle of x and zeros the rest: so does the gradient. */
const triluGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  return dy === undefined
    ? []
    : [g.b.op('Trilu', [dy, ...g.node.inputs.slice(1)], { upper: intOf(g.node, 'upper', 1) })]
}

const triluAxes: AxisRule = (a) => {
  const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
  const rank = a.dims(x).length
  joinAxes(a, x, y, range(0, rank - 2))
  for (const value of [x, y]) freezeAxes(a, value, 'Trilu compares row and column numbers', [rank - 2, rank - 1])
}

/** y reverses the first lengths[n] elements of each sequence: doing it again puts them back. */
const reverseGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined) return []
  return [
    g.b.op('ReverseSequence', [dy, inputOf(g.node, 1)], {
      batch_axis: intOf(g.node, 'batch_axis', 1),
      time_axis: intOf(g.node, 'time_axis', 0),
    }),
  ]
}

const reverseAxes: AxisRule = (a) => {
  const [x, lengths, y] = [inputOf(a.node, 0), inputOf(a.node, 1), outputOf(a.node, 0)]
  const [batch, time] = [intOf(a.node, 'batch_axis', 1), intOf(a.node, 'time_axis', 0)]
  joinAxes(
    a,
    x,
    y,
    range(0, a.dims(x).length).filter((axis) => axis !== time),
  )
  a.join(at(lengths, 0), at(y, batch))
  for (const value of [x, y]) a.freeze(at(value, time), 'ReverseSequence reorders the axis')
}

/** Operators that move, repeat or mask elements by their place. */
export const shape = {
  Transpose: { gradient: transposeGradient, axes: transposeAxes, macs: free, sizes: transposeSizes },
  Expand: {
    gradient: expandGradient,
    axes: expandAxes,
    macs: free,
    resize: resizeExpand,
    sizes: expandSizes,
  },
  Tile: { gradient: tileGradient, axes: tileAxes, macs: free, sizes: tileSizes },
  Trilu: { gradient: triluGradient, axes: triluAxes, macs: free, sizes: likeInput() },
  ReverseSequence: { gradient: reverseGradient, axes: reverseAxes, macs: free, sizes: likeInput() },
} satisfies Record<string, Operator>
