import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf'
import { WireType } from '@bufbuild/protobuf/wire'

/**
 * Protobuf's wire format, below the messages: a check that makes decoding a hostile file safe, and the pieces a message
 * is written from without copying the weights. https://protobuf.dev/programming-guides/encoding/
 */

/** Nesting allowed, protobuf's own default. A graph within a graph takes three levels. */
const maxDepth = 100

/**
 * Messages and listed numbers allowed in one file. A decoded message takes some hundred bytes of memory for as few as two
 * in the file, so a small file could otherwise ask for all there is. The largest networks known have under a million.
 */
const maxMessages = 4_000_000
const maxNumbers = 2 ** 27

type FieldRule = {
  readonly name: string
  readonly wire: WireType
  readonly packable: boolean
  readonly message: DescMessage | undefined
}

const rulesByMessage = new WeakMap<DescMessage, Map<number, FieldRule>>()

const rulesOf = (desc: DescMessage): Map<number, FieldRule> => {
  const known = rulesByMessage.get(desc)
  if (known) return known
  const rules = new Map(desc.fields.map((field) => [field.number, ruleOf(field)]))
  rulesByMessage.set(desc, rules)
  return rules
}

const ruleOf = (field: DescField): FieldRule => {
  const scalar = field.fieldKind === 'enum' ? ScalarType.INT32 : field.scalar
  const wire = scalar === undefined ? WireType.LengthDelimited : wireOf(scalar)
  return {
    name: field.name,
    wire,
    packable: field.fieldKind === 'list' && wire !== WireType.LengthDelimited,
    message: field.message,
  }
}

const wireOf = (scalar: ScalarType): WireType => {
  switch (scalar) {
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited
    default:
      return WireType.Varint
  }
}

/**
 * Walks a message of the given type without building it. Every length must lie within what contains it, every field have
 * the wire type its number calls for, and nesting and counts stay within bounds: after this, decoding can neither read
 * past a message's end nor take memory out of proportion. Calls `fail` with what is wrong and where, in bytes.
 */
export const checkWire = (schema: DescMessage, bytes: Uint8Array, fail: (what: string) => never): void => {
  let messages = 0
  let numbers = 0

  /** The value of the varint at `at` (exact below 2^53) and where it ends. */
  let value = 0
  const varint = (at: number, end: number): number => {
    value = 0
    for (let i = 0; i < 10; i++) {
      if (at + i >= end) fail(`truncated: a number runs past the end at byte ${end}`)
      const byte = bytes[at + i]!
      value += (byte & 0x7f) * 2 ** (7 * i)
      if (byte < 0x80) return at + i + 1
    }
    return fail(`damaged: a number of more than ten bytes at byte ${at}`)
  }

  const countPacked = (rule: FieldRule, start: number, end: number): void => {
    const width = rule.wire === WireType.Bit32 ? 4 : rule.wire === WireType.Bit64 ? 8 : 0
    if (width > 0) {
      if ((end - start) % width !== 0) fail(`damaged: ${rule.name} at byte ${start} ends within a number`)
      numbers += (end - start) / width
    } else for (let at = start; at < end; numbers++) at = varint(at, end)
  }

  const skip = (
    desc: DescMessage,
    rule: FieldRule | undefined,
    wire: number,
    start: number,
    end: number,
    depth: number,
  ): number => {
    switch (wire) {
      case WireType.Varint:
        return varint(start, end)
      case WireType.Bit32:
      case WireType.Bit64: {
        const next = start + (wire === WireType.Bit32 ? 4 : 8)
        return next > end ? fail(`truncated: ${label(desc, rule)} runs past the end at byte ${end}`) : next
      }
      case WireType.LengthDelimited: {
        const from = varint(start, end)
        const next = from + value
        if (next > end)
          fail(
            `truncated or damaged: ${label(desc, rule)} at byte ${start} claims ${value} bytes where ${end - from} are left`,
          )
        if (rule?.message) message(rule.message, from, next, depth + 1)
        else if (rule?.packable) countPacked(rule, from, next)
        return next
      }
      case WireType.StartGroup:
        return group(desc, start, end, depth + 1)
      default:
        return fail(`damaged: wire type ${wire} at byte ${start}`)
    }
  }

  /** An unknown field in protobuf's old delimited form: fields up to an end mark. */
  const group = (desc: DescMessage, start: number, end: number, depth: number): number => {
    if (depth > maxDepth) fail(`nested deeper than ${maxDepth} levels at byte ${start}`)
    for (let at = start; at < end; ) {
      at = varint(at, end)
      if (value % 8 === WireType.EndGroup) return at
      at = skip(desc, undefined, value % 8, at, end, depth)
    }
    return fail(`truncated: a group at byte ${start} has no end`)
  }

  const message = (desc: DescMessage, start: number, end: number, depth: number): void => {
    if (depth > maxDepth) fail(`nested deeper than ${maxDepth} levels at byte ${start}`)
    if (++messages > maxMessages) fail(`more than ${maxMessages} messages`)
    const rules = rulesOf(desc)
    for (let at = start; at < end; ) {
      const tagAt = at
      at = varint(at, end)
      const number = Math.floor(value / 8)
      const wire = value % 8
      if (number === 0 || value > 0xffffffff) fail(`not an ONNX file or damaged: no field at byte ${tagAt}`)
      const rule = rules.get(number)
      if (rule && rule.wire !== wire && !(rule.packable && wire === WireType.LengthDelimited))
        fail(`not an ONNX file or damaged: ${label(desc, rule)} at byte ${tagAt} has the form of another kind of field`)
      if (rule?.packable && wire === rule.wire) numbers++
      else if (!rule && ++messages > maxMessages) fail(`more than ${maxMessages} unknown fields`)
      at = skip(desc, rule, wire, at, end, depth)
      if (numbers > maxNumbers)
        fail(`more than ${maxNumbers} numbers in typed fields; write large tensors as raw_data instead`)
    }
  }

  message(schema, 0, bytes.byteLength, 1)
}

