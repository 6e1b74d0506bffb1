import { EspalierError } from './errors.ts'

/** Element types, by their ONNX number. Names follow ONNX Runtime's JavaScript API; all of ONNX 1.20 are here. */
export const dataTypes = {
  undefined: { onnx: 0, bits: 0 },
  float32: { onnx: 1, bits: 32 },
  uint8: { onnx: 2, bits: 8 },
  int8: { onnx: 3, bits: 8 },
  uint16: { onnx: 4, bits: 16 },
  int16: { onnx: 5, bits: 16 },
  int32: { onnx: 6, bits: 32 },
  int64: { onnx: 7, bits: 64 },
  string: { onnx: 8, bits: 0 },
  bool: { onnx: 9, bits: 8 },
  float16: { onnx: 10, bits: 16 },
  float64: { onnx: 11, bits: 64 },
  uint32: { onnx: 12, bits: 32 },
  uint64: { onnx: 13, bits: 64 },
  complex64: { onnx: 14, bits: 64 },
  complex128: { onnx: 15, bits: 128 },
  bfloat16: { onnx: 16, bits: 16 },
  float8e4m3fn: { onnx: 17, bits: 8 },
  float8e4m3fnuz: { onnx: 18, bits: 8 },
  float8e5m2: { onnx: 19, bits: 8 },
  float8e5m2fnuz: { onnx: 20, bits: 8 },
  uint4: { onnx: 21, bits: 4 },
  int4: { onnx: 22, bits: 4 },
  float4e2m1: { onnx: 23, bits: 4 },
  float8e8m0: { onnx: 24, bits: 8 },
  uint2: { onnx: 25, bits: 2 },
  int2: { onnx: 26, bits: 2 },
} as const

export type DataType = keyof typeof dataTypes

/**
 * A tensor as ONNX stores it: plain data. `bytes` are the elements in row-major order, little-endian, 4- and 2-bit types
 * packed low bits first. `bytes` may be a view at any offset of a larger buffer, so read it through `float32Of` and the
 * like, which copy only when the offset is not aligned. A string tensor has empty `bytes` and its elements in `strings`.
 */
export type Tensor = {
  readonly type: DataType
  readonly dims: readonly number[]
  readonly bytes: Uint8Array
  readonly strings?: readonly Uint8Array[]
}

/** A tensor's type and shape, without its contents. */
export type TensorType = { readonly type: DataType; readonly dims: readonly number[] }

/** How many elements a shape has: the product of its dimensions, 1 for a scalar. */
export const sizeOf = (dims: readonly number[]): number => dims.reduce((size, dim) => size * dim, 1)

/** How many bytes the elements of a type and shape take, packed types rounded up to a whole byte. */
export const byteLengthOf = ({ type, dims }: TensorType): number => Math.ceil((sizeOf(dims) * dataTypes[type].bits) / 8)

type View = {
  readonly buffer: ArrayBufferLike
  readonly byteOffset: number
  readonly byteLength: number
}

/** A view's memory as bytes, without a copy. */
export const bytesOf = (view: View): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

/** A float32 tensor over `values` (not copied when it is a Float32Array). */
export const float32 = (dims: readonly number[], values: Float32Array | readonly number[]): Tensor =>
  checked({
    type: 'float32',
    dims,
    bytes: bytesOf(values instanceof Float32Array ? values : Float32Array.from(values)),
  })

/** A float64 tensor over `values`. */
export const float64 = (dims: readonly number[], values: Float64Array | readonly number[]): Tensor =>
  checked({
    type: 'float64',
    dims,
    bytes: bytesOf(values instanceof Float64Array ? values : Float64Array.from(values)),
  })

/** An int64 tensor over `values`; numbers must be whole. */
export const int64 = (dims: readonly number[], values: BigInt64Array | readonly (number | bigint)[]): Tensor =>
  checked({
    type: 'int64',
    dims,
    bytes: bytesOf(values instanceof BigInt64Array ? values : BigInt64Array.from(values, BigInt)),
  })

