import { zipSync } from 'fflate'
import {
  byteLengthOf,
  type DataType,
  dataTypes,
  EspalierError,
  FormatError,
  messageOf,
  sizeOf,
  type Tensor,
  UnsupportedError,
} from '../base/index.ts'
import { swapped } from './bytes.ts'
import { contentsOf, headOf, type ZipEntry, zipEntries } from './zip.ts'

/** NumPy's type codes, without the byte order, and our types. */
const typeOf: ReadonlyMap<string, DataType> = new Map([
  ['f2', 'float16'],
  ['f4', 'float32'],
  ['f8', 'float64'],
  ['i1', 'int8'],
  ['i2', 'int16'],
  ['i4', 'int32'],
  ['i8', 'int64'],
  ['u1', 'uint8'],
  ['u2', 'uint16'],
  ['u4', 'uint32'],
  ['u8', 'uint64'],
  ['b1', 'bool'],
  ['c8', 'complex64'],
  ['c16', 'complex128'],
])
const codeOf: ReadonlyMap<DataType, string> = new Map([...typeOf].map(([code, type]) => [type, code]))

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] as const // \x93NUMPY

export const startsLikeNpy = (bytes: Uint8Array): boolean => magic.every((byte, i) => bytes[i] === byte)

/** What is read, for errors: the file, and the array's name inside an archive. */
export type NumpySource = { file?: string; array?: string }

const placeOf = ({ file, array }: NumpySource) => ({
  ...(file === undefined ? {} : { file }),
  ...(array === undefined ? {} : { value: array }),
})

/** NumPy's own bound on axes, and more than any header of numbers takes. */
const mostAxes = 64
const longestHeader = 2 ** 16

/** What an array's header promises: its elements, and the bytes of header and elements together. */
type NpyHeader = {
  readonly type: DataType
  readonly descr: string
  readonly dims: number[]
  readonly bigEndian: boolean
  readonly columnMajor: boolean
  /** Where the elements begin. */
  readonly start: number
  readonly length: number
}

const refusal = (what: string, source: NumpySource, cause?: unknown) =>
  new FormatError(`not a valid .npy array: ${what}`, {
    place: placeOf(source),
    remedy: 'save it again with numpy.save',
    cause,
  })

const disagreement = ({ descr, dims }: Pick<NpyHeader, 'descr' | 'dims'>, bytes: number, source: NumpySource) =>
  refusal(`shape (${dims.join(', ')}) of '${descr}' and ${bytes} bytes of data do not agree`, source)

/** How many bytes of a file hold its header, as far as its first ones tell. */
const headerEnd = (bytes: Uint8Array): number => {
  const start = bytes[6] === 1 ? 10 : 12
  if (bytes.length < start) return start
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return start + (start === 10 ? view.getUint16(8, true) : view.getUint32(8, true))
}

const readHeader = (bytes: Uint8Array, source: NumpySource): NpyHeader => {
  const place = placeOf(source)
  if (!startsLikeNpy(bytes) || bytes.length < 10) throw refusal('it does not begin as one', source)
  const version = bytes[6]!
  if (version < 1 || version > 3) throw refusal(`format version ${version} is unknown`, source)
  const start = headerEnd(bytes)
  if (start > longestHeader) throw refusal(`its header of ${start} bytes is too long`, source)
  if (start > bytes.length) throw refusal('its header is cut short', source)
  // Versions 1 and 2 write the header in latin1, version 3 in UTF-8; they differ only in the names of record fields.
  const text = bytes.subarray(version === 1 ? 10 : 12, start)
  const header = new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(text)

  const descr = /'descr'\s*:\s*'([^']*)'/.exec(header)?.[1]
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1]
  const shape = /'shape'\s*:\s*\(([\d\s,]*)\)/.exec(header)?.[1]
  if (descr === undefined && /'descr'\s*:\s*\[/.test(header))
    throw new UnsupportedError('an array of records is no tensor', {
      place,
      remedy: 'save each field as its own array',
    })
  if (descr === undefined || order === undefined || shape === undefined)
    throw refusal('its header does not tell descr, fortran_order and shape', source)

  const type = typeOf.get(descr.slice(1))
  if (!type || !'<>|='.includes(descr[0]!))
    throw new UnsupportedError(
      /^\W?O/.test(descr) ? 'an array of Python objects cannot be read' : `arrays of type '${descr}' are no tensors`,
      { place, remedy: 'convert it with astype to a number type and save it again' },
    )
  const dims = shape
    .split(',')
    .filter((dim) => dim.trim() !== '')
    .map(Number)
  if (dims.length > mostAxes) throw refusal(`${dims.length} axes are more than NumPy has`, source)
  const size = dims.reduce((product, dim) => product * (dim || 1), 1)
  if (!Number.isSafeInteger(size * 16)) throw disagreement({ descr, dims }, bytes.length - start, source)
  return {
    ...{ type, descr, dims, start },
    bigEndian: descr[0] === '>',
    columnMajor: order === 'True' && dims.length > 1,
    length: start + byteLengthOf({ type, dims }),
  }
}

