import {
  bytesOf,
  type DataType,
  EspalierError,
  numbersOf,
  sizeOf,
  type Tensor,
  UnsupportedError,
} from '../base/index.ts'
import { type Node, nodeLabel } from '../onnx/index.ts'
import { isFixed, type Size } from './sizes/index.ts'
import type { AxisContext, AxisRef, Emitter, GradientContext, NodeContext } from './types.ts'

// Helpers of the operators' rows. Every node they emit means the same in opsets 13 to 21, unless said; values emitted
// by a rule have no traced shape, so their dims are passed along.

/** Whether the node has its `position`-th input (an optional one may be missing or ''). */
export const hasInput = (node: Node, position: number): boolean => (node.inputs[position] ?? '') !== ''

export const hasOutput = (node: Node, position: number): boolean => (node.outputs[position] ?? '') !== ''

/** The name of an input the operator cannot do without. */
export const inputOf = (node: Node, position: number): string => {
  const name = node.inputs[position]
  if (!name) throw missing(node, `input ${position}`)
  return name
}

export const outputOf = (node: Node, position: number): string => {
  const name = node.outputs[position]
  if (!name) throw missing(node, `output ${position}`)
  return name
}

const missing = (node: Node, what: string) =>
  new EspalierError(`${what} is missing`, {
    place: { node: nodeLabel(node), operator: node.opType },
    remedy: 'the file breaks the ONNX specification: export it again',
  })

/** An error that names the node. */
export const unsupported = (node: Node, what: string, remedy: string): UnsupportedError =>
  new UnsupportedError(what, { place: { node: nodeLabel(node), operator: node.opType }, remedy })

/** ∂L/∂output `position`, for rules whose outputs each have a gradient or none. */
export const gradOf = (g: GradientContext, position = 0): string | undefined => g.grads[position]

/** An axis counted from the front. */
export const frontAxis = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)

export const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(to - from, 0) }, (_, i) => from + i)

const writers: { [T in DataType]?: (values: readonly number[]) => Uint8Array } = {
  float32: (values) => bytesOf(Float32Array.from(values)),
  float64: (values) => bytesOf(Float64Array.from(values)),
  int64: (values) => bytesOf(BigInt64Array.from(values, BigInt)),
  int32: (values) => bytesOf(Int32Array.from(values)),
  bool: (values) => Uint8Array.from(values),
}

/** A tensor of one of the types gradients are computed in. */
export const tensorLike = (type: DataType, dims: readonly number[], values: readonly number[]): Tensor => {
  const write = writers[type]
  if (!write)
    throw new UnsupportedError(`gradients cannot be computed in ${type}`, {
      remedy: 'convert the model to float32 first',
    })
  return { type, dims, bytes: write(values) }
}

/** A scalar constant of the element type of `like`, one of the node's own values. */
export const scalarLike = (g: Emitter, like: string, value: number): string =>
  g.b.constant(tensorLike(g.type(like), [], [value]), 'scalar')

/** A constant filled with one value, of the element type of `like`. */
export const filled = (g: Emitter, like: string, dims: readonly number[], value: number): string =>
  sizeOf(dims) <= 64
    ? g.b.constant(tensorLike(g.type(like), dims, Array(sizeOf(dims)).fill(value)), 'filled')
    : g.b.op('ConstantOfShape', [g.b.ints(dims)], { value: tensorLike(g.type(like), [1], [value]) })

/** `x · value`, the multiplication left out when it would do nothing. */
export const scaled = (g: Emitter, like: string, x: string, value: number): string =>
  value === 1 ? x : g.b.op('Mul', [x, scalarLike(g, like, value)])

/** Sum over some axes; over none it is `x` itself. */
export const sum = (g: Emitter, x: string, axes: readonly number[], keepdims = false): string =>
  axes.length === 0 ? x : g.b.op('ReduceSum', [x, g.b.ints(axes)], { keepdims: keepdims ? 1 : 0 })

export const reshape = (g: Emitter, x: string, dims: readonly number[]): string =>
  // A 0 in a Reshape target means "copy": allowzero keeps empty tensors what they are.
  g.b.op('Reshape', [x, g.b.ints(dims)], dims.includes(0) ? { allowzero: 1 } : {})

