import { intOf, intsOf } from '../../onnx/index.ts'
import { floorDivided } from './arithmetic.ts'
import { broadcastDims, mostElements, sourceOf } from './elementwise.ts'
import { allFixed, isFixed, leastOf, minus, plus, product, quotient, type Size, times } from './size.ts'
import type { SizeContext, Sized, SizeRule } from './types.ts'

// Operators that move elements: shapes, and what they move where it is sizes.

const range = (from: number, to: number): number[] => Array.from({ length: Math.max(to - from, 0) }, (_, i) => from + i)
const front = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)

/** The numbers an input holds; undefined where some vary or it is not there. */
export const numbersAt = (c: SizeContext, input: number): readonly number[] | undefined => {
  const elements = c.node.inputs[input] ? c.elements(input) : undefined
  return allFixed(elements) ? elements : undefined
}

/** `axes` as an attribute, or from a later version of the operator on as an input. */
export const axesOf = (c: SizeContext, input: number, rank: number, absent?: readonly number[]) => {
  const written = c.node.inputs[input]
    ? numbersAt(c, input)
    : c.node.attributes.has('axes')
      ? intsOf(c.node, 'axes', [])
      : absent
  return written?.map((axis) => front(axis, rank))
}

/** A value whose elements come from places of others: `source` gives the place for an index of the output. */
export const moved = (
  dims: readonly Size[] | undefined,
  elements: readonly Size[] | undefined,
  from: readonly Size[] | undefined,
  source: (index: readonly number[]) => readonly number[],
): Sized => {
  if (!elements || !allFixed(dims) || !allFixed(from)) return { dims }
  const count = dims.reduce((n, dim) => n * dim, 1)
  if (count > mostElements) return { dims }
  return {
    dims,
    elements: range(0, count).map((flat) => {
      const at = source(indexOf(flat, dims)).reduce((n, i, axis) => n * from[axis]! + i, 0)
      return elements[at]!
    }),
  }
}

const indexOf = (flat: number, dims: readonly number[]): number[] => {
  const index = dims.map(() => 0)
  let rest = flat
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    index[axis] = rest % dims[axis]!
    rest = (rest - index[axis]!) / dims[axis]!
  }
  return index
}

export const transposeSizes: SizeRule = (c) => {
  const dims = c.dims(0)
  if (!dims) return []
  const perm = intsOf(c.node, 'perm', range(0, dims.length).reverse())
  const to = perm.map((axis) => dims[axis]!)
  return [moved(to, c.elements(0), dims, (index) => dims.map((_, axis) => index[perm.indexOf(axis)]!))]
}

export const concatSizes: SizeRule = (c) => {
  const inputs = [...c.node.inputs.keys()]
  const shapes = inputs.map((input) => c.dims(input))
  const known = shapes.filter((dims) => dims !== undefined)
  const [first] = known
  if (!first || known.length < shapes.length) return []
  const axis = front(intOf(c.node, 'axis', 0), first.length)
  // The other axes are equal; a number is the most that is known of them.
  const dims: readonly Size[] = first.map((size, i) =>
    i === axis
      ? c.quantities.bounded(known.map((dims) => dims[i]!).reduce(plus))
      : (known.map((dims) => dims[i]!).find(isFixed) ?? size),
  )
  const elements = inputs.map((input) => c.elements(input))
  if (!allFixed(dims) || elements.some((list) => list === undefined)) return [{ dims }]
  const count = dims.reduce((n, dim) => n * dim, 1)
  if (count > mostElements) return [{ dims }]
  const outer = dims.slice(0, axis).reduce((n, dim) => n * dim, 1)
  const rowsOf = (list: readonly Size[], row: number) =>
    list.slice((row * list.length) / outer, ((row + 1) * list.length) / outer)
  return [{ dims, elements: range(0, outer).flatMap((row) => elements.flatMap((list) => rowsOf(list!, row))) }]
}

export const splitSizes: SizeRule = (c) => {
  const from = c.dims(0)
  if (!from) return []
  const axis = front(intOf(c.node, 'axis', 0), from.length)
  const written: readonly Size[] | undefined = c.node.inputs[1]
    ? c.elements(1)
    : c.node.attributes.has('split')
      ? intsOf(c.node, 'split', [])
      : evenly(c, from[axis]!)
  let start: Size = 0
  return c.node.outputs.map((_, i) => {
    const size = written?.[i]
    if (size === undefined) return undefined
    const dims = from.with(axis, size)
    const first = start
    start = plus(start, size)
    if (!isFixed(first)) return { dims }
    return moved(dims, c.elements(0), from, (index) => index.with(axis, index[axis]! + first))
  })
}

