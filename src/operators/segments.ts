import { int64, numbersOf } from '../base/index.ts'
import { attribute, intOf, intsOf, stringOf } from '../onnx/index.ts'
import {
  at,
  filled,
  freezeAxes,
  frontAxis,
  gradOf,
  hasInput,
  inputOf,
  joinAxes,
  outputOf,
  padZeros,
  range,
  reshape,
  slice,
  split,
  sum,
  unsupported,
} from './helpers.ts'
import { runsOf, scatterRuns } from './runs.ts'
import {
  type AxisContext,
  type AxisRule,
  free,
  type GradientContext,
  type GradientRule,
  type NodeContext,
  type Operator,
  type ResizeContext,
  type ResizeRule,
} from './types.ts'

const others = (rank: number, axis: number) => range(0, rank).filter((other) => other !== axis)

/** Index i of one axis is index i + offset of the other, for `size` indices. */
const joinSegment = (a: AxisContext, part: string, whole: string, axis: number, offset: number): void => {
  for (const i of range(0, a.dims(part)[axis]!))
    a.joinAt({ ...at(part, axis), at: i }, { ...at(whole, axis), at: i + offset })
}

// Concat and Split

const concatAxis = (c: NodeContext) => frontAxis(intOf(c.node, 'axis', 1), c.dims(outputOf(c.node, 0)).length)

/** y = [x₁ … xₙ]: each input gets its own stretch of dy. */
const concatGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined) return []
  const axis = concatAxis(g)
  const sizes = g.node.inputs.map((x) => g.dims(x)[axis]!)
  const wanted = [...sizes.keys()].filter((i) => g.wants(i))
  if (wanted.length > 1) return split(g, dy, axis, sizes)
  return sizes.map((size, i) => {
    const start = sizes.slice(0, i).reduce((total, before) => total + before, 0)
    return g.wants(i) ? slice(g, dy, { axes: [axis], starts: [start], ends: [start + size] }) : undefined
  })
}

const concatAxes: AxisRule = (a) => {
  const y = outputOf(a.node, 0)
  const axis = concatAxis(a)
  let offset = 0
  for (const x of a.node.inputs) {
    joinAxes(a, x, y, others(a.dims(y).length, axis))
    joinSegment(a, x, y, axis, offset)
    offset += a.dims(x)[axis]!
  }
}

const splitAxis = (c: NodeContext) => frontAxis(intOf(c.node, 'axis', 0), c.dims(inputOf(c.node, 0)).length)

/** The pieces' gradients side by side; zeros for a piece the loss does not depend on. */
const splitGradient: GradientRule = (g) => {
  if (!g.wants(0) || g.grads.every((grad) => grad === undefined)) return []
  const x = inputOf(g.node, 0)
  const parts = g.node.outputs.map((y, i) => g.grads[i] ?? filled(g, x, g.dims(y), 0))
  return [parts.length === 1 ? parts[0]! : g.b.op('Concat', parts, { axis: splitAxis(g) })]
}

const splitAxes: AxisRule = (a) => {
  const x = inputOf(a.node, 0)
  const axis = splitAxis(a)
  if (hasInput(a.node, 1)) {
    freezeAxes(a, inputOf(a.node, 1), 'holds the sizes of pieces')
    if (!a.constant(inputOf(a.node, 1)))
      a.freeze(at(x, axis), 'Split computes the sizes of its pieces while the graph runs')
  }
  let offset = 0
  for (const y of a.node.outputs) {
    joinAxes(a, x, y, others(a.dims(x).length, axis))
    joinSegment(a, y, x, axis, offset)
    offset += a.dims(y)[axis]!
  }
}

/** Writes the pieces' new sizes: an input from opset 13, an attribute before; an equal split becomes an explicit one. */
const resizeSplit: ResizeRule = (r) => {
  const axis = splitAxis(r)
  if (!r.kept(at(inputOf(r.node, 0), axis))) return
  const sizes = r.node.outputs.map((y) => keptOf(r, y, axis).length)
  if (r.opset < 13) r.node.attributes.set('split', attribute(sizes))
  else {
    r.node.attributes.delete('num_outputs')
    r.setConstant(1, int64([sizes.length], sizes))
  }
}

/** The kept indices of an axis, all of them when none was removed. */
const keptOf = (r: ResizeContext, value: string, axis: number): readonly number[] =>
  r.kept(at(value, axis)) ?? range(0, r.dims(value)[axis]!)

// Slice

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

// Pad

type Pads = { readonly before: number[]; readonly after: number[] }

/** Pads of every axis: an input from opset 11 (with `axes` from 18), an attribute before. Undefined when not constant. */
const padsOf = (c: NodeContext): Pads | undefined => {
  const rank = c.dims(inputOf(c.node, 0)).length
  const read = (position: number): number[] | undefined => {
    const tensor = c.constant(inputOf(c.node, position))
    return tensor && numbersOf(tensor)
  }
  const pads = hasInput(c.node, 1) ? read(1) : intsOf(c.node, 'pads', [])
  const axes = hasInput(c.node, 3) ? read(3)?.map((axis) => frontAxis(axis, rank)) : range(0, rank)
  if (!pads || !axes) return undefined
  const before = range(0, rank).map((axis) => pads[axes.indexOf(axis)] ?? 0)
  const after = range(0, rank).map((axis) => (axes.includes(axis) ? pads[axes.indexOf(axis) + axes.length]! : 0))
  return { before, after }
}

