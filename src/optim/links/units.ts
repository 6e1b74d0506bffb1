import type { Parameter } from '../types.ts'

/**
 * A parameter's elements seen by output unit: element (b, o, u, i) stands at ((b·outer + o)·units + u)·inner + i and belongs
 * to unit (b, u). Convolutions and dense layers by rows have outer = 1, so that a unit is one run of `inner` elements.
 */
export type Units = { readonly blocks: number; readonly outer: number; readonly units: number; readonly inner: number }

const product = (dims: readonly number[]) => dims.reduce((n, d) => n * d, 1)

/** How a parameter divides into output units, by its role; undefined where it has none (vectors, embeddings, scalars). */
export const unitsOf = ({ role, dims, groups = 1 }: Parameter): Units | undefined => {
  const rank = dims.length
  if (rank < 2) return undefined
  const [first = 1, second = 1] = dims
  switch (role) {
    case 'vector':
    case 'embedding':
      return undefined
    case 'dense':
      return { blocks: product(dims.slice(0, -2)), outer: 1, units: dims[rank - 2] ?? 1, inner: dims[rank - 1] ?? 1 }
    case 'dense-in-out':
      return { blocks: product(dims.slice(0, -2)), outer: dims[rank - 2] ?? 1, units: dims[rank - 1] ?? 1, inner: 1 }
    case 'conv-transpose':
      return { blocks: groups, outer: first / groups, units: second, inner: product(dims.slice(2)) }
    default:
      return axisZero({ dims })
  }
}

/** Axis 0 holds the units, whatever the role: the rule of PyTorch's implementations. */
export const axisZero = ({ dims }: Pick<Parameter, 'dims'>): Units | undefined =>
  dims.length < 2 ? undefined : { blocks: 1, outer: 1, units: dims[0] ?? 1, inner: product(dims.slice(1)) }

/** Sums f over each unit's elements; one number per unit, by block. */
export const sumUnits = (
  { blocks, outer, units, inner }: Units,
  values: Float32Array,
  f: (value: number) => number,
): Float64Array => {
  const sums = new Float64Array(blocks * units)
  let at = 0
  for (let b = 0; b < blocks; b++)
    for (let o = 0; o < outer; o++)
      for (let u = 0; u < units; u++) {
        let sum = 0
        for (const end = at + inner; at < end; at++) sum += f(values[at]!)
        sums[b * units + u]! += sum
      }
  return sums
}

/** Calls f with the start and end of each run of elements of one unit. */
export const eachRun = (
  { blocks, outer, units, inner }: Units,
  f: (unit: number, start: number, end: number) => void,
): void => {
  let at = 0
  for (let b = 0; b < blocks; b++)
    for (let o = 0; o < outer; o++)
      for (let u = 0; u < units; u++) {
        f(b * units + u, at, at + inner)
        at += inner
      }
}

/** ‖·‖ of each output unit; of the whole tensor where it has no units. */
export const unitNorms = (units: Units, values: Float32Array): Float64Array =>
  sumUnits(units, values, (v) => v * v).map(Math.sqrt)

/** A tensor without units as a single one. */
export const wholeTensor = ({ values }: Parameter): Units => ({ blocks: 1, outer: 1, units: 1, inner: values.length })
