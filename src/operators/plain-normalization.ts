import { sizeOf } from '../base/index.ts'
import { floatOf, intOf, intsOf } from '../onnx/index.ts'
import {
  at,
  freezeAxes,
  frontAxis,
  gradOf,
  inputOf,
  joinAxes,
  outputOf,
  padZeros,
  range,
  reshape,
  scalarLike,
  scaled,
  slice,
  sum,
  transpose,
} from './helpers.ts'
import { likeInput } from './sizes/elementwise.ts'
import { standardize, standardizedGradient } from './standardize.ts'
import { free, type GradientContext, type NodeContext, type Operator } from './types.ts'

/** sign(x) for p = 1; x/‖x‖ for p = 2: the direction in which the norm grows. */
const lpGradient = (g: GradientContext): readonly (string | undefined)[] => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const [x, y] = [inputOf(g.node, 0), outputOf(g.node, 0)]
  const axis = frontAxis(intOf(g.node, 'axis', -1), g.dims(x).length)
  const p = intOf(g.node, 'p', 2)
  const along = sum(g, g.b.op('Mul', [dy, y]), [axis], true)
  const norm =
    p === 1 ? sum(g, g.b.op('Abs', [x]), [axis], true) : g.b.op('Sqrt', [sum(g, g.b.op('Mul', [x, x]), [axis], true)])
  const growth = p === 1 ? g.b.op('Sign', [x]) : y
  const rest = g.b.op('Sub', [dy, g.b.op('Mul', [growth, along])])
  // Rows of zeros have no direction: the engine leaves them 0, and so is their gradient.
  const zero = scalarLike(g, x, 0)
  const safe = g.b.op('Max', [norm, scalarLike(g, x, 1e-30)])
  return [g.b.op('Where', [g.b.op('Equal', [norm, zero]), zero, g.b.op('Div', [rest, safe])])]
}

/** Σ over a window of channels reaching `before` and `after` each. */
const channelSums = (g: GradientContext, x: string, dims: readonly number[], before: number, after: number): string => {
  const side = (n: number) => dims.map((_, axis) => (axis === 1 ? n : 0))
  const padded = padZeros(g, x, side(before), side(after))
  const shifts = range(0, before + after + 1).map((shift) =>
    slice(g, padded, { axes: [1], starts: [shift], ends: [shift + dims[1]!] }),
  )
  return shifts.length === 1 ? shifts[0]! : g.b.op('Sum', shifts)
}

const localResponseGradient = (g: GradientContext): readonly (string | undefined)[] => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const x = inputOf(g.node, 0)
  const dims = g.dims(x)
  const size = intOf(g.node, 'size', 1)
  const [alpha, beta, bias] = [
    floatOf(g.node, 'alpha', 1e-4),
    floatOf(g.node, 'beta', 0.75),
    floatOf(g.node, 'bias', 1),
  ]
  const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)]
  const squares = channelSums(g, g.b.op('Mul', [x, x]), dims, before, after)
  const d = g.b.op('Add', [scaled(g, x, squares, alpha / size), scalarLike(g, x, bias)])
  const direct = g.b.op('Mul', [dy, g.b.op('Pow', [d, scalarLike(g, x, -beta)])])
  const inner = g.b.op('Div', [g.b.op('Mul', [direct, x]), d])
  const indirect = g.b.op('Mul', [x, channelSums(g, inner, dims, after, before)])
  return [g.b.op('Sub', [direct, scaled(g, x, indirect, (2 * alpha * beta) / size)])]
}

/** The axes a MeanVarianceNormalization standardizes over, and a permutation that brings them to the back. */
const varianceRows = (c: NodeContext) => {
  const dims = c.dims(inputOf(c.node, 0))
  const over = intsOf(c.node, 'axes', [0, 2, 3]).map((axis) => frontAxis(axis, dims.length))
  const kept = range(0, dims.length).filter((axis) => !over.includes(axis))
  const size = (axes: readonly number[]) => sizeOf(axes.map((axis) => dims[axis]!))
  return { over, perm: [...kept, ...over], rows: size(kept), columns: size(over) }
}

/** Normalizations that have no parameters. */
export const plainNormalization = {
  LpNormalization: {
    // y = x/‖x‖_p  ⇒  ∂L/∂x = (dy − ∂‖x‖/∂x · Σ dy·y) / ‖x‖: scaling x changes nothing.
    gradient: lpGradient,
    axes: (a) => {
      const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
      joinAxes(a, x, y)
      a.approximate(at(x, intOf(a.node, 'axis', -1)), 'the norm changes unless the removed values are 0')
    },
    macs: free,
    sizes: likeInput(),
  },

  MeanVarianceNormalization: {
    // Standardization over any set of axes: bring them to the back and they are rows.
    gradient: (g) => {
      const dy = gradOf(g)
      if (dy === undefined || !g.wants(0)) return []
      const x = inputOf(g.node, 0)
      const dims = g.dims(x)
      const { perm, rows, columns } = varianceRows(g)
      const turn = (value: string) => reshape(g, transpose(g, value, perm), [rows, columns])
      // The operator divides by σ + 10⁻⁹, the same as √(σ² + 10⁻¹⁸) to rounding.
      const stats = standardize(g, x, turn(x), { rows, columns }, 1e-18)
      const found = standardizedGradient(g, x, turn(dy), stats, true)
      const back = dims.map((_, axis) => perm.indexOf(axis))
      return [
        transpose(
          g,
          reshape(
            g,
            found,
            perm.map((axis) => dims[axis]!),
          ),
          back,
        ),
      ]
    },
    axes: (a) => {
      const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
      const { over } = varianceRows(a)
      joinAxes(
        a,
        x,
        y,
        range(0, a.dims(x).length).filter((axis) => !over.includes(axis)),
      )
      for (const value of [x, y]) freezeAxes(a, value, 'its statistics are taken over this axis', over)
    },
    macs: free,
    sizes: likeInput(),
  },

  LRN: {
    // y = x·d^(−β), d = κ + α/n Σ_window x²  (Krizhevsky 2012, §3.3)  ⇒
    // ∂L/∂x = dy·d^(−β) − (2αβ/n) · x · Σ_{windows with x} dy·x·d^(−β−1): the mirrored window.
    gradient: localResponseGradient,
    axes: (a) => {
      const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
      joinAxes(
        a,
        x,
        y,
        range(0, a.dims(x).length).filter((axis) => axis !== 1),
      )
      for (const value of [x, y]) a.freeze(at(value, 1), 'LRN reads neighbouring channels')
    },
    macs: free,
    sizes: likeInput(),
  },
} satisfies Record<string, Operator>
