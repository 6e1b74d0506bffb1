import { byteLengthOf, dataTypes, sizeOf, type Tensor, type TensorType } from '../../base/index.ts'
import type { Extent } from './proto.ts'

/** The dimensions of the part of a variable that `extents` select. @throws Error when it leaves the variable. */
export const dimsOfSlice = (dims: readonly number[], extents: readonly Extent[]): number[] => {
  if (extents.length !== dims.length) throw new Error('a slice has another number of axes than its variable')
  return dims.map((dim, axis) => {
    const { start, length } = extents[axis]!
    const taken = length === -1 ? dim : length
    if (start < 0 || taken < 0 || start + taken > dim) throw new Error('a slice leaves its variable')
    return taken
  })
}

/** Puts a variable together from the parts it was saved in. @throws Error when they do not cover it. */
export const assemble = (
  type: TensorType,
  parts: readonly { extents: readonly Extent[]; bytes: Uint8Array }[],
): Tensor => {
  const width = dataTypes[type.type].bits / 8
  let covered = 0
  const sizes = parts.map(({ extents }) => dimsOfSlice(type.dims, extents))
  for (const [i, { bytes }] of parts.entries()) {
    if (bytes.length !== sizeOf(sizes[i]!) * width) throw new Error('a slice has another size than its extents')
    covered += bytes.length
  }
  if (covered !== byteLengthOf(type)) throw new Error('its slices do not cover it')
  if (parts.length === 1) return { ...type, bytes: parts[0]!.bytes }

  const whole = new Uint8Array(byteLengthOf(type))
  for (const [i, { extents, bytes }] of parts.entries()) {
    const rank = type.dims.length
    // Copies runs along the last axis, walking over the others.
    const run = (sizes[i]![rank - 1] ?? 1) * width
    for (let from = 0; from < bytes.length; from += run) {
      let index = from / run
      let to = (extents[rank - 1]?.start ?? 0) * width
      let stride = (type.dims[rank - 1] ?? 1) * width
      for (let axis = rank - 2; axis >= 0; axis--) {
        const size = sizes[i]![axis]!
        to += ((index % size) + extents[axis]!.start) * stride
        index = Math.floor(index / size)
        stride *= type.dims[axis]!
      }
      whole.set(bytes.subarray(from, from + run), to)
    }
  }
  return { ...type, bytes: whole }
}
