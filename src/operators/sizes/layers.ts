import { intOf, intsOf, stringOf } from '../../onnx/index.ts'
import { floorDivided } from './arithmetic.ts'
import { broadcastDims, mostElements } from './elementwise.ts'
import { axesOf, numbersAt } from './moves.ts'
import { allFixed, isFixed, leastOf, minus, plus, product, type Quantities, type Size, times } from './size.ts'
import type { SizeContext, SizeRule } from './types.ts'

const range = (from: number, to: number): number[] => Array.from({ length: Math.max(to - from, 0) }, (_, i) => from + i)
const front = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)

// Sliding windows

type Window = {
  readonly span: number
  readonly stride: number
  readonly begin: number
  readonly end: number
  readonly same: boolean
}

/** What a window does along each spatial axis; `auto_pad` SAME keeps ⌈size ÷ stride⌉ places. */
const windowsOf = (c: SizeContext, kernel: readonly number[]): Window[] => {
  const ones = kernel.map(() => 1)
  const [strides, dilations] = [intsOf(c.node, 'strides', ones), intsOf(c.node, 'dilations', ones)]
  const auto = stringOf(c.node, 'auto_pad', 'NOTSET')
  const pads = auto === 'VALID' ? [] : intsOf(c.node, 'pads', [])
  return kernel.map((size, i) => ({
    span: (size - 1) * dilations[i]! + 1,
    stride: strides[i]!,
    begin: pads[i] ?? 0,
    end: pads[i + kernel.length] ?? 0,
    same: auto.startsWith('SAME'),
  }))
}

/** ⌊(size + pads − span) ÷ stride⌋ + 1; with `ceil_mode` rounded up, but for a window that begins in the padding behind. */
const windowCount = (q: Quantities, size: Size, { span, stride, begin, end, same }: Window, roundUp = false): Size => {
  if (same) return floorDivided(q, plus(size, stride - 1), stride)
  if (!roundUp || stride === 1) return plus(floorDivided(q, plus(size, begin + end - span), stride), 1)
  if (!isFixed(size)) return q.apply('windows', [size, span, stride, begin, end], { least: 1 })
  const count = Math.ceil((size + begin + end - span) / stride) + 1
  return (count - 1) * stride >= size + begin ? count - 1 : count
}

const convDims = (c: SizeContext, weight: number): readonly Size[] | undefined => {
  const [x, w] = [c.dims(0), c.dims(weight)]
  if (!x || !w || !allFixed(w)) return undefined
  const windows = windowsOf(c, intsOf(c.node, 'kernel_shape', w.slice(2)))
  return [x[0]!, w[0]!, ...x.slice(2).map((size, i) => windowCount(c.quantities, size, windows[i]!))]
}

export const convSizes =
  (weight = 1): SizeRule =>
  (c) => [{ dims: convDims(c, weight) }]

export const convTransposeSizes: SizeRule = (c) => {
  const [x, w] = [c.dims(0), c.dims(1)]
  if (!x || !w || !allFixed(w)) return []
  const kernel = intsOf(c.node, 'kernel_shape', w.slice(2))
  const windows = windowsOf(c, kernel)
  const zeros = kernel.map(() => 0)
  const [given, more] = [intsOf(c.node, 'output_shape', []), intsOf(c.node, 'output_padding', zeros)]
  const space = x.slice(2).map((size, i): Size => {
    const { stride, span, begin, end, same } = windows[i]!
    if (given.length > 0) return given[given.length - kernel.length + i]!
    if (same) return times(size, stride)
    return plus(times(minus(size, 1), stride), more[i]! + span - begin - end)
  })
  return [{ dims: [x[0]!, w[1]! * intOf(c.node, 'group', 1), ...space] }]
}

export const poolSizes: SizeRule = (c) => {
  const x = c.dims(0)
  if (!x) return []
  const windows = windowsOf(c, intsOf(c.node, 'kernel_shape', []))
  const roundUp = intOf(c.node, 'ceil_mode', 0) === 1
  const dims = [...x.slice(0, 2), ...x.slice(2).map((size, i) => windowCount(c.quantities, size, windows[i]!, roundUp))]
  return c.node.outputs.map(() => ({ dims }))
}

