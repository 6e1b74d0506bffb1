import type * as Ort from 'onnxruntime-common'
import { bytesOf, type DataType, EspalierError, sizeOf, type Tensor, UnsupportedError } from '../base/index.ts'

/** The part of ONNX Runtime's JavaScript API, common to its native and web engines, that sessions are built on. */
export type Engine = Pick<typeof Ort, 'InferenceSession' | 'Tensor'>

type Elements =
  | Float32ArrayConstructor
  | Float64ArrayConstructor
  | Int8ArrayConstructor
  | Uint8ArrayConstructor
  | Int16ArrayConstructor
  | Uint16ArrayConstructor
  | Int32ArrayConstructor
  | Uint32ArrayConstructor
  | BigInt64ArrayConstructor
  | BigUint64ArrayConstructor

/** The element types the engine passes to and from JavaScript, and the array it wants each in. */
const elements = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
  int4: Uint8Array,
  uint4: Uint8Array,
} satisfies { [T in DataType]?: Elements }

const isNumeric = (type: DataType): type is keyof typeof elements => type in elements

/** Whether tensors of a type can be handed to the engine and back. */
export const passes = (type: DataType): boolean => type === 'string' || isNumeric(type)

const utf8 = { encode: new TextEncoder(), decode: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }) }

/** A tensor as the engine takes it: over the same memory where that is aligned and not shared, else over a copy. */
export const toEngine = (engine: Engine, name: string, tensor: Tensor): Ort.Tensor => {
  const dims = [...tensor.dims]
  if (tensor.type === 'string') return new engine.Tensor('string', textsOf(name, tensor), dims)
  if (!isNumeric(tensor.type))
    throw new UnsupportedError(
      `input '${name}' is ${tensor.type}, which ONNX Runtime cannot be given from JavaScript`,
      {
        remedy: 'feed float32 and cast inside the graph',
      },
    )
  const Elements = elements[tensor.type]
  const { buffer, byteOffset, byteLength } = usable(tensor.bytes, Elements.BYTES_PER_ELEMENT)
  return new engine.Tensor(tensor.type, new Elements(buffer, byteOffset, byteLength / Elements.BYTES_PER_ELEMENT), dims)
}

/** One of the tensors the engine returned, over the memory it came in. */
export const fromEngine = (name: string, results: Ort.InferenceSession.OnnxValueMapType): Tensor => {
  const tensor = results[name]
  if (tensor === undefined) throw new EspalierError(`the engine returned no output '${name}'`)
  const { type, data } = tensor
  const dims = [...tensor.dims]
  if (Array.isArray(data))
    return { type, dims, bytes: new Uint8Array(0), strings: data.map((s) => utf8.encode.encode(s)) }
  if (!ArrayBuffer.isView(data)) throw new EspalierError(`output '${name}' came back without its elements`)
  return { type, dims, bytes: bytesOf(data) }
}

/** The bytes where the engine can read them: aligned to their elements, and not shared between threads (it refuses that). */
const usable = ({ buffer, byteOffset, byteLength }: Uint8Array, width: number): Uint8Array<ArrayBuffer> =>
  byteOffset % width === 0 && buffer instanceof ArrayBuffer
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength))

/** Elements of a string tensor as the engine takes them: valid UTF-8, and cut at the first NUL, so none may hold one. */
const textsOf = (name: string, tensor: Tensor): string[] => {
  const texts = (tensor.strings ?? []).map((element) => {
    try {
      return utf8.decode.decode(element)
    } catch (cause) {
      throw new UnsupportedError(`input '${name}' holds a string that is not UTF-8`, { cause })
    }
  })
  if (texts.some((text) => text.includes('\0')))
    throw new UnsupportedError(
      `input '${name}' holds a string with a NUL character, which ONNX Runtime would cut there`,
    )
  if (texts.length !== sizeOf(tensor.dims))
    throw new EspalierError(
      `input '${name}' has ${texts.length} strings where shape [${tensor.dims.join(', ')}] needs ${sizeOf(tensor.dims)}`,
    )
  return texts
}
