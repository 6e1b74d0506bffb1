import { sizeOf } from '../base/index.ts'
import { floatOf, intOf, stringOf } from '../onnx/index.ts'
import { calculator, cast } from './calculator.ts'
import {
  at,
  freezeAxes,
  gradOf,
  inputOf,
  outputOf,
  range,
  reshape,
  scalarLike,
  slice,
  sum,
  tensorLike,
} from './helpers.ts'
import { type AxisRule, free, type GradientContext, type GradientRule, type Operator } from './types.ts'

// Images are X [N, C, H, W], regions R: y is [R, C, h, w]. Gradients go to the images alone: which pixels a region shows is
// taken as given, as torchvision does too.

/** Adds up what regions give to their images: [R, C, H, W] → [N, C, H, W]. */
const gathered = (g: GradientContext, perRegion: string, images: string, regions: number): string => {
  const x = inputOf(g.node, 0)
  const dims = g.dims(x)
  const c = calculator(g, x)
  const numbers = g.b.constant(tensorLike('int64', [dims[0]!, 1], range(0, dims[0]!)))
  const belongs = c.indicator(c.equal(numbers, reshape(g, images, [1, regions])))
  const flat = reshape(g, perRegion, [regions, sizeOf(dims.slice(1))])
  return reshape(g, g.b.op('MatMul', [belongs, flat]), dims)
}

/** A coordinate of all regions, [R, 1, 1]. */
const coordinate = (g: GradientContext, rois: string, column: number): string =>
  reshape(g, slice(g, rois, { axes: [1], starts: [column], ends: [column + 1] }), [-1, 1, 1])

/** 0, 1 … as numbers of the images' type, shaped to broadcast. */
const counting = (g: GradientContext, count: number, dims: readonly number[]): string =>
  g.b.constant(tensorLike(g.type(inputOf(g.node, 0)), dims, range(0, count)))

/** The largest along some axes, kept with size 1. */
const largestOf = (g: GradientContext, x: string, axes: readonly number[]): string =>
  g.opset < 18
    ? g.b.op('ReduceMax', [x], { axes, keepdims: 1 })
    : g.b.op('ReduceMax', [x, g.b.ints(axes)], { keepdims: 1 })

/** Hands a maximum's gradient to the values along `axes` that equal it, shared among ties, those a mask leaves out aside. */
const ofLargest = (
  g: GradientContext,
  grad: string,
  values: string,
  largest: string,
  axes: number[],
  mask?: string,
) => {
  const c = calculator(g, inputOf(g.node, 0))
  const equal = c.indicator(c.equal(values, largest))
  const hits = mask === undefined ? equal : c.mul(equal, mask)
  return c.mul(hits, c.div(grad, c.max(sum(g, hits, axes, true), 1)))
}

// RoiAlign

/** Pixels that samples of one axis lie between, as weighted rows [R, out, 2S, size], and how many samples a bin has, S. */
type Corners = { readonly rows: string; readonly samples: string }

const averages = (g: GradientContext) => stringOf(g.node, 'mode', 'avg') === 'avg'

/**
 * Sample s of S in bin i lies at start + (i + (s + ½)/S)·bin, is pulled to the outermost pixels and, more than a pixel outside,
 * counts as 0; it shows the pixels below and above it by their nearness (He et al. 2017, §3). Without a `sampling_ratio` every
 * region has as many samples as its bins have pixels; behind those, shorter ones have empty places in a mean, and their last
 * sample again in a maximum.
 */
