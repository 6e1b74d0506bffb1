import type { Stats } from 'node:fs'
import { realpathSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'
import { FormatError, messageOf, type Tensor } from '../base/index.ts'
import type { Placement } from './encode.ts'
import type { ExternalPlace, ExternalReader } from './tensorproto.ts'

/** Tensors stored in files beside the model. https://onnx.ai/onnx/repo-docs/ExternalData.html */

type Piece = { readonly offset: number; readonly bytes: Uint8Array }
type DataFile = { readonly path: string; readonly size: number; pieces: Map<string, Piece>; total: number }

/**
 * A reader of what lies in files of `folder`. Asked for bytes it hands out memory of their length, once it is sure that the
 * file has them, and `load` fills all of it, each file in one pass. The same place asked for twice is the same memory.
 */
export const externalFolder = (folder: string): { read: ExternalReader; load: () => Promise<void> } => {
  const files = new Map<string, DataFile>()

  const fileAt = (location: string): DataFile => {
    const known = files.get(location)
    if (known) return known
    const path = insidePath(folder, location)
    const stats = statsOf(path, location)
    if (!stats.isFile()) throw new FormatError(`'${location}' is not a file`)
    const file = { path, size: stats.size, pieces: new Map(), total: 0 }
    files.set(location, file)
    return file
  }

  return {
    read({ location, offset, length }) {
      const file = fileAt(location)
      if (offset + length > file.size)
        throw new FormatError(
          `'${location}' is too short: ${file.size} bytes where ${offset} to ${offset + length} are asked for`,
        )
      const key = `${offset} ${length}`
      const known = file.pieces.get(key)
      if (known) return known.bytes
      // Pieces that overlap in part are no sound file's, and could ask for many times its size in memory.
      file.total += length
      if (file.total > file.size) throw new FormatError(`tensors overlap in '${location}'`)
      // Memory not cleared first: `load` fills all of it or fails.
      const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
      file.pieces.set(key, { offset, bytes })
      return bytes
    },
    async load() {
      for (const file of files.values()) await fill(file)
    },
  }
}

const fill = async ({ path, pieces }: DataFile): Promise<void> => {
  const file = await open(path, 'r')
  try {
    for (const { offset, bytes } of [...pieces.values()].sort((a, b) => a.offset - b.offset))
      for (let done = 0; done < bytes.byteLength; ) {
        const { bytesRead } = await file.read(bytes, done, Math.min(bytes.byteLength - done, 2 ** 30), offset + done)
        if (bytesRead === 0) throw new FormatError('became shorter while it was read', { place: { file: path } })
        done += bytesRead
      }
  } finally {
    await file.close()
  }
}

/** The path of a location, which must not lead out of the folder by its text or over links. */
const insidePath = (folder: string, location: string): string => {
  const parts = location.split(/[/\\]/)
  if (isAbsolute(location) || /^[A-Za-z]:/.test(location) || parts.includes('..') || location.includes('\0'))
    throw new FormatError(`'${location}' does not lie in the model's folder`)
  const path = join(folder, location)
  const inside = relative(realPathOf(folder, folder), realPathOf(path, location))
  if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside))
    throw new FormatError(`'${location}' is a link out of the model's folder`, {
      remedy: 'put the file itself there',
    })
  return path
}

const realPathOf = (path: string, location: string): string => {
  try {
    return realpathSync(resolve(path))
  } catch (cause) {
    throw new FormatError(`'${location}' cannot be found beside the model`, { cause })
  }
}

const statsOf = (path: string, location: string): Stats => {
  try {
    return statSync(path)
  } catch (error) {
    throw new FormatError(`'${location}' cannot be read: ${messageOf(error)}`, { cause: error })
  }
}

/**
 * Lays out tensors of at least `threshold` bytes in a data file, each at a multiple of a page when it is larger than a few,
 * so that a runtime can map it. Call `place` for every initializer, then write `chunks`.
 */
export const dataFile = (
  location: string,
  threshold: number,
): { place: Placement; chunks: () => Iterable<Uint8Array> } => {
  const placed = new Map<Uint8Array, ExternalPlace>()
  let end = 0
  return {
    place: ({ type, bytes }: Tensor) => {
      if (type === 'string' || bytes.byteLength < threshold) return undefined
      const known = placed.get(bytes)
      if (known) return known
      const alignment = bytes.byteLength < 2 ** 16 ? 64 : 4096
      const offset = Math.ceil(end / alignment) * alignment
      const at = { location, offset, length: bytes.byteLength }
      placed.set(bytes, at)
      end = offset + bytes.byteLength
      return at
    },
    *chunks() {
      let written = 0
      for (const [bytes, { offset }] of placed) {
        if (offset > written) yield new Uint8Array(offset - written)
        yield bytes
        written = offset + bytes.byteLength
      }
    },
  }
}