/**
 * Which input each output of a padded axis shows. Negative pads crop the input first; ONNX Runtime then repeats what is left
 * of it.
 */
const padMap = (mode: string, size: number, before: number, after: number): number[] => {
  const first = Math.max(-before, 0)
  const left = size - first - Math.max(-after, 0)
  const period = mode === 'reflect' ? Math.max(2 * (left - 1), 1) : left
  return range(-Math.max(before, 0), left + Math.max(after, 0)).map((i) => {
    if (mode === 'edge') return first + Math.min(Math.max(i, 0), left - 1)
    const place = ((i % period) + period) % period
    return first + (place < left ? place : period - place)
  })
}

/** Each input gets the sum of the outputs that show it; the constant what is left. */
const padGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  const pads = padsOf(g)
  if (dy === undefined) return []
  const mode = stringOf(g.node, 'mode', 'constant')
  if (!pads) {
    if (mode !== 'constant' || hasInput(g.node, 3) || g.wants(2))
      throw unsupported(g.node, 'its pads are computed while the graph runs', 'make them a constant')
    return [g.b.op('Pad', [dy, g.b.op('Neg', [inputOf(g.node, 1)])])]
  }
  const [x, y] = [g.dims(inputOf(g.node, 0)), g.dims(outputOf(g.node, 0))]
  const dims = [...y]
  let grad = dy
  if (mode === 'constant')
    grad = padZeros(
      g,
      dy,
      pads.before.map((n) => -n),
      pads.after.map((n) => -n),
    )
  else
    for (const axis of x.keys()) {
      if (pads.before[axis] === 0 && pads.after[axis] === 0) continue
      const runs = runsOf(padMap(mode, x[axis]!, pads.before[axis]!, pads.after[axis]!))
      grad = scatterRuns(g, grad, dims, axis, runs, x[axis]!)
      dims[axis] = x[axis]!
    }
  const fill = () => g.b.op('Sub', [sum(g, dy, [...y.keys()]), sum(g, grad, [...x.keys()])])
  return [grad, undefined, mode === 'constant' && g.wants(2) ? fill() : undefined]
}

/** Padding with a constant is a segment among constants; the other modes show inputs several times over. */
const padAxes: AxisRule = (a) => {
  const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
  for (const input of [a.node.inputs[1], a.node.inputs[3]]) if (input) freezeAxes(a, input, 'holds pads')
  const pads = padsOf(a)
  const mode = stringOf(a.node, 'mode', 'constant')
  for (const axis of a.dims(x).keys()) {
    const [before, after] = [pads?.before[axis], pads?.after[axis]]
    if (before === undefined)
      for (const value of [x, y]) a.freeze(at(value, axis), 'Pad computes its pads while the graph runs')
    else if (before === 0 && after === 0) a.join(at(x, axis), at(y, axis))
    else if (mode !== 'constant')
      for (const value of [x, y]) a.freeze(at(value, axis), `Pad repeats indices of the axis (${mode})`)
    else
      for (const i of range(0, a.dims(y)[axis]!))
        if (i >= before && i - before < a.dims(x)[axis]!)
          a.joinAt({ ...at(x, axis), at: i - before }, { ...at(y, axis), at: i })
  }
}

/** Padded places may go with the units they are joined to; a negative pad cuts off what is left of what it cut. */
const resizePad: ResizeRule = (r) => {
  const [x, y] = [inputOf(r.node, 0), outputOf(r.node, 0)]
  const pads = padsOf(r)
  const rank = r.dims(x).length
  if (!pads || !range(0, rank).some((axis) => r.kept(at(x, axis)) ?? r.kept(at(y, axis)))) return
  const left = (axis: number, side: 'before' | 'after') => {
    const pad = pads[side][axis]!
    const value = pad < 0 ? x : y
    const size = r.dims(value)[axis]!
    const within = (i: number) => (side === 'before' ? i < Math.abs(pad) : i >= size - Math.abs(pad))
    return Math.sign(pad) * keptOf(r, value, axis).filter(within).length
  }
  const sides = (['before', 'after'] as const).flatMap((side) => range(0, rank).map((axis) => left(axis, side)))
  if (r.opset < 11) r.node.attributes.set('pads', attribute(sides))
  else {
    if (hasInput(r.node, 3)) r.node.inputs.length = 3
    r.setConstant(1, int64([sides.length], sides))
  }
}

/** Operators that cut values apart and put them together. */
export const segments = {
  Concat: { gradient: concatGradient, axes: concatAxes, macs: free },
  Split: { gradient: splitGradient, axes: splitAxes, macs: free, resize: resizeSplit },
  Slice: { gradient: sliceGradient, axes: sliceAxes, macs: free, resize: resizeSlice },
  Pad: { gradient: padGradient, axes: padAxes, macs: free, resize: resizePad },
} satisfies Record<string, Operator>
