import { int64, numbersOf, sizeOf } from '../base/index.ts'
import { intOf, stringOf } from '../onnx/index.ts'
import { type Calculator, calculator } from './calculator.ts'
import {
  at,
  expand,
  filled,
  freezeAxes,
  frontAxis,
  gradOf,
  inputOf,
  outputOf,
  range,
  reshape,
  sum,
  tensorLike,
} from './helpers.ts'
import { runsOf, scatterRuns } from './runs.ts'
import {
  type AxisRule,
  free,
  type GradientContext,
  type GradientRule,
  type NodeContext,
  type Operator,
  type ResizeRule,
  stops,
} from './types.ts'

const rankOf = (c: NodeContext) => c.dims(inputOf(c.node, 0)).length

const axisOf = (c: NodeContext, absent = 0) => frontAxis(intOf(c.node, 'axis', absent), rankOf(c))

// Gather

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

/**
 * Zeros of shape `dims` with slices of `dy` added along `axis` where `indices` say. ScatterND would want no copies of the
 * indices, but where several updates meet ONNX Runtime 1.30 loses some of them as soon as it has two threads.
 */
const scatterRows = (
  g: GradientContext,
  like: string,
  dims: readonly number[],
  axis: number,
  indices: string,
  dy: string,
  count: number,
): string => {
  const column = dims.map((_, i) => (i === axis ? count : 1))
  const places = expand(
    g,
    reshape(g, indices, column),
    dims.map((dim, i) => (i === axis ? count : dim)),
  )
  return g.b.op('ScatterElements', [filled(g, like, dims, 0), places, dy], { axis, reduction: 'add' })
}

/** Indices as int64, which every scattering operator takes. */
const indices64 = (g: GradientContext, indices: string): string =>
  g.type(indices) === 'int64' ? indices : g.b.op('Cast', [indices], { to: 7 })

/** Constant picks carry their indices along; a single index or indices known only at run time need the axis whole. */
const gatherAxes: AxisRule = (a) => {
  const [x, indices, y] = [inputOf(a.node, 0), inputOf(a.node, 1), outputOf(a.node, 0)]
  const axis = axisOf(a)
  const added = a.dims(indices).length
  const picks = picksOf(a)
  for (const i of range(0, axis)) a.join(at(x, i), at(y, i))
  for (const i of range(axis + 1, rankOf(a))) a.join(at(x, i), at(y, i + added - 1))
  if (picks && added === 1) {
    freezeAxes(a, indices, 'holds positions')
    picks.forEach((from, to) => {
      a.joinAt({ ...at(x, axis), at: from }, { ...at(y, axis), at: to })
    })
    return
  }
  a.freeze(
    at(x, axis),
    picks ? 'Gather picks single indices of the axis' : 'Gather picks indices computed while the graph runs',
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

// Elements and slices by index

/** y[i][j] = x[idx[i][j]][j] along axis 0, and so on. */
const gatherElementsGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const x = inputOf(g.node, 0)
  const inputs = [filled(g, x, g.dims(x), 0), inputOf(g.node, 1), dy]
  return [g.b.op('ScatterElements', inputs, { axis: axisOf(g), reduction: 'add' })]
}

/** Axes of equal size in data and indices pass; the indexed one and those only partly read are frozen. */
const elementAxes: AxisRule = (a) => {
  const x = inputOf(a.node, 0)
  const along = axisOf(a)
  const values = [...a.node.inputs, ...a.node.outputs].filter((value) => value !== '')
  for (const axis of range(0, rankOf(a))) {
    const passes = axis !== along && values.every((value) => a.dims(value)[axis] === a.dims(x)[axis])
    for (const value of values)
      if (passes) a.join(at(x, axis), at(value, axis))
      else a.freeze(at(value, axis), `${a.node.opType} reads the axis by index`)
  }
}

/** The slices a GatherND or ScatterND names by index: seen as rows of a matrix, in row-major order. */
type Rows = {
  /** How many there are, and how many elements each has. */
  readonly matrix: readonly [number, number]
  /** How many are named. */
  readonly count: number
  /** The number of each named row, [count]. */
  numbers(): string
}

const rowsOf = (g: GradientContext): Rows => {
  const indices = inputOf(g.node, 1)
  const dims = g.dims(inputOf(g.node, 0))
  const named = g.dims(indices).slice(0, -1)
  const [batch, depth] = [intOf(g.node, 'batch_dims', 0), g.dims(indices).at(-1)!]
  const steps = range(0, batch + depth).map((axis) => sizeOf(dims.slice(axis + 1, batch + depth)))
  const row = (values: readonly number[]) => g.b.constant(int64([values.length], values))
  return {
    matrix: [sizeOf(dims.slice(0, batch + depth)), sizeOf(dims.slice(batch + depth))],
    count: sizeOf(named),
    numbers() {
      // Mod by the size makes negative indices count from the end.
      const front = g.b.op('Mod', [indices64(g, indices), row(dims.slice(batch, batch + depth))])
      const own = sum(g, g.b.op('Mul', [front, row(steps.slice(batch))]), [named.length])
      if (batch === 0) return reshape(g, own, [-1])
      // The batch axes of the indices say which batch a row lies in.
      const starts = range(0, sizeOf(named)).map((n) => Math.floor(n / sizeOf(named.slice(batch))) * steps[batch - 1]!)
      return g.b.op('Add', [reshape(g, own, [-1]), row(starts)])
    },
  }
}

/** Rows of `values` combined into those of `into` by ScatterElements, which is right where updates meet. */
const scatterInto = (g: GradientContext, into: string, values: string, rows: Rows, reduction: string): string => {
  const dims = g.dims(inputOf(g.node, 0))
  const shape = [rows.count, rows.matrix[1]]
  const places = expand(g, reshape(g, rows.numbers(), [rows.count, 1]), shape)
  const inputs = [reshape(g, into, rows.matrix), places, reshape(g, values, shape)]
  return reshape(g, g.b.op('ScatterElements', inputs, { axis: 0, reduction }), dims)
}

const gatherNDGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const x = inputOf(g.node, 0)
  return [scatterInto(g, filled(g, x, g.dims(x), 0), dy, rowsOf(g), 'add')]
}

