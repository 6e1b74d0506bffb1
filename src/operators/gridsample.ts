import { sizeOf } from '../base/index.ts'
import { intOf, stringOf } from '../onnx/index.ts'
import { type Calculator, calculator } from './calculator.ts'
import {
  at,
  concat,
  expand,
  filled,
  freezeAxes,
  gradOf,
  inputOf,
  outputOf,
  range,
  reshape,
  slice,
  sum,
} from './helpers.ts'
import { type AxisRule, free, type GradientContext, type GradientRule, type Operator } from './types.ts'

/** One of the inputs an output is made of, along one axis; every value is [N, P], one for each of P outputs. */
type Tap = {
  /** Which input, as a real number within the axis. */
  readonly index: string
  readonly weight: string
  /** ∂weight/∂coordinate; undefined where it is 0. */
  readonly slope: string | undefined
}

/** How a sampler reads one axis of `size` inputs. */
type Axis = { readonly size: number; readonly mode: string; readonly padding: string; readonly aligned: boolean }

/** Grid values run from −1 to 1: over the centres of the outermost inputs when aligned, else over their edges. */
const place = (c: Calculator, grid: string, { size, aligned }: Axis): string =>
  aligned ? c.mul(c.add(grid, 1), (size - 1) / 2) : c.sub(c.mul(c.add(grid, 1), size / 2), 0.5)

/** Mirrors what lies outside at the axis's ends: a triangle wave. */
const mirrored = (c: Calculator, x: string, { size, aligned }: Axis): { value: string; rising: string } => {
  const [low, span] = aligned ? [0, size - 1] : [-0.5, size]
  const shifted = c.sub(x, low)
  const turn = c.sub(shifted, c.mul(c.floor(c.mul(shifted, 1 / (2 * span))), 2 * span))
  return { value: c.add(c.min(turn, c.sub(2 * span, turn)), low), rising: c.less(turn, span) }
}

/** The coordinate brought into the axis, and ∂(brought in)/∂coordinate where that is not 1 everywhere. */
const broughtIn = (c: Calculator, x: string, axis: Axis): { x: string; slope: string | undefined } => {
  // A cubic reads so far around that each input it reads is brought in by itself.
  if (axis.mode === 'cubic' || axis.padding === 'zeros') return { x, slope: undefined }
  if (axis.padding === 'border') {
    const clipped = c.min(c.max(x, 0), axis.size - 1)
    return { x: clipped, slope: c.indicator(c.equal(clipped, x)) }
  }
  const { value, rising } = mirrored(c, x, axis)
  return { x: value, slope: c.where(rising, 1, -1) }
}

/** The tap's index within the axis; what padding with zeros reads has no weight. */
const within = (c: Calculator, tap: Tap, axis: Axis): Tap => {
  const index = c.min(
    c.max(axis.padding === 'reflection' ? mirrored(c, tap.index, axis).value : tap.index, 0),
    axis.size - 1,
  )
  if (axis.padding !== 'zeros') return { ...tap, index }
  const inside = c.indicator(c.equal(index, tap.index))
  return { index, weight: c.mul(tap.weight, inside), slope: tap.slope && c.mul(tap.slope, inside) }
}

/** Cubic convolution (Keys 1981) with a = −3/4: the weight of an input at distance d, and its derivative by d. */
const a = -0.75
const near = (c: Calculator, d: string) => ({
  weight: c.add(c.mul(c.square(d), c.sub(c.mul(d, a + 2), a + 3)), 1),
  slope: c.mul(d, c.sub(c.mul(d, 3 * (a + 2)), 2 * (a + 3))),
})
const far = (c: Calculator, d: string) => ({
  weight: c.mul(c.sub(c.mul(d, c.add(c.mul(d, c.sub(d, 5)), 8)), 4), a),
  slope: c.mul(c.add(c.mul(d, c.sub(c.mul(d, 3), 10)), 8), a),
})

const tapsOf = (g: GradientContext, c: Calculator, x: string, axis: Axis): Tap[] => {
  if (axis.mode === 'nearest') {
    const index = g.b.op('Round', [x])
    return [{ index, weight: c.add(c.mul(x, 0), 1), slope: undefined }]
  }
  const first = c.floor(x)
  const f = c.sub(x, first)
  if (axis.mode === 'linear') {
    const one = c.add(c.mul(f, 0), 1)
    return [
      { index: first, weight: c.sub(1, f), slope: c.neg(one) },
      { index: c.add(first, 1), weight: f, slope: one },
    ]
  }
  const backwards = (tap: { weight: string; slope: string }) => ({ ...tap, slope: c.neg(tap.slope) })
  return [
    { index: c.sub(first, 1), ...far(c, c.add(f, 1)) },
    { index: first, ...near(c, f) },
    { index: c.add(first, 1), ...backwards(near(c, c.sub(1, f))) },
    { index: c.add(first, 2), ...backwards(far(c, c.sub(2, f))) },
  ]
}

