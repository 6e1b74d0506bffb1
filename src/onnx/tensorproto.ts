import {
  clearField,
  create,
  type DescMessage,
  fromBinary,
  isFieldSet,
  isMessage,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import {
  type StringStringEntryProto,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProtoSchema,
} from 'onnx-buf'
import {
  bytesOf,
  type DataType,
  dataTypes,
  type ErrorPlace,
  FormatError,
  messageOf,
  type Tensor,
} from '../base/index.ts'
import { type Chunks, checkWire, chunk, concatenated, joined, lengthDelimited } from './wire.ts'

/** Where a tensor's bytes lie when they are outside the model file. */
export type ExternalPlace = { readonly location: string; readonly offset: number; readonly length: number }

/** Gives the bytes that lie at a place. Must throw when there are not `length` of them. */
export type ExternalReader = (at: ExternalPlace) => Uint8Array

const typesByNumber = new Map<number, DataType>()
for (const [name, { onnx }] of Object.entries(dataTypes)) if (isDataType(name)) typesByNumber.set(onnx, name)

function isDataType(name: string): name is DataType {
  return Object.hasOwn(dataTypes, name)
}

/** The element type of ONNX's number; undefined for a number no version up to 1.20 has. */
export const dataTypeOf = (number: number): DataType | undefined => typesByNumber.get(number)

/**
 * Makes what takes the named fields out of a message of one type: the message with all others left, or undefined when
 * there are none. In place; a message with nothing left is not touched.
 */
export const remainderOf = <D extends DescMessage>(
  schema: D,
  taken: readonly (keyof D['field'] & string)[],
): ((message: MessageShape<D>) => MessageShape<D> | undefined) => {
  const takenFields = new Set(taken.map((name) => schema.field[name]!))
  const others = schema.fields.filter((field) => !takenFields.has(field))
  return (message) => {
    if (message.$unknown === undefined && !others.some((field) => isFieldSet(message, field))) return undefined
    for (const field of takenFields) clearField(message, field)
    return message
  }
}

/** `extra` as a message of the given type, where it is one. */
export const messageIn = <D extends DescMessage>(schema: D, extra: unknown): MessageShape<D> | undefined =>
  isMessage(extra, schema) ? extra : undefined

/** Text by key, as ONNX's messages hold it. */
export const entriesOf = (entries: Iterable<readonly [string, string]>): StringStringEntryProto[] =>
  Array.from(entries, ([key, value]) => create(StringStringEntryProtoSchema, { key, value }))

/** A whole number of a file, as a JavaScript number. */
export const wholeNumber = (value: bigint, what: string, place: ErrorPlace): number => {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw new FormatError(`${what} is ${value}`, { place })
  return Number(value)
}

/** How many elements a shape read from a file has, refusing what cannot be counted. */
const countOf = (dims: readonly number[], place: ErrorPlace): number => {
  const count = dims.includes(0) ? 0 : dims.reduce((product, dim) => product * dim, 1)
  if (!Number.isSafeInteger(count)) throw new FormatError(`no tensor has the shape [${dims.join(', ')}]`, { place })
  return count
}

/**
 * The tensor a TensorProto holds. Raw data stays a view of the file's bytes; typed fields become bytes.
 * The message is left holding only what the tensor does not (name, doc string, metadata, an unknown element type's number).
 */
export const readTensor = (proto: TensorProto, place: ErrorPlace, external?: ExternalReader): Tensor => {
  const dims = proto.dims.map((dim, axis) => wholeNumber(dim, 'a dimension', { ...place, axis }))
  const type = dataTypeOf(proto.dataType)
  if (type === 'undefined') throw new FormatError('a tensor without an element type', { place })
  if (proto.segment) throw new FormatError('a tensor stored in segments, which ONNX does not define', { place })
  const count = countOf(dims, place)
  const tensor: Tensor =
    type === 'string'
      ? { type, dims, bytes: new Uint8Array(0), strings: stringsOf(proto, count, place) }
      : { type: type ?? 'undefined', dims, bytes: contentsOf(proto, type, count, place, external) }
  for (const name of contentFields) clearField(proto, TensorProtoSchema.field[name])
  if (type) clearField(proto, TensorProtoSchema.field.dataType)
  return tensor
}

const contentFields = [
  'dims',
  'segment',
  'floatData',
  'int32Data',
  'stringData',
  'int64Data',
  'doubleData',
  'uint64Data',
  'rawData',
  'externalData',
  'dataLocation',
] as const

const stringsOf = (proto: TensorProto, count: number, place: ErrorPlace): Uint8Array[] => {
  if (proto.stringData.length !== count)
    throw new FormatError(`a string tensor of ${count} elements holds ${proto.stringData.length}`, { place })
  return proto.stringData
}

const contentsOf = (
  proto: TensorProto,
  type: DataType | undefined,
  count: number,
  place: ErrorPlace,
  external: ExternalReader | undefined,
): Uint8Array => {
  const expected = type === undefined ? undefined : Math.ceil((count * dataTypes[type].bits) / 8)
  const bytes =
    proto.dataLocation === TensorProto_DataLocation.EXTERNAL
      ? externalBytes(proto, expected, place, external)
      : proto.rawData.byteLength > 0 || type === undefined
        ? proto.rawData
        : typedBytes(proto, type)
  if (expected !== undefined && bytes.byteLength !== expected)
    throw new FormatError(
      `a ${type} tensor of shape [${proto.dims.join(', ')}] takes ${expected} bytes and has ${bytes.byteLength}`,
      { place },
    )
  return bytes
}

/**
 * Which typed field holds which element type is stated in onnx.proto: narrow integers, bool, 16-bit floats (as bits),
 * 8-bit floats and packed types (a byte each) lie in int32_data, complex numbers as pairs.
 */
const typedBytes = (proto: TensorProto, type: DataType): Uint8Array => {
  switch (type) {
    case 'float32':
    case 'complex64':
      return bytesOf(new Float32Array(proto.floatData))
    case 'float64':
    case 'complex128':
      return bytesOf(new Float64Array(proto.doubleData))
    case 'int64':
      return bytesOf(new BigInt64Array(proto.int64Data))
    case 'uint64':
      return bytesOf(new BigUint64Array(proto.uint64Data))
    case 'uint32':
      return bytesOf(Uint32Array.from(proto.uint64Data, Number))
    case 'int32':
      return bytesOf(new Int32Array(proto.int32Data))
    case 'int16':
    case 'uint16':
    case 'float16':
    case 'bfloat16':
      return bytesOf(new Uint16Array(proto.int32Data))
    default:
      return new Uint8Array(proto.int32Data)
  }
}

const externalBytes = (
  proto: TensorProto,
  expected: number | undefined,
  place: ErrorPlace,
  external: ExternalReader | undefined,
): Uint8Array => {
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]))
  const location = entries.get('location')
  if (!location) throw new FormatError('external data without a location', { place })
  const number = (key: string, absent: number | undefined): number => {
    const text = entries.get(key)
    if (text === undefined && absent !== undefined) return absent
    if (text === undefined || !/^\d{1,15}$/.test(text))
      throw new FormatError(`external data in '${location}' with the ${key} '${text ?? ''}'`, { place })
    return Number(text)
  }
  const at = { location, offset: number('offset', 0), length: number('length', expected) }
  if (expected !== undefined && at.length !== expected)
    throw new FormatError(`external data of ${at.length} bytes where the tensor takes ${expected}`, { place })
  if (!external)
    throw new FormatError(`the data lie in another file, '${location}'`, {
      place,
      remedy: 'read the model with readModel, or pass `external`',
    })
  try {
    return external(at)
  } catch (error) {
    throw new FormatError(`external data: ${messageOf(error)}`, { place, cause: error })
  }
}

