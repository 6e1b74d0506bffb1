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
      if (moments) return moments
      const elements = elementsOf(tensor)
      const sum = new Float64Array(group.size)
      const absolute = new Float64Array(group.size)
      const squares = new Float64Array(group.size)
      // Row after row of the tensor, the order in which it lies in memory.
      for (let o = 0; o < outer; o++)
        for (let k = 0; k < indices.length; k++) {
          const from = (o * size + indices[k]!) * inner
          let [s, a, q] = [0, 0, 0]
          for (let i = from; i < from + inner; i++) {
            const value = elements[i]!
            s += value
            a += Math.abs(value)
            q += value * value
          }
          const unit = Math.floor(k / perUnit)
          sum[unit]! += s
          absolute[unit]! += a
          squares[unit]! += q
        }
      moments = { sum, absolute, squares }
      return moments
    },
  }
}