export const transpose = (g: Emitter, x: string, perm: readonly number[]): string =>
  perm.every((axis, i) => axis === i) ? x : g.b.op('Transpose', [x], { perm })

export const expand = (g: Emitter, x: string, dims: readonly number[]): string => g.b.op('Expand', [x, g.b.ints(dims)])

export const slice = (
  g: Emitter,
  x: string,
  range: {
    axes: readonly number[]
    starts: readonly number[]
    ends: readonly number[]
    steps?: readonly number[]
  },
): string =>
  g.b.op('Slice', [
    x,
    g.b.ints(range.starts),
    g.b.ints(range.ends),
    g.b.ints(range.axes),
    ...(range.steps?.some((step) => step !== 1) ? [g.b.ints(range.steps)] : []),
  ])

/** Pads with zeros: `begin` and `end` for every axis. */
export const padZeros = (g: Emitter, x: string, begin: readonly number[], end: readonly number[]): string =>
  [...begin, ...end].every((n) => n === 0) ? x : g.b.op('Pad', [x, g.b.ints([...begin, ...end])])

/** Takes `x` apart along an axis into pieces of the given sizes. */
export const split = (g: Emitter, x: string, axis: number, sizes: readonly number[]): string[] =>
  sizes.length === 1 ? [x] : g.b.ops('Split', [x, g.b.ints(sizes)], sizes.length, { axis })

export const concat = (g: Emitter, parts: readonly string[], axis: number): string =>
  parts.length === 1 ? parts[0]! : g.b.op('Concat', parts, { axis })

/**
 * Undoes broadcasting. If y = broadcast(x) then every element of x was used once for each of its copies, so
 * ∂L/∂x is ∂L/∂y summed over the copies: the axes that were added in front and those stretched from 1.
 */
export const sumTo = (g: Emitter, grad: string, from: readonly number[], to: readonly number[]): string => {
  const added = from.length - to.length
  const stretched = range(added, from.length).filter((axis) => to[axis - added] === 1 && from[axis] !== 1)
  const summed = sum(g, grad, [...range(0, added), ...stretched])
  return stretched.length === 0 ? summed : reshape(g, summed, to)
}

/** The sizes of a value's axes in every run; where the model is made for one run, those of that run. */
export const sizesOf = (c: NodeContext, value: string): readonly Size[] => c.sizes?.(value) ?? c.dims(value)

/** Whether an axis has another size from run to run. */
export const varies = (c: NodeContext, value: string, axis: number): boolean => !isFixed(sizesOf(c, value)[axis])

/** The numbers that a value of sizes holds, each as far as it is the same in every run; undefined where they are data. */
export const elementsOf = (c: NodeContext, value: string): readonly Size[] | undefined => {
  const tensor = c.constant(value)
  return tensor ? numbersOf(tensor) : c.elements?.(value)
}

/** Refers to an axis of a value. */
export const at = (value: string, axis: number): AxisRef => ({ value, axis })

/** Joins some axes of two values with each other, position by position; all of them unless `axes` says which. */
export const joinAxes = (a: AxisContext, x: string, y: string, axes = range(0, a.dims(x).length)): void => {
  for (const axis of axes) a.join(at(x, axis), at(y, axis))
}

/** Freezes some axes of a value; all of them unless `axes` says which. */
export const freezeAxes = (a: AxisContext, value: string, reason: string, axes?: readonly number[]): void => {
  for (const axis of axes ?? range(0, a.dims(value).length)) a.freeze(at(value, axis), reason)
}

/** Freezes every axis of every input and output: for operators nothing better is known of. */
export const freezeAll = (a: AxisContext, reason: string): void => {
  for (const name of [...a.node.inputs, ...a.node.outputs]) if (name !== '') freezeAxes(a, name, reason)
}

/**
 * Numpy broadcasting of `input` to `output`: aligned right, equal sizes are tied, a stretched axis of size 1 is not
 * (it has nothing to lose).
 */
export const joinBroadcast = (a: AxisContext, input: string, output: string): void => {
  const [from, to] = [a.dims(input), a.dims(output)]
  for (const axis of range(0, from.length)) {
    const other = axis + to.length - from.length
    if (from[axis] === to[other]) a.join(at(input, axis), at(output, other))
    else a.freeze(at(input, axis), 'an axis of size 1 stretched by broadcasting has no index to lose')
  }
}