/** A TensorProto in pieces: its head, then the tensor's own memory. `kept` is what `readTensor` left of a message. */
export const writeTensor = (tensor: Tensor, kept: unknown, name?: string, at?: ExternalPlace): Chunks => {
  const rest = messageIn(TensorProtoSchema, kept)
  const proto = Object.assign(create(TensorProtoSchema), rest, { dims: tensor.dims.map(BigInt) })
  if (tensor.type !== 'undefined') proto.dataType = dataTypes[tensor.type].onnx
  if (name !== undefined) proto.name = name
  if (at) {
    proto.dataLocation = TensorProto_DataLocation.EXTERNAL
    const entries = { location: at.location, offset: String(at.offset), length: String(at.length) }
    proto.externalData = entriesOf(Object.entries(entries))
  }
  const head = chunk(toBinary(TensorProtoSchema, proto))
  if (at) return head
  if (tensor.type === 'string')
    return joined([
      head,
      ...(tensor.strings ?? []).map((text) => lengthDelimited(TensorProtoSchema.field.stringData.number, chunk(text))),
    ])
  return joined([head, lengthDelimited(TensorProtoSchema.field.rawData.number, chunk(tensor.bytes))])
}

/** The tensor in a file that holds nothing else, as ONNX's test data `input_0.pb`. */
export const tensorFromProto = (file: Uint8Array, options: { file?: string } = {}): Tensor => {
  const place: ErrorPlace = options.file === undefined ? {} : { file: options.file }
  const bytes = bytesOf(file)
  checkWire(TensorProtoSchema, bytes, (what) => {
    throw new FormatError(what, { place })
  })
  return readTensor(fromBinary(TensorProtoSchema, bytes), place)
}

/** The bytes of a file that holds only this tensor. */
export const tensorToProto = (tensor: Tensor, name = ''): Uint8Array =>
  concatenated(writeTensor(tensor, undefined, name))
