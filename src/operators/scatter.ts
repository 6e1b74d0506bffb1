import { int64, numbersOf, sizeOf } from '../base/index.ts'
import { intOf, stringOf } from '../onnx/index.ts'
import { calculator } from './calculator.ts'
import {
  at,
  expand,
  filled,
  freezeAxes,
  frontAxis,
  gradOf,
  inputOf,
  joinAxes,
  outputOf,
  range,
  reshape,
  sum,
} from './helpers.ts'
import { keptOf } from './kept.ts'
import { axisOf, indices64, rankOf } from './rows.ts'
import { likeInput } from './sizes/elementwise.ts'
import { gatherNDSizes } from './sizes/layers.ts'
import {
  type AxisRule,
  free,
  type GradientContext,
  type GradientRule,
  type NodeContext,
  type Operator,
  type ResizeRule,
} from './types.ts'

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

/** The rows a ScatterND overwrites, each once, when they are constant. */
const rowsWritten = (c: NodeContext): number[] | undefined => {
  const indices = c.constant(inputOf(c.node, 1))
  if (indices?.dims.length !== 2 || indices.dims[1] !== 1) return undefined
  if (stringOf(c.node, 'reduction', 'none') !== 'none') return undefined
  const rows = numbersOf(indices).map((row) => frontAxis(row, c.dims(inputOf(c.node, 0))[0]!))
  return new Set(rows).size === rows.length ? rows : undefined
}

/** `x[2:5] = u` as exporters write it: rows of a constant list carry their indices along. */
const scatterNDAxes: AxisRule = (a) => {
  const rows = rowsWritten(a)
  if (!rows) return sliceAxes(a)
  const [x, indices, u, y] = [inputOf(a.node, 0), inputOf(a.node, 1), inputOf(a.node, 2), outputOf(a.node, 0)]
  joinAxes(a, x, y)
  joinAxes(a, u, y, range(1, a.dims(y).length))
  rows.forEach((row, k) => {
    a.joinAt({ ...at(u, 0), at: k }, { ...at(y, 0), at: row })
  })
  freezeAxes(a, indices, 'holds positions')
}

const resizeScatterND: ResizeRule = (r) => {
  const [x, u] = [inputOf(r.node, 0), inputOf(r.node, 2)]
  const [rows, kept] = [rowsWritten(r), r.kept(at(x, 0))]
  if (!rows || !kept) return
  const place = new Map(kept.map((row, i) => [row, i]))
  const left = keptOf(r, u, 0).map((k) => place.get(rows[k]!)!)
  r.setConstant(1, int64([left.length, 1], left))
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

/** Operators that read or write elements and slices by index. */
export const scatter = {
  GatherElements: { gradient: gatherElementsGradient, axes: elementAxes, macs: free, sizes: likeInput(1) },
  GatherND: { gradient: gatherNDGradient, axes: sliceAxes, macs: free, sizes: gatherNDSizes },
  ScatterElements: { gradient: scatterGradient(byElement), axes: elementAxes, macs: free, sizes: likeInput() },
  Scatter: { gradient: scatterGradient(byElement), axes: elementAxes, macs: free, sizes: likeInput() },
  ScatterND: {
    gradient: scatterGradient(bySlice),
    axes: scatterNDAxes,
    macs: free,
    resize: resizeScatterND,
    sizes: likeInput(),
  },
} satisfies Record<string, Operator>