/** The axes behind the indexed ones are copied whole and pass. */
const sliceAxes: AxisRule = (a) => {
  const [x, indices, y] = [inputOf(a.node, 0), inputOf(a.node, 1), outputOf(a.node, 0)]
  const [rank, depth] = [rankOf(a), intOf(a.node, 'batch_dims', 0) + a.dims(indices).at(-1)!]
  const reason = `${a.node.opType} reads the axis by index`
  freezeAxes(a, indices, 'holds positions')
  for (const value of [x, y, ...a.node.inputs.slice(2)]) {
    const behind = a.dims(value).length - (rank - depth)
    freezeAxes(a, value, reason, range(0, behind))
    for (const i of range(0, rank - depth)) a.join(at(x, depth + i), at(value, behind + i))
  }
}

/** How a scattering operator meets its data: reads back and writes in the same manner. */
type Scatter = {
  /** Values at the indices. */
  read(value: string): string
  /** `into` with values written at the indices. */
  write(into: string, values: string, reduction?: 'add' | 'mul'): string
}

/**
 * y is the data with updates u at the indices. 'none': the overwritten data gets nothing, u what arrives at its place. 'add':
 * both get dy. 'mul': y = x·Πu, so ∂L/∂x = dy·Πu and ∂L/∂u = dy·y/u. 'max' and 'min': whoever equals y, shared among ties.
 */
const scatterGradient =
  (scatter: (g: GradientContext) => Scatter): GradientRule =>
  (g) => {
    const dy = gradOf(g)
    if (dy === undefined) return []
    const [x, u, y] = [inputOf(g.node, 0), inputOf(g.node, 2), outputOf(g.node, 0)]
    const { read, write } = scatter(g)
    const c = calculator(g, x)
    const zeros = () => filled(g, x, g.dims(u), 0)
    switch (stringOf(g.node, 'reduction', 'none')) {
      case 'none':
        return [g.wants(0) ? write(dy, zeros()) : undefined, undefined, g.wants(2) ? read(dy) : undefined]
      case 'add':
        return [dy, undefined, g.wants(2) ? read(dy) : undefined]
      case 'mul': {
        const factors = () => write(filled(g, x, g.dims(x), 1), u, 'mul')
        const others = () => c.div(read(c.mul(dy, y)), u)
        return [g.wants(0) ? c.mul(dy, factors()) : undefined, undefined, g.wants(2) ? others() : undefined]
      }
      default: {
        const [own, written] = [c.indicator(c.equal(x, y)), c.indicator(c.equal(u, read(y)))]
        const share = c.div(dy, c.max(write(own, written, 'add'), 1))
        return [c.mul(share, own), undefined, g.wants(2) ? c.mul(read(share), written) : undefined]
      }
    }
  }

const byElement = (g: GradientContext): Scatter => {
  const indices = inputOf(g.node, 1)
  const axis = axisOf(g)
  return {
    read: (value) => g.b.op('GatherElements', [value, indices], { axis }),
    write: (into, values, reduction = undefined) =>
      g.b.op('ScatterElements', [into, indices, values], { axis, ...(reduction && { reduction }) }),
  }
}