/**
 * Reads an array saved by `numpy.save`, of format version 1, 2 or 3. The tensor is a view of `bytes` when the file holds
 * row-major little-endian elements, as it usually does, and a rearranged copy otherwise.
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 * @throws UnsupportedError for arrays of objects, strings or records; FormatError for a damaged file.
 */
export const decodeNpy = (bytes: Uint8Array, source: NumpySource = {}): Tensor => {
  const header = readHeader(bytes, source)
  const { type, dims, bigEndian, columnMajor, start, length } = header
  if (bytes.length !== length) throw disagreement(header, bytes.length - start, source)
  const stored = bytes.subarray(start)
  const native = bigEndian ? swapped(stored, type) : stored
  return { type, dims, bytes: columnMajor ? rowMajor(native, type, dims) : native }
}

/**
 * An array as `numpy.load` reads it: format version 1, row-major, little-endian.
 * @throws UnsupportedError for a type NumPy has no name for (bfloat16, 8-bit floats, packed integers, strings).
 */
export const encodeNpy = (tensor: Tensor, source: NumpySource = {}): Uint8Array => {
  const code = codeOf.get(tensor.type)
  if (code === undefined)
    throw new UnsupportedError(`NumPy has no ${tensor.type} type`, {
      place: placeOf(source),
      remedy: 'convert it or save it as safetensors',
    })
  const dims = tensor.dims.length === 1 ? `${tensor.dims[0]},` : tensor.dims.join(', ')
  const descr = `${dataTypes[tensor.type].bits === 8 ? '|' : '<'}${code}`
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${dims}), }`
  // The format wants the data to begin on a multiple of 64 bytes, and a newline before it.
  const start = Math.ceil((10 + header.length + 1) / 64) * 64
  const bytes = new Uint8Array(start + tensor.bytes.length)
  bytes.set([...magic, 1, 0])
  new DataView(bytes.buffer).setUint16(8, start - 10, true)
  bytes.set(new TextEncoder().encode(`${header.padEnd(start - 11)}\n`), 10)
  bytes.set(tensor.bytes, start)
  return bytes
}

/** Reads every array of an archive saved by `numpy.savez` or `savez_compressed`, by name. */
export const decodeNpz = (bytes: Uint8Array, source: { file?: string } = {}): Map<string, Tensor> => {
  const fail = (error: unknown) =>
    new FormatError(`not a whole .npz archive: ${messageOf(error)}`, {
      place: placeOf(source),
      remedy: 'save it again with numpy.savez',
      cause: error,
    })
  const attempt = <T>(read: () => T): T => {
    try {
      return read()
    } catch (error) {
      throw error instanceof EspalierError ? error : fail(error)
    }
  }
  const arrays = new Map<string, Tensor>()
  for (const entry of attempt(() => zipEntries(bytes))) {
    if (!entry.name.endsWith('.npy')) continue
    const array = entry.name.slice(0, -'.npy'.length)
    if (arrays.has(array)) throw fail(new Error(`two arrays are named '${array}'`))
    arrays.set(
      array,
      attempt(() => arrayIn(entry, { ...source, array })),
    )
  }
  return arrays
}

/** An array of an archive. Its own header tells how long it is, before the rest is unpacked. */
const arrayIn = (entry: ZipEntry, source: NumpySource): Tensor => {
  const { length } = readHeader(headOf(entry, headerEnd), source)
  if (length !== entry.size)
    throw new Error(`'${entry.name}' claims an impossible size: ${entry.size} bytes where its array takes ${length}`)
  return decodeNpy(contentsOf(entry, length), source)
}

/** An archive as `numpy.load` reads it; `compress` deflates it (default: stored). Equal arrays give equal bytes. */
export const encodeNpz = (tensors: ReadonlyMap<string, Tensor>, options: { compress?: boolean } = {}): Uint8Array =>
  zipSync(Object.fromEntries([...tensors].map(([array, tensor]) => [`${array}.npy`, encodeNpy(tensor, { array })])), {
    level: options.compress ? 6 : 0,
    mtime: new Date(1980, 0, 1),
  })

/** Column-major elements rearranged to row-major. */
const rowMajor = (bytes: Uint8Array, type: DataType, dims: readonly number[]): Uint8Array => {
  const width = dataTypes[type].bits / 8
  const strides = dims.map((_, axis) => sizeOf(dims.slice(0, axis)) * width)
  const index = dims.map(() => 0)
  const out = new Uint8Array(bytes.length)
  let from = 0
  for (let to = 0; to < out.length; to += width) {
    for (let i = 0; i < width; i++) out[to + i] = bytes[from + i]!
    // The next element in row-major order: the last axis counts fastest and carries into the one before it.
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      from += strides[axis]!
      if (++index[axis]! < dims[axis]!) break
      from -= strides[axis]! * dims[axis]!
      index[axis] = 0
    }
  }
  return out
}
