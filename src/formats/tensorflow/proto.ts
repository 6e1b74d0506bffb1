import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import { type DataType, sizeOf } from '../../base/index.ts'

/** A protobuf message taken apart: the values of each field by its number. Varints are unsigned; all else is raw bytes. */
export class Message {
  readonly #fields = new Map<number, (bigint | Uint8Array)[]>()

  constructor(bytes: Uint8Array) {
    const reader = new BinaryReader(bytes)
    while (reader.pos < reader.len) {
      const [number, wire] = reader.tag()
      const value =
        wire === WireType.Varint
          ? BigInt(reader.uint64())
          : wire === WireType.LengthDelimited
            ? reader.bytes()
            : reader.skip(wire, number)
      const values = this.#fields.get(number)
      if (values) values.push(value)
      else this.#fields.set(number, [value])
    }
  }

  /** An integer field; 0 where absent. */
  integer(number: number): number {
    const value = this.#fields.get(number)?.at(-1)
    if (value === undefined) return 0
    const whole = typeof value === 'bigint' ? Number(BigInt.asIntN(64, value)) : Number.NaN
    if (!Number.isSafeInteger(whole)) throw new Error(`field ${number} is not a whole number`)
    return whole
  }

  /** A length-delimited or fixed-width field's bytes, repeated. */
  all(number: number): Uint8Array[] {
    return (this.#fields.get(number) ?? []).map((value) => {
      if (typeof value === 'bigint') throw new Error(`field ${number} is a number where bytes were expected`)
      return value
    })
  }

  /** A field's bytes, or undefined where absent. */
  bytes(number: number): Uint8Array | undefined {
    return this.all(number).at(-1)
  }

  /** A repeated varint field, packed or not. */
  varints(number: number): bigint[] {
    return (this.#fields.get(number) ?? []).flatMap((value) => {
      if (typeof value === 'bigint') return [value]
      const reader = new BinaryReader(value)
      const values: bigint[] = []
      while (reader.pos < reader.len) values.push(BigInt(reader.uint64()))
      return values
    })
  }

  has(number: number): boolean {
    return this.#fields.has(number)
  }
}

/** tensorflow/core/framework/types.proto. Quantised types are stored as the integers they are. */
const dataTypeNumbers: ReadonlyMap<number, DataType> = new Map([
  [1, 'float32'],
  [2, 'float64'],
  [3, 'int32'],
  [4, 'uint8'],
  [5, 'int16'],
  [6, 'int8'],
  [7, 'string'],
  [8, 'complex64'],
  [9, 'int64'],
  [10, 'bool'],
  [11, 'int8'],
  [12, 'uint8'],
  [13, 'int32'],
  [14, 'bfloat16'],
  [15, 'int16'],
  [16, 'uint16'],
  [17, 'uint16'],
  [18, 'complex128'],
  [19, 'float16'],
  [22, 'uint32'],
  [23, 'uint64'],
  [24, 'float8e5m2'],
  [25, 'float8e4m3fn'],
])

/** Our name for a TensorFlow type number, or undefined (resources, variants). 100 more marks a reference to one. */
export const dataTypeOf = (number: number): DataType | undefined =>
  dataTypeNumbers.get(number > 100 ? number - 100 : number)

/** TensorShapeProto: its dimensions. */
export const shapeOf = (bytes: Uint8Array | undefined): number[] => {
  const dims = bytes ? new Message(bytes).all(2).map((dim) => new Message(dim).integer(1)) : []
  if (dims.some((dim) => dim < 0) || !Number.isSafeInteger(sizeOf(dims) * 16)) throw new Error('impossible shape')
  return dims
}

/** Where a part of a variable lies, per axis. A `length` of -1 is the whole axis, as TensorSlice has it. */
export type Extent = { start: number; length: number }

/** TensorSliceProto: its extents; an absent length means the whole axis. */
export const extentsOf = (bytes: Uint8Array | undefined): Extent[] =>
  bytes
    ? new Message(bytes).all(1).map((extent) => {
        const message = new Message(extent)
        return { start: message.integer(1), length: message.has(2) ? message.integer(2) : -1 }
      })
    : []
