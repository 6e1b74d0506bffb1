import { float32, int64, numbersOf } from '../base/index.ts'
import { type AttributeInput, intsOf, stringOf } from '../onnx/index.ts'
import {
  at,
  elementsOf,
  freezeAxes,
  frontAxis,
  gradOf,
  hasInput,
  inputOf,
  outputOf,
  range,
  reshape,
  sizesOf,
  sum,
  tensorLike,
  unsupported,
  varies,
} from './helpers.ts'
import { newSize } from './kept.ts'
import { isFixed, type Size, sameSize } from './sizes/index.ts'
import { resampleSizes } from './sizes/layers.ts'
import {
  type AxisRule,
  free,
  type GradientContext,
  type GradientRule,
  type NodeContext,
  type Operator,
  type ResizeRule,
} from './types.ts'

/** Where Resize keeps its inputs: opset 10 had X and scales only, Upsample has them so too. */
const positions = (c: NodeContext) =>
  c.node.opType === 'Upsample' || c.opset < 11 ? { roi: -1, scales: 1, sizes: -1 } : { roi: 1, scales: 2, sizes: 3 }

/** An input's numbers when it is a constant that is there; an empty tensor stands for an absent one. */
const numbersAt = (c: NodeContext, position: number): number[] | undefined => {
  const tensor = position >= 0 && hasInput(c.node, position) ? c.constant(inputOf(c.node, position)) : undefined
  return tensor && tensor.dims[0] !== 0 ? numbersOf(tensor) : undefined
}

/** Resampling along one axis. */
type Resampling = {
  readonly axis: number
  readonly from: number
  readonly to: number
  /** Output over input size as the node gives it. */
  readonly scale: number
  /** The part of the axis shown, for `tf_crop_and_resize`. */
  readonly crop: readonly [number, number]
}

const isCrop = (c: NodeContext) =>
  stringOf(c.node, 'coordinate_transformation_mode', 'half_pixel') === 'tf_crop_and_resize'

/** What happens along every axis; the scale is the given one, or what the sizes come to. */
const resamplingsOf = (c: NodeContext): Resampling[] => {
  const [x, y] = [c.dims(inputOf(c.node, 0)), c.dims(outputOf(c.node, 0))]
  const rank = x.length
  const where = positions(c)
  const axes = intsOf(c.node, 'axes', range(0, rank)).map((axis) => frontAxis(axis, rank))
  const scales = numbersAt(c, where.scales)
  const roi = isCrop(c) ? numbersAt(c, where.roi) : undefined
  return range(0, rank).map((axis) => {
    const i = axes.indexOf(axis)
    const crop = i >= 0 && roi ? ([roi[i]!, roi[i + axes.length]!] as const) : ([0, 1] as const)
    return { axis, from: x[axis]!, to: y[axis]!, scale: (i < 0 ? 1 : scales?.[i]) ?? y[axis]! / x[axis]!, crop }
  })
}

const passes = ({ from, to, scale, crop }: Resampling) => from === to && scale === 1 && crop[0] === 0 && crop[1] === 1

/** How outputs are placed between inputs; Upsample knew one way. */
const placementOf = (c: NodeContext) =>
  c.node.opType === 'Upsample' || c.opset < 11
    ? { coordinates: 'asymmetric', nearest: 'floor' }
    : {
        coordinates: stringOf(c.node, 'coordinate_transformation_mode', 'half_pixel'),
        nearest: stringOf(c.node, 'nearest_mode', 'round_prefer_floor'),
      }

/** Whether output o shows input ⌊o/f⌋ for a whole f: each input is repeated f times. */
const repeats = (c: NodeContext, { from, to, scale }: Resampling): boolean => {
  const { coordinates, nearest } = placementOf(c)
  if (stringOf(c.node, 'mode', 'nearest') !== 'nearest' || to % from !== 0 || scale !== to / from) return false
  return (
    (coordinates === 'asymmetric' && nearest === 'floor') ||
    (coordinates === 'half_pixel' && (nearest === 'round_prefer_floor' || nearest === 'round_prefer_ceil'))
  )
}

/**
 * Resampling is linear and works on one axis after the other: y = Σᵢ R[o, i]·x[i] along each. Then ∂L/∂x = Rᵀ·dy along each.
 * R is what the node makes of the identity matrix, so it is right for every mode by construction, and it is a constant, which
 * the engine folds. Where inputs are only repeated, Rᵀ is a sum over the copies.
 */
const resizeGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  if (isCrop(g) && !numbersAt(g, positions(g).roi))
    throw unsupported(g.node, 'its region is computed while the graph runs', 'make it a constant')
  const policy = stringOf(g.node, 'keep_aspect_ratio_policy', 'stretch')
  if (policy !== 'stretch' && hasInput(g.node, 3))
    throw unsupported(g.node, `keep_aspect_ratio_policy '${policy}' has no gradient`, 'give scales instead of sizes')
  const moved = resamplingsOf(g).filter((one) => !passes(one))
  // Such an axis still has its positions moved, but the engine copies whatever it is asked to give the same shape.
  const still = moved.find(({ from, to }) => from === to)
  if (still && !isCrop(g) && moved.some(({ from, to }) => from !== to))
    throw unsupported(
      g.node,
      `a scale of ${still.scale} that leaves axis ${still.axis} as long as it was has no gradient`,
      'give sizes instead of scales',
    )
  let grad = dy
  const dims = [...g.dims(outputOf(g.node, 0))]
  if (moved.every((one) => repeats(g, one))) {
    const factor = (axis: number) => moved.find((one) => one.axis === axis)
    const apart = dims.flatMap((size, axis) => [factor(axis)?.from ?? size, size / (factor(axis)?.from ?? size)])
    return [
      sum(
        g,
        reshape(g, dy, apart),
        dims.map((_, axis) => 2 * axis + 1),
      ),
    ]
  }
  for (const one of moved) {
    const [outer, inner] = [dims.slice(0, one.axis), dims.slice(one.axis + 1)]
    const size = (list: readonly number[]) => list.reduce((n, dim) => n * dim, 1)
    dims[one.axis] = one.from
    grad =
      size(inner) === 1
        ? g.b.op('MatMul', [reshape(g, grad, [size(outer), one.to]), matrixOf(g, one, 0)])
        : g.b.op('MatMul', [matrixOf(g, one, 1), reshape(g, grad, [size(outer), one.to, size(inner)])])
    grad = reshape(g, grad, dims)
  }
  return [grad]
}