const label = (desc: DescMessage, rule: FieldRule | undefined) => `${desc.name}.${rule?.name ?? 'unknown field'}`

/** Bytes in pieces, so that a tensor's own memory can stand among them uncopied. */
export type Chunks = { readonly length: number; readonly parts: readonly Uint8Array[] }

/** One piece. */
export const chunk = (bytes: Uint8Array): Chunks => ({ length: bytes.byteLength, parts: [bytes] })

/** Pieces one after another. */
export const joined = (chunks: readonly Chunks[]): Chunks => ({
  length: chunks.reduce((length, each) => length + each.length, 0),
  parts: chunks.flatMap((each) => each.parts),
})

/** A field of number `no` holding bytes or a message. Fields may stand in any order, so they can follow other bytes. */
export const lengthDelimited = (no: number, content: Chunks): Chunks => {
  const head = Uint8Array.from([...varintOf(no * 8 + WireType.LengthDelimited), ...varintOf(content.length)])
  return { length: head.byteLength + content.length, parts: [head, ...content.parts] }
}

const varintOf = (value: number): number[] => {
  const bytes: number[] = []
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) + 0x80)
  return [...bytes, value]
}

/** The pieces as one array. */
export const concatenated = ({ length, parts }: Chunks): Uint8Array => {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.byteLength
  }
  return bytes
}

/** The pieces in order, small ones put together, so that a file is written in few and large steps. */
export function* gathered(parts: Iterable<Uint8Array>, size = 2 ** 18): Generator<Uint8Array> {
  let buffer = new Uint8Array(size)
  let filled = 0
  for (const part of parts) {
    if (filled + part.byteLength > size && filled > 0) {
      yield buffer.subarray(0, filled)
      buffer = new Uint8Array(size)
      filled = 0
    }
    if (part.byteLength > size / 4) {
      if (filled > 0) {
        yield buffer.subarray(0, filled)
        buffer = new Uint8Array(size)
        filled = 0
      }
      yield part
    } else {
      buffer.set(part, filled)
      filled += part.byteLength
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled)
}