const cornersOf = (g: GradientContext, from: number, out: number, size: number): Corners => {
  const [x, rois] = [inputOf(g.node, 0), inputOf(g.node, 1)]
  const c = calculator(g, x)
  const scale = floatOf(g.node, 'spatial_scale', 1)
  const half =
    g.opset >= 16 && stringOf(g.node, 'coordinate_transformation_mode', 'half_pixel') === 'half_pixel' ? 0.5 : 0
  const start = c.sub(c.mul(coordinate(g, rois, from), scale), half)
  const measured = c.sub(c.sub(c.mul(coordinate(g, rois, from + 2), scale), half), start)
  const length = half === 0 ? c.max(measured, 1) : measured
  const bin = c.div(length, out)
  const ratio = intOf(g.node, 'sampling_ratio', 0)
  const samples = ratio > 0 ? scalarLike(g, x, ratio) : c.max(g.b.op('Ceil', [bin]), 1)
  const zero = scalarLike(g, x, 0)
  const most = ratio > 0 ? samples : g.b.op('ReduceMax', [samples], { keepdims: 0 })
  const all = g.b.op('Range', [zero, most, scalarLike(g, x, 1)])
  const s = averages(g) ? all : c.min(all, c.sub(samples, 1))
  const bins = counting(g, out, [1, out, 1])
  const position = c.add(start, c.mul(c.add(bins, c.div(c.add(s, 0.5), samples)), bin))
  const within = c.and(c.not(c.less(position, -1)), c.not(c.greater(position, size)))
  const counts = c.indicator(c.and(within, c.less(s, samples)))
  const pulled = c.min(c.max(position, 0), size - 1)
  const below = c.floor(pulled)
  const share = c.sub(pulled, below)
  const both = (low: string, high: string) => g.b.op('Concat', [low, high], { axis: 2 })
  const weight = both(c.mul(counts, c.sub(1, share)), c.mul(counts, share))
  const pixel = both(below, c.min(c.add(below, 1), size - 1))
  const last = g.b.ints([-1])
  const shows = c.equal(g.b.op('Unsqueeze', [pixel, last]), counting(g, size, [size]))
  return { rows: c.mul(c.indicator(shows), g.b.op('Unsqueeze', [weight, last])), samples }
}

/**
 * 'avg': a bin is the mean of its samples, and bilinear interpolation works on one axis after the other: y = A·X·Bᵀ with A
 * the mean of a bin's rows, hence ∂L/∂X = Aᵀ·dy·B. 'max': ONNX Runtime takes the largest of all weighted corners of all samples,
 * whose gradient goes to those that equal it, shared among ties.
 */
const roiAlignGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const [x, images, y] = [inputOf(g.node, 0), inputOf(g.node, 2), outputOf(g.node, 0)]
  const [, , height = 0, width = 0] = g.dims(x)
  const [regions = 0, channels = 0, h = 0, w = 0] = g.dims(y)
  const c = calculator(g, x)
  const down = cornersOf(g, 1, h, height)
  const across = cornersOf(g, 0, w, width)
  const turned = (rows: string) => g.b.op('Transpose', [rows], { perm: [0, 1, 3, 2] })
  const back = (rows: string, grad: string, columns: string) =>
    g.b.op('MatMul', [g.b.op('MatMul', [turned(rows), grad]), columns])
  if (averages(g)) {
    const mean = ({ rows, samples }: Corners, out: number, size: number) =>
      reshape(g, c.div(sum(g, rows, [2]), samples), [regions, 1, out, size])
    const perRegion = back(mean(down, h, height), dy, mean(across, w, width))
    return [gathered(g, perRegion, images, regions)]
  }
  // [R, C, h·2S, w·2S], seen as bins with all their corners.
  const flat = ({ rows }: Corners, size: number) => reshape(g, rows, [regions, 1, -1, size])
  const [rows, columns] = [flat(down, height), flat(across, width)]
  const shown = g.b.op('Gather', [x, images], { axis: 0 })
  const corners = g.b.op('MatMul', [g.b.op('MatMul', [rows, shown]), turned(columns)])
  const shape = g.b.op('Shape', [corners])
  const count = (axis: number, out: number) =>
    g.b.op('Div', [slice(g, shape, { axes: [0], starts: [axis], ends: [axis + 1] }), g.b.ints([out])])
  const apart = g.b.op('Concat', [g.b.ints([regions, channels, h]), count(2, h), g.b.ints([w]), count(3, w)], {
    axis: 0,
  })
  const values = g.b.op('Reshape', [corners, apart])
  const perBin = reshape(g, dy, [regions, channels, h, 1, w, 1])
  const shares = ofLargest(g, perBin, values, largestOf(g, values, [3, 5]), [3, 5])
  return [gathered(g, back(rows, g.b.op('Reshape', [shares, shape]), columns), images, regions)]
}