/** An int32 tensor over `values`. */
export const int32 = (dims: readonly number[], values: Int32Array | readonly number[]): Tensor =>
  checked({ type: 'int32', dims, bytes: bytesOf(values instanceof Int32Array ? values : Int32Array.from(values)) })

/** A uint8 tensor over `values`. */
export const uint8 = (dims: readonly number[], values: Uint8Array | readonly number[]): Tensor =>
  checked({ type: 'uint8', dims, bytes: values instanceof Uint8Array ? values : Uint8Array.from(values) })

/** A bool tensor. */
export const bool = (dims: readonly number[], values: readonly boolean[]): Tensor =>
  checked({ type: 'bool', dims, bytes: Uint8Array.from(values, Number) })

const checked = (tensor: Tensor): Tensor => {
  if (tensor.bytes.byteLength !== byteLengthOf(tensor))
    throw new EspalierError(
      `a ${tensor.type} tensor of shape [${tensor.dims.join(', ')}] takes ${byteLengthOf(tensor)} bytes, not ${tensor.bytes.byteLength}`,
    )
  return tensor
}

/** `bytes` as a view of `width`-byte elements: in place when aligned, else over a copy (a Node Buffer's `slice` is none). */
const aligned = (bytes: Uint8Array, width: number): View =>
  bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes)

const expectType = (tensor: Tensor, type: DataType) => {
  if (tensor.type !== type) throw new EspalierError(`expected a ${type} tensor and got ${tensor.type}`)
}

/** The elements of a float32 tensor: a view of its bytes when they are aligned, else of a copy. */
export const float32Of = (tensor: Tensor): Float32Array => {
  expectType(tensor, 'float32')
  const { buffer, byteOffset, byteLength } = aligned(tensor.bytes, 4)
  return new Float32Array(buffer, byteOffset, byteLength / 4)
}

/** The elements of an int64 tensor: a view of its bytes when they are aligned, else of a copy. */
export const int64Of = (tensor: Tensor): BigInt64Array => {
  expectType(tensor, 'int64')
  const { buffer, byteOffset, byteLength } = aligned(tensor.bytes, 8)
  return new BigInt64Array(buffer, byteOffset, byteLength / 8)
}

/** The elements of a tensor of any real type of 8 bits or more, converted to numbers (int64 loses digits past 2^53). */
export const numbersOf = (tensor: Tensor): number[] => {
  const read = readers[tensor.type]
  if (!read) throw new EspalierError(`a ${tensor.type} tensor cannot be read as numbers`)
  const { buffer, byteOffset } = tensor.bytes
  const view = new DataView(buffer, byteOffset, tensor.bytes.byteLength)
  const width = dataTypes[tensor.type].bits / 8
  return Array.from({ length: sizeOf(tensor.dims) }, (_, i) => read(view, i * width))
}

const readers: { [T in DataType]?: (view: DataView, offset: number) => number } = {
  float32: (view, at) => view.getFloat32(at, true),
  float64: (view, at) => view.getFloat64(at, true),
  float16: (view, at) => float16ToNumber(view.getUint16(at, true)),
  bfloat16: (view, at) => bfloat16ToNumber(view.getUint16(at, true)),
  int8: (view, at) => view.getInt8(at),
  uint8: (view, at) => view.getUint8(at),
  int16: (view, at) => view.getInt16(at, true),
  uint16: (view, at) => view.getUint16(at, true),
  int32: (view, at) => view.getInt32(at, true),
  uint32: (view, at) => view.getUint32(at, true),
  int64: (view, at) => Number(view.getBigInt64(at, true)),
  uint64: (view, at) => Number(view.getBigUint64(at, true)),
  bool: (view, at) => view.getUint8(at),
}

/** IEEE 754 binary16, given as its 16 bits. */
export const float16ToNumber = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** bfloat16, the upper half of a float32, given as its 16 bits. */
export const bfloat16ToNumber = (bits: number): number => {
  const word = new DataView(new ArrayBuffer(4))
  word.setUint32(0, bits << 16)
  return word.getFloat32(0)
}
