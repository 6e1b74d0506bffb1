import { inflatedHead, inflateExactly } from './inflate.ts'

/** A file of an archive: where its data lies, and how long the archive says it becomes. */
export type ZipEntry = {
  readonly name: string
  readonly size: number
  readonly data: Uint8Array
  readonly deflated: boolean
}

const signature = { end: 0x06054b50, end64: 0x06064b50, locator64: 0x07064b50, central: 0x02014b50, local: 0x04034b50 }

/**
 * The files of a zip archive, by its directory. Their data are views of the archive, which must not overlap: many files of
 * the same data would ask for many times the archive's size. https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 * @throws Error where the archive is damaged
 */
export const zipEntries = (bytes: Uint8Array): ZipEntry[] => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const { count, offset } = directoryOf(bytes, view)
  const entries: ZipEntry[] = []
  let stored = 0
  let at = offset
  for (let i = 0; i < count; i++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== signature.central)
      throw new Error('its directory is damaged')
    const [flags, method] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)]
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) => view.getUint16(at + field, true))
    const nameEnd = at + 46 + nameLength!
    const next = nameEnd + extraLength! + commentLength!
    if (next > bytes.length) throw new Error('its directory is cut short')
    const name = new TextDecoder().decode(bytes.subarray(at + 46, nameEnd))
    const narrow = [24, 20, 42].map((field) => view.getUint32(at + field, true))
    const [size = 0, packed = 0, local = 0] = widened(view, narrow, nameEnd, nameEnd + extraLength!)
    if (flags & 1) throw new Error(`'${name}' is encrypted`)
    if (method !== 0 && method !== 8) throw new Error(`'${name}' is compressed by the unknown method ${method}`)
    entries.push({ name, size, data: dataAt(bytes, view, local, packed, name), deflated: method === 8 })
    stored += packed
    if (stored > bytes.length) throw new Error('its files overlap')
    at = next
  }
  return entries
}

/** The first bytes of a file, at least as many as `enough` asks for, or all. */
export const headOf = ({ data, deflated }: ZipEntry, enough: (head: Uint8Array) => number): Uint8Array =>
  deflated ? inflatedHead(data, enough) : data

/** A file's contents, which must be `size` bytes. */
export const contentsOf = ({ data, deflated }: ZipEntry, size: number): Uint8Array => {
  if (deflated) return inflateExactly(data, size)
  if (data.length !== size) throw new Error(`it has ${data.length} bytes where ${size} are expected`)
  return data
}

/** How many files the directory lists, and where it begins. The end of the archive may be followed by a comment. */
const directoryOf = (bytes: Uint8Array, view: DataView): { count: number; offset: number } => {
  let end = bytes.length - 22
  while (end >= 0 && end > bytes.length - 22 - 65536 && view.getUint32(end, true) !== signature.end) end--
  if (end < 0 || view.getUint32(end, true) !== signature.end) throw new Error('its directory is missing')
  const narrow = { count: view.getUint16(end + 10, true), offset: view.getUint32(end + 16, true) }
  if (end < 20 || view.getUint32(end - 20, true) !== signature.locator64) return narrow
  const wide = Number(view.getBigUint64(end - 12, true))
  if (wide + 56 > bytes.length || view.getUint32(wide, true) !== signature.end64)
    throw new Error('its directory is damaged')
  return { count: Number(view.getBigUint64(wide + 32, true)), offset: Number(view.getBigUint64(wide + 48, true)) }
}

/** Sizes of 4 GiB and more lie in an extra field of 64-bit numbers, in their order. */
const widened = (view: DataView, narrow: readonly number[], from: number, to: number): number[] => {
  if (!narrow.includes(0xffffffff)) return [...narrow]
  for (let at = from; at + 4 <= to; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue
    let field = at + 4
    return narrow.map((value) => {
      if (value !== 0xffffffff) return value
      if (field + 8 > to) throw new Error('its directory is damaged')
      field += 8
      return Number(view.getBigUint64(field - 8, true))
    })
  }
  return [...narrow]
}

const dataAt = (bytes: Uint8Array, view: DataView, local: number, packed: number, name: string): Uint8Array => {
  if (local + 30 > bytes.length || view.getUint32(local, true) !== signature.local)
    throw new Error(`'${name}' is not where the directory has it`)
  const begin = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true)
  if (begin + packed > bytes.length) throw new Error(`'${name}' is cut short`)
  return bytes.subarray(begin, begin + packed)
}