export const globalPoolSizes: SizeRule = (c) => {
  const x = c.dims(0)
  return [{ dims: x && [...x.slice(0, 2), ...x.slice(2).map(() => 1)] }]
}

// Products

export const matmulSizes: SizeRule = (c) => {
  const [a, b] = [c.dims(0), c.dims(1)]
  if (!a || !b) return []
  const batch = broadcastDims(c.quantities, [a.slice(0, -2), b.slice(0, -2)])
  return [{ dims: batch && [...batch, ...(a.length > 1 ? a.slice(-2, -1) : []), ...(b.length > 1 ? b.slice(-1) : [])] }]
}

export const gemmSizes: SizeRule = (c) => {
  const [a, b] = [c.dims(0), c.dims(1)]
  if (!a || !b) return []
  const [rows, columns] = [a[intOf(c.node, 'transA', 0) ? 1 : 0], b[intOf(c.node, 'transB', 0) ? 0 : 1]]
  return [{ dims: rows !== undefined && columns !== undefined ? [rows, columns] : undefined }]
}

/** The letters of an Einsum's output are those of its inputs. */
export const einsumSizes: SizeRule = (c) => {
  const [inputs = '', output] = stringOf(c.node, 'equation', '').replaceAll(' ', '').split('->')
  if (output === undefined || inputs.includes('...')) return []
  const sizes = new Map<string, Size>()
  for (const [i, letters] of inputs.split(',').entries())
    for (const [axis, letter] of [...letters].entries()) {
      const size = c.dims(i)?.[axis]
      if (size !== undefined && (!isFixed(sizes.get(letter)) || isFixed(size))) sizes.set(letter, size)
    }
  const dims = [...output].map((letter) => sizes.get(letter))
  return [{ dims: dims.every((size) => size !== undefined) ? dims : undefined }]
}

/** Y [T, D, N, H], Y_h and Y_c [D, N, H]; batch first with `layout` 1. */
export const recurrentSizes: SizeRule = (c) => {
  const [x, r] = [c.dims(0), c.dims(2)]
  if (!x || !r) return []
  const batchFirst = intOf(c.node, 'layout', 0) === 1
  const [time, batch] = batchFirst ? [x[1]!, x[0]!] : [x[0]!, x[1]!]
  const [directions, hidden] = [r[0]!, r[2]!]
  const state = batchFirst ? [batch, directions, hidden] : [directions, batch, hidden]
  const all = batchFirst ? [batch, time, directions, hidden] : [time, directions, batch, hidden]
  return [{ dims: all }, { dims: state }, { dims: state }]
}

// Reductions and selections

type Reducer = (sizes: readonly Size[]) => Size | undefined

/** How a reduction makes one size of several. */
const reducers: ReadonlyMap<string, Reducer> = new Map<string, Reducer>([
  ['ReduceProd', product],
  ['ReduceSum', (sizes: readonly Size[]) => sizes.reduce(plus, 0)],
  ['ReduceMax', (sizes: readonly Size[]) => (allFixed(sizes) ? Math.max(...sizes) : undefined)],
  ['ReduceMin', (sizes: readonly Size[]) => (allFixed(sizes) ? Math.min(...sizes) : undefined)],
])

/** Axes that are summed over go, or stay with size 1. */
export const reduceSizes: SizeRule = (c) => {
  const from = c.dims(0)
  if (!from) return []
  const all = range(0, from.length)
  const named = axesOf(c, 1, from.length, intOf(c.node, 'noop_with_empty_axes', 0) === 1 ? [] : all)
  if (!named) return []
  const axes = named.length === 0 && intOf(c.node, 'noop_with_empty_axes', 0) === 0 ? all : named
  const keep = intOf(c.node, 'keepdims', 1) === 1
  const dims = from.flatMap((size, axis) => (axes.includes(axis) ? (keep ? [1] : []) : [size]))
  const elements = c.elements(0)
  const reduce = reducers.get(c.node.opType)
  const isWholeType = !c.type(0).includes('float')
  if (!elements || !reduce || !isWholeType || axes.length < from.length) return [{ dims }]
  const total = reduce(elements)
  return [{ dims, elements: total === undefined ? undefined : [c.quantities.bounded(total)] }]
}