/**
 * y[n, c, p] = Σ over taps of w·X[n, c, tap], the weights products of one per axis, functions of the grid (Jaderberg et al.
 * 2015). ∂L/∂X adds w·dy at the taps; ∂L/∂grid is Σ ∂w/∂grid·Σ_c X[tap]·dy.
 */
const gridSampleGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined) return []
  const [x, grid] = [inputOf(g.node, 0), inputOf(g.node, 1)]
  const c = calculator(g, x)
  const [n, channels, sizes] = [g.dims(x)[0]!, g.dims(x)[1]!, g.dims(x).slice(2)]
  const points = sizeOf(g.dims(outputOf(g.node, 0)).slice(2))
  const mode = stringOf(g.node, 'mode', 'linear').replace('bi', '')
  const padding = stringOf(g.node, 'padding_mode', 'zeros')
  const aligned = intOf(g.node, 'align_corners', 0) !== 0

  // The grid's last axis counts x first: the last axis of X.
  const flatGrid = reshape(g, grid, [n, points, sizes.length])
  const axes = sizes.map((size, i) => {
    const axis: Axis = { size, mode, padding, aligned }
    const column = sizes.length - 1 - i
    const own = slice(g, flatGrid, { axes: [2], starts: [column], ends: [column + 1] })
    const inside = broughtIn(c, place(c, reshape(g, own, [n, points]), axis), axis)
    const taps = tapsOf(g, c, inside.x, axis).map((tap) => within(c, tap, axis))
    return { taps, slope: inside.slope, perGrid: (aligned ? size - 1 : size) / 2 }
  })
  const combinations = axes.reduce<Tap[][]>(
    (all, { taps }) => all.flatMap((some) => taps.map((tap) => [...some, tap])),
    [[]],
  )

  const product = (factors: readonly string[]) => factors.reduce((left, right) => c.mul(left, right))
  const flatDy = reshape(g, dy, [n, channels, points])
  const places = combinations.map((taps) => {
    const steps = taps.map(({ index }, i) => c.mul(index, sizeOf(sizes.slice(i + 1))))
    const numbers = g.b.op('Cast', [steps.reduce((left, right) => c.add(left, right))], { to: 7 })
    return expand(g, reshape(g, numbers, [n, 1, points]), [n, channels, points])
  })

  const toX = () => {
    const values = combinations.map((taps) =>
      c.mul(flatDy, reshape(g, product(taps.map(({ weight }) => weight)), [n, 1, points])),
    )
    const empty = filled(g, x, [n, channels, sizeOf(sizes)], 0)
    const inputs = [empty, concat(g, places, 2), concat(g, values, 2)]
    return reshape(g, g.b.op('ScatterElements', inputs, { axis: 2, reduction: 'add' }), g.dims(x))
  }
  const toGrid = () => {
    const flatX = reshape(g, x, [n, channels, sizeOf(sizes)])
    const reads = places.map((where) =>
      sum(g, c.mul(g.b.op('GatherElements', [flatX, where], { axis: 2 }), flatDy), [1]),
    )
    const columns = axes.map(({ slope, perGrid }, i) => {
      const terms = combinations.flatMap((taps, k) => {
        const own = taps[i]!.slope
        const others = taps.flatMap(({ weight }, j) => (j === i ? [] : [weight]))
        return own === undefined ? [] : [product([reads[k]!, own, ...others])]
      })
      const total = terms.length === 0 ? filled(g, x, [n, points], 0) : g.b.op('Sum', terms)
      return reshape(g, c.mul(slope === undefined ? total : c.mul(total, slope), perGrid), [n, points, 1])
    })
    return reshape(g, concat(g, columns.reverse(), 2), g.dims(grid))
  }
  return [g.wants(0) ? toX() : undefined, g.wants(1) ? toGrid() : undefined]
}

const gridSampleAxes: AxisRule = (a) => {
  const [x, grid, y] = [inputOf(a.node, 0), inputOf(a.node, 1), outputOf(a.node, 0)]
  for (const value of [x, grid]) a.join(at(value, 0), at(y, 0))
  a.join(at(x, 1), at(y, 1))
  for (const value of [x, y])
    freezeAxes(a, value, 'GridSample reads positions by coordinate', range(2, a.dims(value).length))
  freezeAxes(a, grid, 'holds coordinates', range(1, a.dims(grid).length))
}

/** Sampling at computed coordinates. */
export const gridSample = {
  GridSample: { gradient: gridSampleGradient, axes: gridSampleAxes, macs: free },
} satisfies Record<string, Operator>