/** The identity matrix resampled along one of its axes: R for axis 0, Rᵀ for axis 1. */
const matrixOf = (g: GradientContext, { from, to, scale, crop }: Resampling, along: 0 | 1): string => {
  const x = inputOf(g.node, 0)
  const eye = range(0, from * from).map((n) => (Math.floor(n / from) === n % from ? 1 : 0))
  const identity = g.b.constant(tensorLike(g.type(x), [from, from], eye), 'identity')
  const pair = (moved: number, still: number) => (along === 0 ? [moved, still] : [still, moved])
  const roi = isCrop(g) ? g.b.constant(float32([4], [...pair(crop[0], 0), ...pair(crop[1], 1)])) : ''
  const bySize = hasInput(g.node, positions(g).sizes)
  const size = bySize ? ['', g.b.ints(pair(to, from))] : [g.b.constant(float32([2], pair(scale, 1)))]
  const given = [...g.node.attributes]
  const kept: Record<string, AttributeInput> = Object.fromEntries(
    given.filter(([name]) => !['axes', 'extrapolation_value', 'keep_aspect_ratio_policy'].includes(name)),
  )
  const { coordinates, nearest } = placementOf(g)
  return g.b.op('Resize', [identity, roi, ...size], {
    ...kept,
    coordinate_transformation_mode: coordinates,
    nearest_mode: nearest,
    extrapolation_value: { type: 'FLOAT', value: 0 },
  })
}

/** Axes left at their size pass; positions along the others mix. */
const resizeAxes: AxisRule = (a) => {
  const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
  const { roi } = positions(a)
  for (const input of a.node.inputs.slice(1)) if (input) freezeAxes(a, input, 'holds sizes of axes')
  const cropped = isCrop(a) && hasInput(a.node, roi) && !a.constant(inputOf(a.node, roi))
  const writtenOf = writtenAlong(a)
  for (const one of resamplingsOf(a)) {
    const { axis } = one
    const written = writtenOf(axis)
    const same = sameSize(sizesOf(a, x)[axis]!, sizesOf(a, y)[axis]!)
    // An axis of a size that varies has nothing to lose; a computed entry might say another size in another run.
    if (!cropped && same && (written === undefined || isFixed(written)) && passes(one)) a.join(at(x, axis), at(y, axis))
    else
      for (const value of [x, y])
        a.freeze(
          at(value, axis),
          cropped || !isFixed(written ?? 1)
            ? `${a.node.opType} computes its sizes while the graph runs`
            : `${a.node.opType} mixes neighbouring positions`,
        )
  }
}

/** The entry for an axis in `sizes` or `scales`; undefined for an axis that is not named. */
const writtenAlong = (c: NodeContext): ((axis: number) => Size | undefined) => {
  const rank = c.dims(inputOf(c.node, 0)).length
  const axes = intsOf(c.node, 'axes', range(0, rank)).map((axis) => frontAxis(axis, rank))
  const { sizes, scales } = positions(c)
  const position = [sizes, scales].find(
    (one) => one >= 0 && hasInput(c.node, one) && c.dims(inputOf(c.node, one))[0] !== 0,
  )
  const entries = position === undefined ? undefined : elementsOf(c, inputOf(c.node, position))
  return (axis) => {
    const i = axes.indexOf(axis)
    if (i < 0 || position === undefined) return undefined
    return entries?.[i] ?? sizesOf(c, outputOf(c.node, 0))[axis]
  }
}

/** Entries of `sizes` follow the axes that lost indices; their scales stay 1. */
const resizeSizes: ResizeRule = (r) => {
  const y = outputOf(r.node, 0)
  const position = positions(r).sizes
  if (position < 0 || !hasInput(r.node, position)) return
  const rank = r.dims(y).length
  const axes = intsOf(r.node, 'axes', range(0, rank)).map((axis) => frontAxis(axis, rank))
  const sizes = numbersAt(r, position)
  if (!sizes) {
    const fixed = [...axes.entries()].filter(([, axis]) => !varies(r, y, axis))
    return r.setElements(position, new Map(fixed.map(([i, axis]) => [i, newSize(r, y, axis)])))
  }
  if (!range(0, rank).some((axis) => r.kept(at(y, axis)))) return
  r.setConstant(
    position,
    int64(
      [sizes.length],
      axes.map((axis, i) => (r.kept(at(y, axis)) ? newSize(r, y, axis) : sizes[i]!)),
    ),
  )
}

const resampler: Operator = {
  gradient: resizeGradient,
  axes: resizeAxes,
  macs: free,
  resize: resizeSizes,
  sizes: resampleSizes,
}

/** Operators that resample images. */
export const resize = {
  Resize: resampler,
  Upsample: resampler,
} satisfies Record<string, Operator>
