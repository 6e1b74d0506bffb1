import { int64, numbersOf, sizeOf } from '../base/index.ts'
import { at, freezeAxes, frontAxis, gradOf, inputOf, outputOf, range, reshape, varies } from './helpers.ts'
import { axisOf, indices64, rankOf, scatterRows } from './rows.ts'
import { runsOf, scatterRuns } from './runs.ts'
import { gatherSizes } from './sizes/moves.ts'
import { type AxisRule, free, type GradientRule, type NodeContext, type Operator, type ResizeRule } from './types.ts'

/** The positions a Gather picks, counted from the front, when they are constant. */
const picksOf = (c: NodeContext): number[] | undefined => {
  const indices = c.constant(inputOf(c.node, 1))
  const size = c.dims(inputOf(c.node, 0))[axisOf(c)]!
  return indices && numbersOf(indices).map((index) => frontAxis(index, size))
}

/** Constant picks of at most so many runs are put in place by cutting and padding, others by scattering. */
const fewRuns = 8

/**
 * y[…, i, …] = x[…, idx[i], …]: each row of x gets the sum of the rows of dy that show it.
 */
const gatherGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const x = inputOf(g.node, 0)
  const dims = g.dims(x)
  const axis = axisOf(g)
  const indices = inputOf(g.node, 1)
  const count = sizeOf(g.dims(indices))
  const flat = [...dims.slice(0, axis), count, ...dims.slice(axis + 1)]
  const picks = picksOf(g)
  const runs = picks && runsOf(picks)
  if (runs && runs.length > 0 && runs.length <= fewRuns)
    return [scatterRuns(g, reshape(g, dy, flat), flat, axis, runs, dims[axis]!)]
  return [scatterRows(g, x, dims, axis, indices64(g, indices), reshape(g, dy, flat), count)]
}

/** Constant picks carry their indices along; a single index or indices known only at run time need the axis whole. */
const gatherAxes: AxisRule = (a) => {
  const [x, indices, y] = [inputOf(a.node, 0), inputOf(a.node, 1), outputOf(a.node, 0)]
  const axis = axisOf(a)
  const added = a.dims(indices).length
  const picks = picksOf(a)
  for (const i of range(0, axis)) a.join(at(x, i), at(y, i))
  for (const i of range(axis + 1, rankOf(a))) a.join(at(x, i), at(y, i + added - 1))
  const moves = varies(a, x, axis)
  if (picks && added === 1 && !moves) {
    freezeAxes(a, indices, 'holds positions')
    picks.forEach((from, to) => {
      a.joinAt({ ...at(x, axis), at: from }, { ...at(y, axis), at: to })
    })
    return
  }
  a.freeze(
    at(x, axis),
    moves
      ? 'Gather picks indices of an axis whose size varies'
      : picks
        ? 'Gather picks single indices of the axis'
        : 'Gather picks indices computed while the graph runs',
  )
  if (picks) freezeAxes(a, indices, 'holds positions')
  for (const i of range(0, added))
    if (picks) a.freeze(at(y, axis + i), 'Gather lays picked indices out along the axis')
    else a.join(at(indices, i), at(y, axis + i))
}

const resizeGather: ResizeRule = (r) => {
  const [x, y] = [inputOf(r.node, 0), outputOf(r.node, 0)]
  const axis = axisOf(r)
  const [picks, kept] = [picksOf(r), r.kept(at(x, axis))]
  if (!picks || !kept) return
  const place = new Map(kept.map((index, i) => [index, i]))
  const left = (r.kept(at(y, axis)) ?? range(0, picks.length)).map((i) => place.get(picks[i]!)!)
  r.setConstant(1, int64([left.length], left))
}

/** Picking rows by index. */
export const gather = {
  Gather: { gradient: gatherGradient, axes: gatherAxes, macs: free, resize: resizeGather, sizes: gatherSizes },
} satisfies Record<string, Operator>
