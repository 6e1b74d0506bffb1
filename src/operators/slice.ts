import { int64, numbersOf } from '../base/index.ts'
import { attribute, intsOf } from '../onnx/index.ts'
import {
  at,
  elementsOf,
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
  varies,
} from './helpers.ts'
import { keptOf } from './kept.ts'
import { allFixed, isFixed, type Size } from './sizes/index.ts'
import { sliceSizes } from './sizes/moves.ts'
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
    return cutAlong(axis, { start: starts[i]!, end: ends[i]!, step: steps[i]! }, x[axis]!, y[axis]!)
  })
}

/** A cut from bounds as a node writes them, for an axis of `size` indices of which `count` are taken. */
const cutAlong = (
  axis: number,
  { start, end, step }: { readonly start: number; readonly end: number; readonly step: number },
  size: number,
  count: number,
): Cut => {
  const place = start < 0 ? start + size : start
  const first = Math.min(Math.max(place, 0), step < 0 ? size - 1 : size)
  return { axis, step, start: first, count, written: { start, end } }
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

/** A cut as far as it is the same in every run. */
type WrittenCut = {
  readonly axis: number
  /** The cut; undefined where a bound or the axis's size varies. */
  readonly cut: Cut | undefined
  readonly step: number
}

/** What a Slice takes along each axis it names; undefined where not even the axes are known. */
const writtenCutsOf = (c: NodeContext): WrittenCut[] | undefined => {
  const [x, y] = [inputOf(c.node, 0), outputOf(c.node, 0)]
  const read = (position: number, name: string, absent?: readonly number[]): readonly Size[] | undefined =>
    hasInput(c.node, position)
      ? elementsOf(c, inputOf(c.node, position))
      : c.node.attributes.has(name)
        ? intsOf(c.node, name, [])
        : absent
  const [starts, ends] = [read(1, 'starts'), read(2, 'ends')]
  const count = hasInput(c.node, 1) ? (c.dims(inputOf(c.node, 1))[0] ?? 0) : (starts?.length ?? 0)
  const [axes, steps] = [read(3, 'axes', range(0, count)), read(4, 'steps', Array(count).fill(1))]
  if (!allFixed(axes) || !allFixed(steps)) return undefined
  return axes.map((named, i) => {
    const axis = frontAxis(named, c.dims(x).length)
    const [start, end, step] = [starts?.[i], ends?.[i], steps[i]!]
    const known = isFixed(start) && isFixed(end) && !varies(c, x, axis)
    return {
      axis,
      step,
      cut: known ? cutAlong(axis, { start, end, step }, c.dims(x)[axis]!, c.dims(y)[axis]!) : undefined,
    }
  })
}

const sliceAxes: AxisRule = (a) => {
  const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
  for (const input of a.node.inputs.slice(1)) if (input) freezeAxes(a, input, 'holds bounds of slices')
  const cuts = writtenCutsOf(a)
  if (!cuts) {
    for (const value of [x, y]) freezeAxes(a, value, 'Slice computes its axes while the graph runs')
    return
  }
  for (const axis of a.dims(x).keys()) {
    const written = cuts.find((other) => other.axis === axis)
    const freeze = (reason: string) => {
      for (const value of [x, y]) a.freeze(at(value, axis), reason)
    }
    for (const value of [x, y]) a.join(at(value, axis), at(value, axis))
    if (!written) a.join(at(x, axis), at(y, axis))
    else if (!written.cut) freeze('Slice computes its bounds while the graph runs, or cuts an axis whose size varies')
    else if (Math.abs(written.step) > 1 && cuts.length > 1)
      freeze('Slice takes every k-th index, of several axes at once')
    else
      takes(written.cut).forEach((from, to) => {
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
  const fresh = writtenCutsOf(r)?.map(({ axis, cut }) => {
    if (!cut || !r.kept(at(x, axis))) return { axis, ...cut?.written, places: [], step: cut?.step }
    const [left, out] = [keptOf(r, x, axis), keptOf(r, y, axis)]
    const places = out.map((i) => placeIn(left, cut.start + i * cut.step))
    const step = places.length > 1 ? places[1]! - places[0]! : 1
    const end = (places.at(-1) ?? -1) + Math.sign(step)
    return { axis, places, start: places[0] ?? 0, step, end: end < 0 ? -left.length - 1 : end }
  })
  if (!fresh) return
  const odd = fresh.find(({ places, step }) => places.some((place, i) => place !== places[0]! + i * (step ?? 1)))
  if (odd) {
    r.node.opType = 'Gather'
    r.node.inputs.length = 2
    r.node.attributes = new Map([['axis', attribute(odd.axis)]])
    r.setConstant(1, int64([odd.places.length], odd.places))
    return
  }
  const changes = fresh.some(({ axis }) => r.kept(at(x, axis)))
  const lists = {
    starts: fresh.map(({ start }) => start),
    ends: fresh.map(({ end }) => end),
    axes: fresh.map(({ axis }) => axis),
    steps: fresh.map(({ step }) => step),
  }
  Object.entries(lists).forEach(([name, values], i) => {
    const position = i + 1
    if (name === 'steps' && values.every((step) => step === 1) && !hasInput(r.node, 4)) return
    if (hasInput(r.node, position) && !r.constant(inputOf(r.node, position)))
      r.setElements(position, new Map(values.flatMap((value, k) => (value === undefined ? [] : [[k, value] as const]))))
    else if (changes) {
      const numbers = values.map((value) => value ?? 0)
      if (r.opset < 10) r.node.attributes.set(name, attribute(numbers))
      else r.setConstant(position, int64([numbers.length], numbers))
    }
  })
}

/** Cutting a part out. */
export const slices = {
  Slice: {
    gradient: sliceGradient,
    axes: sliceAxes,
    macs: free,
    resize: resizeSlice,
    sizes: sliceSizes,
  },
} satisfies Record<string, Operator>