const bySlice = (g: GradientContext): Scatter => {
  const indices = inputOf(g.node, 1)
  return {
    read: (value) => g.b.op('GatherND', [value, indices]),
    write: (into, values, reduction = undefined) =>
      reduction ? scatterInto(g, into, values, rowsOf(g), reduction) : g.b.op('ScatterND', [into, indices, values]),
  }
}

// Selections

/** The k largest or smallest of the axis: their gradients go back where the second output says they came from. */
const topKGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const x = inputOf(g.node, 0)
  const inputs = [filled(g, x, g.dims(x), 0), outputOf(g.node, 1), dy]
  return [g.b.op('ScatterElements', inputs, { axis: axisOf(g, -1) })]
}

const topKAxes: AxisRule = (a) => {
  const x = inputOf(a.node, 0)
  if (a.node.inputs[1]) freezeAxes(a, inputOf(a.node, 1), 'holds a count')
  for (const y of a.node.outputs)
    for (const axis of range(0, rankOf(a)))
      if (axis !== axisOf(a, -1)) a.join(at(x, axis), at(y, axis))
      else for (const value of [x, y]) a.freeze(at(value, axis), 'TopK compares all indices of the axis')
}

/** The picked rows, of the flattened input when no axis is named. */
const compressGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const [x, condition, y] = [inputOf(g.node, 0), inputOf(g.node, 1), outputOf(g.node, 0)]
  const dims = g.dims(x)
  const picks = g.b.op('NonZero', [condition])
  if (g.node.attributes.has('axis')) {
    const axis = axisOf(g)
    return [scatterRows(g, x, dims, axis, reshape(g, picks, [-1]), dy, g.dims(y)[axis]!)]
  }
  const size = sizeOf(dims)
  return [reshape(g, scatterRows(g, x, [size], 0, reshape(g, picks, [-1]), dy, g.dims(y)[0]!), dims)]
}

const compressAxes: AxisRule = (a) => {
  const [x, condition, y] = [inputOf(a.node, 0), inputOf(a.node, 1), outputOf(a.node, 0)]
  const along = a.node.attributes.has('axis') ? axisOf(a) : undefined
  freezeAxes(a, condition, 'says which positions are picked')
  for (const axis of range(0, rankOf(a)))
    if (along !== undefined && axis !== along) a.join(at(x, axis), at(y, axis))
    else a.freeze(at(x, axis), 'Compress picks indices of the axis')
  a.freeze(at(y, along ?? 0), 'Compress picks indices of the axis')
}

/** y = off + onehot·(on − off): ∂L/∂[off, on] = [Σ dy·(1 − onehot), Σ dy·onehot]. */
const oneHotGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(2)) return []
  const [indices, depth, values] = [inputOf(g.node, 0), inputOf(g.node, 1), inputOf(g.node, 2)]
  const dims = g.dims(outputOf(g.node, 0))
  const all = range(0, dims.length)
  const c: Calculator = calculator(g, values)
  const offOn = g.b.constant(tensorLike('float32', [2], [0, 1]))
  const hot = g.b.op('OneHot', [indices, depth, offOn], { axis: intOf(g.node, 'axis', -1) })
  const on = sum(g, c.mul(dy, g.b.op('CastLike', [hot, values])), all)
  const parts = [c.sub(sum(g, dy, all), on), on].map((part) => reshape(g, part, [1]))
  return [undefined, undefined, g.b.op('Concat', parts, { axis: 0 })]
}

/** Values that come from indices or become them: nothing of them may be renumbered. */
const wholeAxes: AxisRule = (a) => {
  for (const value of [...a.node.inputs, ...a.node.outputs])
    if (value) freezeAxes(a, value, `${a.node.opType} counts positions along the axis`)
}

/** Operators that read or write by index. */
export const indexing = {
  Gather: { gradient: gatherGradient, axes: gatherAxes, macs: free, resize: resizeGather },
  GatherElements: { gradient: gatherElementsGradient, axes: elementAxes, macs: free },
  GatherND: { gradient: gatherNDGradient, axes: sliceAxes, macs: free },
  ScatterElements: { gradient: scatterGradient(byElement), axes: elementAxes, macs: free },
  Scatter: { gradient: scatterGradient(byElement), axes: elementAxes, macs: free },
  ScatterND: { gradient: scatterGradient(bySlice), axes: sliceAxes, macs: free },
  TopK: { gradient: topKGradient, axes: topKAxes, macs: free },
  Compress: { gradient: compressGradient, axes: compressAxes, macs: free },
  OneHot: { gradient: oneHotGradient, axes: wholeAxes, macs: free },
  NonZero: { gradient: stops, axes: wholeAxes, macs: free },
  Unique: { gradient: stops, axes: wholeAxes, macs: free },
  NonMaxSuppression: { gradient: stops, axes: wholeAxes, macs: free },
} satisfies Record<string, Operator>
