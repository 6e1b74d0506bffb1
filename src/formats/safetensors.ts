import { byteLengthOf, type DataType, dataTypes, FormatError, type Tensor, UnsupportedError } from '../base/index.ts'

/** What a safetensors file holds. Metadata is the file's own `__metadata__`: strings by name. */
export type Safetensors = { tensors: Map<string, Tensor>; metadata: Record<string, string> }

/** The format's element types and ours. https://huggingface.co/docs/safetensors */
const typeOf: ReadonlyMap<string, DataType> = new Map([
  ['F64', 'float64'],
  ['F32', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['I64', 'int64'],
  ['I32', 'int32'],
  ['I16', 'int16'],
  ['I8', 'int8'],
  ['U64', 'uint64'],
  ['U32', 'uint32'],
  ['U16', 'uint16'],
  ['U8', 'uint8'],
  ['BOOL', 'bool'],
  ['F8_E4M3', 'float8e4m3fn'],
  ['F8_E5M2', 'float8e5m2'],
  ['F8_E8M0', 'float8e8m0'],
  ['C64', 'complex64'],
])
const dtypeOf: ReadonlyMap<DataType, string> = new Map([...typeOf].map(([dtype, type]) => [type, dtype]))

/** The reference implementation refuses longer headers, so that a hostile length cannot ask for the whole memory. */
const longestHeader = 100_000_000

/**
 * Reads a safetensors file: 8 bytes of header length, a JSON header, then the tensors' bytes. The tensors are views of
 * `bytes`, not copies.
 * @throws FormatError on any file the format does not allow: truncated, holes or overlaps between tensors, unknown types.
 */
export const decodeSafetensors = (bytes: Uint8Array, options: { file?: string } = {}): Safetensors => {
  const place = options.file === undefined ? {} : { file: options.file }
  const fail = (what: string, cause?: unknown): never => {
    throw new FormatError(`not a valid safetensors file: ${what}`, {
      place,
      remedy: 'check that the file is whole',
      cause,
    })
  }

  if (bytes.length < 8) fail(`${bytes.length} bytes is too short for a header`)
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true))
  if (length > longestHeader || length > bytes.length - 8)
    fail(`the header says it is ${length} bytes long and the file has ${bytes.length - 8}`)

  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, 8 + length)))
  } catch (error) {
    fail('the header is not JSON', error)
  }
  if (!isObject(header)) return fail('the header is not a JSON object')

  const data = bytes.subarray(8 + length)
  const metadata: [string, string][] = []
  const entries: { name: string; type: DataType; dims: number[]; begin: number; end: number }[] = []
  for (const [name, entry] of Object.entries(header)) {
    if (!isObject(entry)) return fail(`the entry '${name}' is not an object`)
    if (name === '__metadata__') {
      for (const [key, value] of Object.entries(entry))
        metadata.push([key, typeof value === 'string' ? value : fail(`metadata '${key}' is not a string`)])
      continue
    }
    const { dtype, shape, data_offsets: offsets } = entry
    const type =
      (typeof dtype === 'string' ? typeOf.get(dtype) : undefined) ??
      fail(
        typeof dtype === 'string'
          ? `tensor '${name}' has the unknown element type '${dtype}'`
          : `tensor '${name}' has no dtype`,
      )
    if (!isSizes(shape)) return fail(`tensor '${name}' has no valid shape`)
    if (!isOffsets(offsets)) return fail(`tensor '${name}' has no valid data_offsets`)
    const [begin = 0, end = 0] = offsets
    const size = byteLengthOf({ type, dims: shape })
    if (end - begin !== size)
      fail(`tensor '${name}' of type ${dtype} and shape [${shape.join(', ')}] has ${end - begin} bytes`)
    entries.push({ name, type, dims: shape, begin, end })
  }

  // The format wants the tensors to cover the data exactly, without holes or overlaps.
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let at = 0
  for (const { name, begin, end } of entries) {
    if (begin !== at) fail(`tensor '${name}' begins at byte ${begin} of the data where ${at} was expected`)
    at = end
  }
  if (at !== data.length) fail(`the tensors take ${at} bytes and the file has ${data.length}`)

  return {
    tensors: new Map(
      entries.map(({ name, type, dims, begin, end }) => [name, { type, dims, bytes: data.subarray(begin, end) }]),
    ),
    metadata: Object.fromEntries(metadata),
  }
}

/**
 * The pieces of a safetensors file, to be written one after another: the header, then each tensor's own bytes, not
 * copied. Tensors of wide elements come first so that every tensor is aligned to its element in the file.
 * @throws UnsupportedError for an element type the format has no name for.
 */
export const safetensorsChunks = (
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] => {
  const sorted = [...tensors].sort(([, a], [, b]) => dataTypes[b.type].bits - dataTypes[a.type].bits)
  const entries: [string, object][] = Object.keys(metadata).length ? [['__metadata__', metadata]] : []
  let at = 0
  for (const [name, { type, dims, bytes }] of sorted) {
    const dtype = dtypeOf.get(type)
    if (dtype === undefined || name === '__metadata__')
      throw new UnsupportedError(
        dtype === undefined
          ? `safetensors cannot hold a ${type} tensor`
          : "safetensors keeps the name '__metadata__' for itself",
        { place: { initializer: name }, remedy: 'leave this tensor out, convert it or rename it' },
      )
    entries.push([name, { dtype, shape: dims, data_offsets: [at, at + bytes.length] }])
    at += bytes.length
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)))
  // Spaces pad the header so that the data begins on a multiple of 8 bytes.
  const header = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20)
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true)
  header.set(json, 8)
  return [header, ...sorted.map(([, { bytes }]) => bytes)]
}

/** A safetensors file as one array of bytes; `safetensorsChunks` avoids the copy. */
export const encodeSafetensors = (
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array => {
  const chunks = safetensorsChunks(tensors, metadata)
  const file = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    file.set(chunk, at)
    at += chunk.length
  }
  return file
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Begin and end; files of gigabytes have large ones. */
const isOffsets = (value: unknown): value is [number, number] =>
  Array.isArray(value) && value.length === 2 && value.every((n) => Number.isSafeInteger(n) && n >= 0)

/** Whole numbers whose product, leaving zeros aside, is exact: a hostile shape must not overflow into a small size. */
const isSizes = (value: unknown): value is number[] => {
  if (!Array.isArray(value)) return false
  let product = 1
  for (const size of value) {
    // JSON has a −0, which no shape has.
    if (!Number.isSafeInteger(size) || size < 0 || Object.is(size, -0)) return false
    product *= size || 1
    if (!Number.isSafeInteger(product * 16)) return false
  }
  return true
}
