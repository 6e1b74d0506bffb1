import { dataTypes } from '../../base/index.ts'
import { intOf } from '../../onnx/index.ts'
import { operationOf, remainder, rounded } from './arithmetic.ts'
import { allFixed, isFixed, type Quantities, type Size, sameSize, sizeText } from './size.ts'
import type { SizeContext, SizeRule } from './types.ts'

/** A value of more elements is data, whatever it holds. */
export const mostElements = 64

const isFloat = (c: SizeContext, input: number) => ['float32', 'float64', 'float16', 'bfloat16'].includes(c.type(input))

/** Every output has the shape of one input. */
export const likeInput =
  (input = 0): SizeRule =>
  (c) =>
    c.node.outputs.map(() => ({ dims: c.dims(input) }))

/** The first output is the input, elements and all. */
export const sameValue: SizeRule = (c) => [{ dims: c.dims(0), elements: c.elements(0) }]

/** ONNX numbers of the types that hold whole numbers and truth values. */
const wholeTypes: ReadonlySet<number> = new Set(
  (['int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'] as const).map(
    (type) => dataTypes[type].onnx,
  ),
)

/** Whole numbers stay what they are; a float is cut off at the point. */
export const castSizes: SizeRule = (c) => {
  const to = intOf(c.node, 'to', 0)
  const elements = c.elements(0)
  const toWhole = wholeTypes.has(to)
  const toTruth = to === dataTypes.bool.onnx
  const given = elements?.map((size) => {
    if (toWhole) return rounded(c.quantities, size, 'trunc')
    if (toTruth) return isFixed(size) ? Number(size !== 0) : c.quantities.apply('bool', [size], { least: 0 })
    return size
  })
  // Half precision rounds whole numbers too.
  const exact = toWhole || toTruth || to === dataTypes.float32.onnx || to === dataTypes.float64.onnx
  return [{ dims: c.dims(0), elements: exact ? given : undefined }]
}

export const roundSizes =
  (how: 'floor' | 'ceil' | 'round'): SizeRule =>
  (c) => [{ dims: c.dims(0), elements: c.elements(0)?.map((size) => rounded(c.quantities, size, how)) }]

/** numpy's rules for two sizes: 1 gives way, and a number above 1 wins, since the other must be 1 or equal to it. */
export const broadcastSize = (q: Quantities, a: Size, b: Size): Size => {
  if (a === 1 || sameSize(a, b)) return b
  if (b === 1 || isFixed(a)) return a
  if (isFixed(b)) return b
  const [one, other] = [a, b].sort((x, y) => (sizeText(x) < sizeText(y) ? -1 : 1)) as [Size, Size]
  return q.apply('broadcast', [one, other], { least: 0 })
}

export const broadcastDims = (
  q: Quantities,
  shapes: readonly (readonly Size[] | undefined)[],
): readonly Size[] | undefined => {
  const rank = Math.max(...shapes.map((dims) => dims?.length ?? 0))
  const known = shapes.filter((dims) => dims !== undefined)
  if (known.length < shapes.length) return undefined
  return Array.from({ length: rank }, (_, axis) =>
    known.reduce<Size>((size, dims) => broadcastSize(q, size, dims[axis - rank + dims.length] ?? 1), 1),
  )
}

/** An operator that works element by element on inputs broadcast to one shape. */
export const broadcastSizes: SizeRule = (c) => {
  const inputs = [...c.node.inputs.keys()]
  const dims = broadcastDims(
    c.quantities,
    inputs.map((input) => c.dims(input)),
  )
  return [{ dims, elements: dims && elementsOf(c, inputs, dims) }]
}

const elementsOf = (c: SizeContext, inputs: readonly number[], dims: readonly Size[]): Size[] | undefined => {
  const { opType } = c.node
  // A condition does not make a choice between whole numbers a float.
  const floats = inputs.some((input) => isFloat(c, input))
  const operation =
    opType === 'Mod'
      ? (q: Quantities, a: Size, b: Size) => remainder(q, a, b, intOf(c.node, 'fmod', 0) === 1)
      : operationOf(opType, floats)
  const given = inputs.map((input) => c.elements(input))
  if (!operation || !allFixed(dims) || (opType === 'Mod' && floats)) return undefined
  const count = dims.reduce((n, dim) => n * dim, 1)
  if (count > mostElements || given.some((elements) => elements === undefined)) return undefined
  return Array.from({ length: count }, (_, flat) => {
    const sizes = inputs.map((input, i) => given[i]![sourceOf(flat, dims, c.dims(input)!)]!)
    return operation(c.quantities, ...sizes)
  })
}

/** The place in a broadcast input of the element at a place of the output. */
export const sourceOf = (flat: number, dims: readonly number[], from: readonly Size[]): number => {
  let [rest, at, stride] = [flat, 0, 1]
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    const index = rest % dims[axis]!
    rest = (rest - index) / dims[axis]!
    const size = from[axis - dims.length + from.length]
    if (isFixed(size)) {
      if (size > 1) at += index * stride
      stride *= size
    }
  }
  return at
}