/** Regions are picked by image number and coordinate; channels pass. */
const roiAlignAxes: AxisRule = (a) => {
  const [x, rois, images, y] = [inputOf(a.node, 0), inputOf(a.node, 1), inputOf(a.node, 2), outputOf(a.node, 0)]
  a.freeze(at(x, 0), 'RoiAlign picks images by number')
  a.join(at(x, 1), at(y, 1))
  for (const value of [x, y])
    freezeAxes(a, value, 'RoiAlign reads positions by coordinate', range(2, a.dims(value).length))
  for (const value of [rois, images]) a.join(at(value, 0), at(y, 0))
  freezeAxes(a, rois, 'holds coordinates', [1])
}

// MaxRoiPool

/** Which pixels of an axis each bin of each region takes, 1 or 0: [R, out, size] (Girshick 2015, §2.1). */
const binsOf = (g: GradientContext, from: number, out: number, size: number): string => {
  const rois = inputOf(g.node, 1)
  const c = calculator(g, inputOf(g.node, 0))
  const scale = floatOf(g.node, 'spatial_scale', 1)
  const rounded = (column: number) => c.floor(c.add(c.mul(coordinate(g, rois, column), scale), 0.5))
  const start = rounded(from)
  const bin = c.div(c.max(c.add(c.sub(rounded(from + 2), start), 1), 1), out)
  const bins = counting(g, out, [1, out, 1])
  const first = c.add(c.floor(c.mul(bins, bin)), start)
  const end = c.add(g.b.op('Ceil', [c.mul(c.add(bins, 1), bin)]), start)
  const pixels = counting(g, size, [size])
  return c.indicator(c.and(c.not(c.less(pixels, first)), c.less(pixels, end)))
}

/**
 * A region's largest pixel is the largest of its columns' largest: the gradient goes back through one maximum after the
 * other, shared among ties.
 */
const maxRoiPoolGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined || !g.wants(0)) return []
  const [x, rois, y] = [inputOf(g.node, 0), inputOf(g.node, 1), outputOf(g.node, 0)]
  const [, , height = 0, width = 0] = g.dims(x)
  const [regions = 0, channels = 0, h = 0, w = 0] = g.dims(y)
  const images = cast(g, reshape(g, slice(g, rois, { axes: [1], starts: [0], ends: [1] }), [regions]), 'int64')
  const shown = reshape(g, g.b.op('Gather', [x, images], { axis: 0 }), [regions, channels, 1, height, width])
  const rows = reshape(g, binsOf(g, 2, h, height), [regions, 1, h, height, 1])
  const columns = reshape(g, binsOf(g, 1, w, width), [regions, 1, 1, w, width])
  const where = (mask: string, value: string) =>
    g.b.op('Where', [cast(g, mask, 'bool'), value, scalarLike(g, x, -3e38)])
  const byRow = where(rows, shown)
  const largest = largestOf(g, byRow, [3])
  const byColumn = where(columns, reshape(g, largest, [regions, channels, h, 1, width]))
  const apart = (value: string) => reshape(g, value, [regions, channels, h, w, 1])
  const perColumn = ofLargest(g, apart(dy), byColumn, apart(y), [4], columns)
  const perRow = reshape(g, sum(g, perColumn, [3]), [regions, channels, h, 1, width])
  return [gathered(g, sum(g, ofLargest(g, perRow, byRow, largest, [3], rows), [2]), images, regions)]
}

const maxRoiPoolAxes: AxisRule = (a) => {
  const [x, rois, y] = [inputOf(a.node, 0), inputOf(a.node, 1), outputOf(a.node, 0)]
  a.freeze(at(x, 0), 'MaxRoiPool picks images by number')
  a.join(at(x, 1), at(y, 1))
  for (const value of [x, y]) freezeAxes(a, value, 'MaxRoiPool reads positions by coordinate', [2, 3])
  a.join(at(rois, 0), at(y, 0))
  freezeAxes(a, rois, 'holds coordinates', [1])
}

/** Regions of images as small images of one size. */
export const regions = {
  RoiAlign: { gradient: roiAlignGradient, axes: roiAlignAxes, macs: free },
  MaxRoiPool: { gradient: maxRoiPoolGradient, axes: maxRoiPoolAxes, macs: free },
} satisfies Record<string, Operator>
