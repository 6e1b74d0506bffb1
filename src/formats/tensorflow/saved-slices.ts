import { dataTypes, FormatError, messageOf, sizeOf, type Tensor, type TensorType } from '../../base/index.ts'
import { dataTypeOf, type Extent, extentsOf, Message, shapeOf } from './proto.ts'
import { assemble, dimsOfSlice } from './slices.ts'
import { readTable } from './table.ts'

/** A checkpoint of version 1, read: its variables' types and shapes, and their values on demand. */
export type SavedSlices = {
  readonly variables: Map<string, TensorType>
  tensor(name: string): Tensor
}

/**
 * Reads a version 1 checkpoint: a table of SavedTensorSlices messages. The one under the empty key lists the variables,
 * each other one holds a part of one as a TensorProto (tensorflow/core/util/saved_tensor_slice.proto). A checkpoint
 * saved in shards is several such files, read together.
 */
export const readSavedSlices = (files: readonly { bytes: Uint8Array; file?: string }[]): SavedSlices => {
  const variables = new Map<string, TensorType>()
  const parts = new Map<string, { extents: Extent[]; values: Message }[]>()
  for (const { bytes, file } of files) {
    try {
      for (const { key, value } of readTable(bytes, file)) {
        const message = new Message(value)
        if (key.length === 0) {
          for (const tensor of new Message(message.bytes(1) ?? new Uint8Array(0)).all(1)) {
            const meta = new Message(tensor)
            const type = dataTypeOf(meta.integer(3))
            variables.set(nameOf(meta), { type: type ?? 'undefined', dims: shapeOf(meta.bytes(2)) })
          }
          continue
        }
        const slice = new Message(message.bytes(2) ?? new Uint8Array(0))
        const part = { extents: extentsOf(slice.bytes(2)), values: new Message(slice.bytes(3) ?? new Uint8Array(0)) }
        parts.set(nameOf(slice), [...(parts.get(nameOf(slice)) ?? []), part])
      }
    } catch (error) {
      if (error instanceof FormatError) throw error
      throw new FormatError(`not a TensorFlow checkpoint: ${messageOf(error)}`, {
        place: file === undefined ? {} : { file },
        remedy: 'give a checkpoint that tf.train.Saver wrote',
        cause: error,
      })
    }
  }

  const tensor = (name: string): Tensor => {
    try {
      const type = variables.get(name)
      if (!type) throw new Error('the checkpoint has no such variable')
      const own = parts.get(name) ?? []
      if (own.length === 0) throw new Error('its values are missing')
      if (type.type === 'string' && own.length === 1) {
        const strings = own[0]!.values.all(8)
        if (strings.length !== sizeOf(type.dims)) throw new Error('its strings do not fill its shape')
        return { ...type, bytes: new Uint8Array(0), strings }
      }
      return assemble(
        type,
        own.map(({ extents, values }) => ({
          extents,
          bytes: valuesOf(values, { type: type.type, dims: dimsOfSlice(type.dims, extents) }),
        })),
      )
    } catch (error) {
      const file = files[0]?.file
      throw new FormatError(messageOf(error), {
        place: { ...(file === undefined ? {} : { file }), initializer: name },
        remedy: 'copy the checkpoint again from where it was saved',
        cause: error,
      })
    }
  }
  return { variables, tensor }
}

const nameOf = (message: Message) => new TextDecoder().decode(message.bytes(1))

/** The values of a TensorProto: its raw content, or the field its type has for them. */
const valuesOf = (proto: Message, { type, dims }: TensorType): Uint8Array => {
  const content = proto.bytes(4)
  if (content?.length) return content
  const fixed = fixedFields[type]
  if (fixed !== undefined) return joined(proto.all(fixed))
  const field = varintFields[type]
  if (field === undefined)
    throw new Error(
      type === 'undefined' ? "the values' type is no array's" : `values of type ${type} are not supported`,
    )
  const values = proto.varints(field)
  if (values.length !== sizeOf(dims)) throw new Error('its values do not fill its shape')
  const width = dataTypes[type].bits / 8
  const bytes = new Uint8Array(values.length * width)
  const view = new DataView(bytes.buffer)
  for (const [i, value] of values.entries()) {
    if (width === 8) view.setBigUint64(i * 8, value, true)
    else if (width === 4) view.setUint32(i * 4, Number(value & 0xffffffffn), true)
    else if (width === 2) view.setUint16(i * 2, Number(value & 0xffffn), true)
    else view.setUint8(i, Number(value & 0xffn))
  }
  return bytes
}

/** TensorProto's repeated fields of fixed width, whose packed bytes are our own (tensorflow/core/framework/tensor.proto). */
const fixedFields: { [T in TensorType['type']]?: number } = { float32: 5, float64: 6, complex64: 9, complex128: 12 }

/** TensorProto's repeated varint fields: small integers share int_val, both 16-bit floats share half_val. */
const varintFields: { [T in TensorType['type']]?: number } = {
  int32: 7,
  int16: 7,
  int8: 7,
  uint16: 7,
  uint8: 7,
  int64: 10,
  bool: 11,
  float16: 13,
  bfloat16: 13,
  uint32: 16,
  uint64: 17,
}

const joined = (pieces: readonly Uint8Array[]): Uint8Array => {
  if (pieces.length === 1) return pieces[0]!
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}