/** Equal parts, the last one what is left. */
const evenly = (c: SizeContext, size: Size): readonly Size[] | undefined => {
  const parts = c.node.outputs.length
  if (isFixed(size)) {
    const part = Math.ceil(size / parts)
    return range(0, parts).map((i) => Math.min(part, size - i * part))
  }
  const part = quotient(size, parts)
  return part === undefined ? undefined : range(0, parts).map(() => part)
}

export const gatherSizes: SizeRule = (c) => {
  const [from, at] = [c.dims(0), c.dims(1)]
  if (!from || !at) return []
  const axis = front(intOf(c.node, 'axis', 0), from.length)
  const dims = [...from.slice(0, axis), ...at, ...from.slice(axis + 1)]
  const [indices, size] = [numbersAt(c, 1), from[axis]]
  if (!indices || !isFixed(size) || !allFixed(at)) return [{ dims }]
  return [
    moved(dims, c.elements(0), from, (index) => {
      const place = index.slice(axis, axis + at.length).reduce((n, i, k) => n * at[k]! + i, 0)
      return [...index.slice(0, axis), front(indices[place]!, size), ...index.slice(axis + at.length)]
    }),
  ]
}

/** Starts and ends are clamped to the axis: exact where size and bounds are numbers, or where nothing is cut off. */
export const sliceSizes: SizeRule = (c) => {
  const from = c.dims(0)
  if (!from) return []
  const read = (input: number, name: string, absent?: readonly number[]): readonly Size[] | undefined =>
    c.node.inputs[input] ? c.elements(input) : c.opset < 10 ? intsOf(c.node, name, [...(absent ?? [])]) : absent
  const [starts, ends] = [read(1, 'starts'), read(2, 'ends')]
  const axes = read(3, 'axes', range(0, starts?.length ?? ends?.length ?? from.length))
  const steps = read(4, 'steps', Array(axes?.length ?? 0).fill(1))
  if (!allFixed(axes)) return []
  const firsts = new Map<number, { first: number; step: number }>()
  const dims = from.map((size, axis) => {
    const i = axes.findIndex((named) => front(named, from.length) === axis)
    if (i < 0) return size
    const [start, end, step] = [starts?.[i], ends?.[i], steps?.[i]]
    const cut =
      start !== undefined && end !== undefined && isFixed(step) ? sliced(c, size, start, end, step) : undefined
    if (cut && isFixed(step) && cut.first !== undefined) firsts.set(axis, { first: cut.first, step })
    return cut?.size ?? c.quantities.named(`${c.node.outputs[0]}[${axis}]`, 0)
  })
  if (firsts.size < axes.length) return [{ dims }]
  return [
    moved(dims, c.elements(0), from, (index) =>
      index.map((i, axis) => (firsts.get(axis)?.first ?? 0) + i * (firsts.get(axis)?.step ?? 1)),
    ),
  ]
}

const sliced = (
  c: SizeContext,
  size: Size,
  start: Size,
  end: Size,
  step: number,
): { size: Size; first?: number } | undefined => {
  const q = c.quantities
  if (isFixed(size) && isFixed(start) && isFixed(end)) {
    const place = (n: number) => (n < 0 ? n + size : n)
    const [low, high] = step > 0 ? [0, size] : [-1, size - 1]
    const clamp = (n: number) => Math.min(Math.max(n, low), high)
    const [first, last] = [clamp(place(start)), clamp(place(end))]
    return { size: Math.max(Math.ceil((last - first) / step), 0), first }
  }
  if (step !== 1) return { size: q.apply('slice', [size, start, end, step], { least: 0 }) }
  /** A bound as a place on the axis; undefined where it is not known on which side of 0 or of the size it lies. */
  const placed = (bound: Size): Size | undefined => {
    const place = leastOf(bound) >= 0 ? bound : leastOf(times(bound, -1)) > 0 ? plus(size, bound) : undefined
    if (place === undefined) return undefined
    if (leastOf(minus(place, size)) >= 0) return size
    return leastOf(place) >= 0 && leastOf(minus(size, place)) >= 0 ? place : undefined
  }
  const [first, last] = [placed(start), placed(end)]
  const length = first !== undefined && last !== undefined ? minus(last, first) : undefined
  return length !== undefined && leastOf(length) >= 0
    ? { size: length }
    : { size: q.apply('slice', [size, start, end], { least: 0 }) }
}

