import { float32Of, numbersOf, sizeOf, type Tensor } from '../../base/index.ts'
import { readable } from '../readable.ts'
import type { Group, Member } from '../types.ts'
import type { MemberWeights, Moments } from './types.ts'

const floating = new Set(['float32', 'float64', 'float16', 'bfloat16'])

/** Whether a tensor's elements can be weighed. */
export const isFloating = (tensor: Pick<Tensor, 'type'>): boolean => floating.has(tensor.type)

/** Good until the next tensor's are asked for. */
const elementsOf = (tensor: Tensor): ArrayLike<number> =>
  tensor.type === 'float32' ? float32Of({ ...tensor, bytes: readable(tensor.bytes) }) : numbersOf(tensor)

/** The weights of one of a group's members, read lazily. */
export const memberWeights = (group: Group, member: Member, tensor: Tensor): MemberWeights => {
  const { axis, perUnit, indices } = member
  const size = tensor.dims[axis]!
  const outer = sizeOf(tensor.dims.slice(0, axis))
  const inner = sizeOf(tensor.dims.slice(axis + 1))
  const width = outer * perUnit * inner
  let rows: Float64Array | undefined
  let moments: Moments | undefined

  return {
    initializer: member.initializer,
    axis,
    operator: member.operator,
    input: member.input,
    width,
    rows() {
      if (rows) return rows
      const elements = elementsOf(tensor)
      const laid = new Float64Array(group.size * width)
      for (let k = 0; k < indices.length; k++) {
        const begin = Math.floor(k / perUnit) * width + (k % perUnit) * inner
        for (let o = 0; o < outer; o++) {
          const [from, to] = [(o * size + indices[k]!) * inner, begin + o * perUnit * inner]
          for (let i = 0; i < inner; i++) laid[to + i] = elements[from + i]!
        }
      }
      rows = laid
      return laid
    },
    moments() {
      moments ??= momentsOf((term) => {
        const elements = elementsOf(tensor)
        const total = new Float64Array(group.size)
        // Row after row of the tensor, the order in which it lies in memory.
        for (let o = 0; o < outer; o++)
          if (inner === 1 && perUnit === 1) term.row(elements, o * size, indices, total)
          else
            for (let k = 0; k < indices.length; k++) {
              const from = (o * size + indices[k]!) * inner
              total[Math.floor(k / perUnit)]! += term.block(elements, from, from + inner)
            }
        return total
      })
      return moments
    },
  }
}

/** What is added up: over neighbouring elements, or over a row that has one element of each unit. */
type Term = {
  block(elements: ArrayLike<number>, from: number, to: number): number
  row(elements: ArrayLike<number>, begin: number, indices: Int32Array, total: Float64Array): void
}

const sum: Term = {
  block(elements, from, to) {
    let total = 0
    for (let i = from; i < to; i++) total += elements[i]!
    return total
  },
  row(elements, begin, indices, total) {
    for (let k = 0; k < indices.length; k++) total[k]! += elements[begin + indices[k]!]!
  },
}

const absolute: Term = {
  block(elements, from, to) {
    let total = 0
    for (let i = from; i < to; i++) total += Math.abs(elements[i]!)
    return total
  },
  row(elements, begin, indices, total) {
    for (let k = 0; k < indices.length; k++) total[k]! += Math.abs(elements[begin + indices[k]!]!)
  },
}

const squares: Term = {
  block(elements, from, to) {
    let total = 0
    for (let i = from; i < to; i++) total += elements[i]! ** 2
    return total
  },
  row(elements, begin, indices, total) {
    for (let k = 0; k < indices.length; k++) total[k]! += elements[begin + indices[k]!]! ** 2
  },
}

/** Each sum taken when it is first asked for: most criteria want one, and the weights of a large model take long to read. */
const momentsOf = (over: (term: Term) => Float64Array): Moments => {
  const known = new Map<Term, Float64Array>()
  const once = (term: Term) => {
    const found = known.get(term) ?? over(term)
    known.set(term, found)
    return found
  }
  return {
    get sum() {
      return once(sum)
    },
    get absolute() {
      return once(absolute)
    },
    get squares() {
      return once(squares)
    },
  }
}