export const argSizes: SizeRule = (c) => {
  const from = c.dims(0)
  if (!from) return []
  const axis = front(intOf(c.node, 'axis', 0), from.length)
  return [{ dims: from.flatMap((size, i) => (i === axis ? (intOf(c.node, 'keepdims', 1) ? [1] : []) : [size])) }]
}

export const topKSizes: SizeRule = (c) => {
  const [from, k] = [c.dims(0), c.elements(1)?.[0]]
  if (!from || k === undefined) return []
  const dims = from.with(front(intOf(c.node, 'axis', -1), from.length), k)
  return c.node.outputs.map(() => ({ dims }))
}

export const gatherNDSizes: SizeRule = (c) => {
  const [from, at] = [c.dims(0), c.dims(1)]
  const depth = at?.at(-1)
  if (!from || !at || !isFixed(depth)) return []
  return [{ dims: [...at.slice(0, -1), ...from.slice(intOf(c.node, 'batch_dims', 0) + depth)] }]
}

// Resampling

/** A size of its own for each axis, or the old one times a scale. */
export const resampleSizes: SizeRule = (c) => {
  const from = c.dims(0)
  if (!from || stringOf(c.node, 'keep_aspect_ratio_policy', 'stretch') !== 'stretch') return []
  const old = c.node.opType === 'Upsample' || c.opset < 11
  const axes = intsOf(c.node, 'axes', range(0, from.length)).map((axis) => front(axis, from.length))
  const at = (input: number) => (c.node.inputs[input] ? c.elements(input) : undefined)
  const [scales, sizes] = [at(old ? 1 : 2), old ? undefined : at(3)]
  const written = old && c.node.attributes.has('scales') ? undefined : scales
  return [
    {
      dims: from.map((size, axis) => {
        const i = axes.indexOf(axis)
        if (i < 0) return size
        const [given, scale] = [sizes?.[i], written?.[i]]
        if (given !== undefined) return given
        if (scale === 1) return size
        if (isFixed(scale) && Number.isInteger(scale)) return times(size, scale)
        const least = scale !== undefined && leastOf(scale) >= 0 ? 0 : Number.NEGATIVE_INFINITY
        return scale === undefined
          ? c.quantities.named(`${c.node.outputs[0]}[${axis}]`, 0)
          : isFixed(size) && isFixed(scale)
            ? Math.floor(size * scale)
            : c.quantities.apply('resize', [size, scale], { least })
      }),
    },
  ]
}

// Sizes as values, values as sizes

export const shapeSizes: SizeRule = (c) => {
  const dims = c.dims(0)
  if (!dims) return []
  const part = dims.slice(intOf(c.node, 'start', 0), intOf(c.node, 'end', dims.length))
  return [{ dims: [part.length], elements: part }]
}

export const sizeSizes: SizeRule = (c) => {
  const dims = c.dims(0)
  return [{ dims: [], elements: dims && [c.quantities.bounded(product(dims))] }]
}

/** `fill` is the number that the node repeats. */
export const filledSizes =
  (fill: (c: SizeContext) => number | undefined): SizeRule =>
  (c) => {
    const dims = c.elements(0)
    const value = fill(c)
    if (!allFixed(dims) || value === undefined) return [{ dims }]
    const count = dims.reduce((n, dim) => n * dim, 1)
    return [{ dims, elements: count <= mostElements ? Array(count).fill(value) : undefined }]
  }

export const rangeSizes: SizeRule = (c) => {
  const [start, limit, delta] = [0, 1, 2].map((input) => c.elements(input)?.[0])
  if (start === undefined || limit === undefined || delta === undefined) return []
  const numbers = [0, 1, 2].map((input) => numbersAt(c, input)?.[0])
  const [first, last, step] = numbers
  if (first !== undefined && last !== undefined && step !== undefined && step !== 0) {
    const count = Math.max(Math.ceil((last - first) / step), 0)
    const isFloat = c.type(0).includes('float')
    return [
      {
        dims: [count],
        elements: count <= mostElements && !isFloat ? range(0, count).map((i) => first + i * step) : undefined,
      },
    ]
  }
  const length = minus(limit, start)
  const whole = !c.type(0).includes('float')
  return [
    {
      dims: [
        whole && delta === 1 && leastOf(length) >= 0
          ? length
          : c.quantities.apply('range', [start, limit, delta], { least: 0 }),
      ],
    },
  ]
}