/** The target's 0 copies a size (without `allowzero`), −1 takes what is left. */
export const reshapeSizes: SizeRule = (c) => {
  const [from, target] = [c.dims(0), c.elements(1)]
  if (!from || !target) return []
  const copies = intOf(c.node, 'allowzero', 0) === 0
  const fresh = (axis: number) => c.quantities.named(`${c.node.outputs[0]}[${axis}]`, 0)
  const sizes = target.map((size, axis) => {
    if (size === 0 && copies) return from[axis]
    if (isFixed(size)) return size === -1 ? undefined : size
    // One that may be 0 or −1 may stand for any size.
    return leastOf(size) > 0 ? size : fresh(axis)
  })
  const left = sizes.indexOf(undefined)
  const known = product(sizes.map((size) => size ?? 1))
  const dims = sizes.map((size, axis) =>
    size === undefined
      ? axis === left
        ? (quotient(product(from), known, { exact: true }) ??
          c.quantities.apply('÷', [product(from), known], { least: 0 }))
        : fresh(axis)
      : size,
  )
  return [{ dims, elements: allFixed(dims) ? c.elements(0) : undefined }]
}

export const flattenSizes: SizeRule = (c) => {
  const from = c.dims(0)
  if (!from) return []
  const axis = front(intOf(c.node, 'axis', 1), from.length)
  return [{ dims: [product(from.slice(0, axis)), product(from.slice(axis))] }]
}

export const squeezeSizes: SizeRule = (c) => {
  const from = c.dims(0)
  const axes =
    from && axesOf(c, 1, from.length, allFixed(from) ? range(0, from.length).filter((i) => from[i] === 1) : undefined)
  return from && axes ? [{ dims: from.filter((_, axis) => !axes.includes(axis)), elements: c.elements(0) }] : []
}

export const unsqueezeSizes: SizeRule = (c) => {
  const from = c.dims(0)
  const count = numbersAt(c, 1)?.length ?? intsOf(c.node, 'axes', []).length
  const axes = from && axesOf(c, 1, from.length + count)
  if (!from || !axes) return []
  const rest = [...from]
  return [
    {
      dims: range(0, from.length + count).map((axis) => (axes.includes(axis) ? 1 : rest.shift()!)),
      elements: c.elements(0),
    },
  ]
}

export const expandSizes: SizeRule = (c) => {
  const [from, shape] = [c.dims(0), c.elements(1)]
  const dims = from && shape && broadcastDims(c.quantities, [from, shape])
  if (!dims || !allFixed(dims)) return [{ dims }]
  const elements = c.elements(0)
  const count = dims.reduce((n, dim) => n * dim, 1)
  if (!elements || count > mostElements) return [{ dims }]
  return [{ dims, elements: range(0, count).map((flat) => elements[sourceOf(flat, dims, from)]!) }]
}

export const tileSizes: SizeRule = (c) => {
  const [from, repeats] = [c.dims(0), c.elements(1)]
  const dims = repeats && from?.map((size, axis) => times(size, repeats[axis] ?? 1))
  return [
    moved(dims, c.elements(0), from, (index) =>
      index.map((i, axis) => (isFixed(from![axis]) ? i % (from![axis] as number) : i)),
    ),
  ]
}

export const padSizes: SizeRule = (c) => {
  const from = c.dims(0)
  if (!from) return []
  const pads: readonly Size[] | undefined = c.node.inputs[1]
    ? c.elements(1)
    : c.opset < 11
      ? intsOf(c.node, 'pads', [])
      : undefined
  const axes = axesOf(c, 3, from.length, range(0, from.length))
  if (!pads || !axes) return []
  return [
    {
      dims: from.map((size, axis) => {
        const i = axes.indexOf(axis)
        return i < 0 ? size : c.quantities.bounded(plus(size, plus(pads[i]!, pads[i + axes.length]!)))
      }),
    },
  ]
}

export const depthToSpaceSizes: SizeRule = (c) => {
  const [n, channels, ...space] = c.dims(0) ?? []
  const block = intOf(c.node, 'blocksize', 1)
  if (n === undefined || channels === undefined) return []
  return [
    { dims: [n, floorDivided(c.quantities, channels, block * block), ...space.map((size) => times(size, block))] },
  ]
}

export const spaceToDepthSizes: SizeRule = (c) => {
  const [n, channels, ...space] = c.dims(0) ?? []
  const block = intOf(c.node, 'blocksize', 1)
  if (n === undefined || channels === undefined) return []
  return [
    { dims: [n, times(channels, block * block), ...space.map((size) => floorDivided(c.quantities, size, block))] },
  ]
}
