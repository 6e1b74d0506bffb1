import { int64, numbersOf } from '../base/index.ts'
import { attribute, intsOf } from '../onnx/index.ts'
import {
  at,
  filled,
  freezeAxes,
  frontAxis,
  gradOf,
  hasInput,
  inputOf,
  outputOf,
  padZeros,
  range,
  reshape,
  slice,
} from './helpers.ts'
import { keptOf } from './kept.ts'
import {
  type AxisRule,
  free,
  type GradientContext,
  type GradientRule,
  type NodeContext,
  type Operator,
  type ResizeRule,
} from './types.ts'

type Cut = {
  readonly axis: number
  /** First index taken, counted from the front. */
  readonly start: number
  readonly step: number
  readonly count: number
  /** Start and end as the node writes them: negative ones count from the end, large ones mean "to the end". */
  readonly written: { readonly start: number; readonly end: number }
}

/** What a Slice takes along each axis it names: inputs from opset 10, attributes before. Undefined when not constant. */
const cutsOf = (c: NodeContext): Cut[] | undefined => {
  const [x, y] = [c.dims(inputOf(c.node, 0)), c.dims(outputOf(c.node, 0))]
  const read = (position: number, name: string, absent: number[]) => {
    if (!hasInput(c.node, position)) return intsOf(c.node, name, absent)
    const tensor = c.constant(inputOf(c.node, position))
    return tensor && numbersOf(tensor)
  }
  const starts = read(1, 'starts', [])
  const ends = read(2, 'ends', [])
  if (!starts || !ends) return undefined
  const axes = read(3, 'axes', range(0, starts.length))
  const steps = read(4, 'steps', Array(starts.length).fill(1))
  if (!axes || !steps) return undefined
  return axes.map((named, i) => {
    const axis = frontAxis(named, x.length)
    const size = x[axis]!
    const step = steps[i]!
    const start = starts[i]! < 0 ? starts[i]! + size : starts[i]!
    const first = Math.min(Math.max(start, 0), step < 0 ? size - 1 : size)
    return { axis, step, start: first, count: y[axis]!, written: { start: starts[i]!, end: ends[i]! } }
  })
}

const takes = ({ start, step, count }: Cut): number[] => range(0, count).map((i) => start + i * step)

/** y is part of x: dy in its place, zeros around it and, where the slice steps, between its elements. */
const sliceGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const cuts = cutsOf(g)
  const x = g.dims(inputOf(g.node, 0))
  if (!cuts) return [scatterSlice(g, dy)]
  let grad = dy
  const dims = [...g.dims(outputOf(g.node, 0))]
  const [begin, end] = [x.map(() => 0), x.map(() => 0)]
  for (const cut of cuts) {
    const { axis, count } = cut
    const stride = Math.abs(cut.step)
    if (count === 0) return [filled(g, inputOf(g.node, 0), x, 0)]
    if (cut.step < 0 && count > 1)
      grad = slice(g, grad, { axes: [axis], starts: [-1], ends: [-count - 1], steps: [-1] })
    if (stride > 1 && count > 1) {
      // [n] → [n, 1] → [n, stride] → [n·stride], the zeros behind the last element cut off by a negative pad.
      const apart = [...dims.slice(0, axis + 1), 1, ...dims.slice(axis + 1)]
      const zeros = apart.map((_, i) => (i === axis + 1 ? stride - 1 : 0))
      dims[axis] = count * stride
      grad = reshape(
        g,
        padZeros(
          g,
          reshape(g, grad, apart),
          apart.map(() => 0),
          zeros,
        ),
        dims,
      )
    }
    begin[axis] = Math.min(...takes(cut))
    end[axis] = x[axis]! - begin[axis] - dims[axis]!
  }
  return [padZeros(g, grad, begin, end)]
}

/** A slice whose bounds are computed: the same slice of the elements' numbers says where each came from. */
const scatterSlice = (g: GradientContext, dy: string): string => {
  const x = inputOf(g.node, 0)
  const dims = g.dims(x)
  const size = dims.reduce((n, dim) => n * dim, 1)
  const numbers = reshape(g, g.b.constant(int64([size], range(0, size))), dims)
  const places = g.b.op('Slice', [numbers, ...g.node.inputs.slice(1)])
  const zeros = filled(g, x, [size], 0)
  const placed = g.b.op('ScatterElements', [zeros, reshape(g, places, [-1]), reshape(g, dy, [-1])], { axis: 0 })
  return reshape(g, placed, dims)
}

const sliceAxes: AxisRule = (a) => {
  const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
  for (const input of a.node.inputs.slice(1)) if (input) freezeAxes(a, input, 'holds bounds of slices')
  const cuts = cutsOf(a)
  if (!cuts) {
    for (const value of [x, y]) freezeAxes(a, value, 'Slice computes its bounds while the graph runs')
    return
  }
  for (const axis of a.dims(x).keys()) {
    const cut = cuts.find((other) => other.axis === axis)
    for (const value of [x, y]) a.join(at(value, axis), at(value, axis))
    if (!cut) a.join(at(x, axis), at(y, axis))
    else if (Math.abs(cut.step) > 1 && cuts.length > 1)
      for (const value of [x, y]) a.freeze(at(value, axis), 'Slice takes every k-th index, of several axes at once')
    else
      takes(cut).forEach((from, to) => {
        a.joinAt({ ...at(x, axis), at: from }, { ...at(y, axis), at: to })
      })
  }
}

/** Counts the kept indices below each place: where what stood there is now. */
const placeIn = (kept: readonly number[], index: number): number => kept.filter((other) => other < index).length

/**
 * Recomputes starts and ends. A slice by steps may take irregular places of what is left; then it becomes a Gather of a list.
 */
const resizeSlice: ResizeRule = (r) => {
  const [x, y] = [inputOf(r.node, 0), outputOf(r.node, 0)]
  const cuts = cutsOf(r)
  if (!cuts?.some(({ axis }) => r.kept(at(x, axis)))) return
  const fresh = cuts.map((cut) => {
    if (!r.kept(at(x, cut.axis))) return { ...cut, ...cut.written, places: [] }
    const [left, out] = [keptOf(r, x, cut.axis), keptOf(r, y, cut.axis)]
    const places = out.map((i) => placeIn(left, cut.start + i * cut.step))
    const step = places.length > 1 ? places[1]! - places[0]! : 1
    const end = (places.at(-1) ?? -1) + Math.sign(step)
    return { axis: cut.axis, places, start: places[0] ?? 0, step, end: end < 0 ? -left.length - 1 : end }
  })
  const odd = fresh.find(({ places, step }) => places.some((place, i) => place !== places[0]! + i * step))
  if (odd) {
    r.node.opType = 'Gather'
    r.node.inputs.length = 2
    r.node.attributes = new Map([['axis', attribute(odd.axis)]])
    r.setConstant(1, int64([odd.places.length], odd.places))
    return
  }
  const lists: Record<string, number[]> = {
    starts: fresh.map(({ start }) => start),
    ends: fresh.map(({ end }) => end),
    axes: fresh.map(({ axis }) => axis),
    steps: fresh.map(({ step }) => step),
  }
  Object.entries(lists).forEach(([name, values], i) => {
    if (name === 'steps' && values.every((step) => step === 1) && !hasInput(r.node, 4)) return
    if (r.opset < 10) r.node.attributes.set(name, attribute(values))
    else r.setConstant(i + 1, int64([values.length], values))
  })
}

/** Cutting a part out. */
export const slices = {
  Slice: { gradient: sliceGradient, axes: sliceAxes, macs: free, resize: resizeSlice },
} satisfies Record<string, Operator>
