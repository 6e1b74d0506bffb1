import { open, stat } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { promisify } from 'node:util'
import { constants, gunzip } from 'node:zlib'
import { writeFileAtomic } from '../base/files.ts'
import { EspalierError, FormatError, messageOf, type Tensor } from '../base/index.ts'
import { type FileKind, kindOf } from './detect.ts'
import { decodeIdx, idxHeader } from './idx.ts'
import { bestRatio } from './inflate.ts'
import { decodeNpy, decodeNpz, encodeNpy, encodeNpz } from './numpy.ts'
import { decodeSafetensors, type Safetensors, safetensorsChunks } from './safetensors.ts'

/** How many bytes a file has, or undefined when there is no such file (a folder is none). */
export const fileSize = async (path: string): Promise<number | undefined> => {
  const found = await stat(path).catch(() => undefined)
  return found?.isFile() ? found.size : undefined
}

/** A whole file's bytes, past the 2 GiB that one read can give. */
export const readBytes = async (path: string): Promise<Uint8Array> => {
  const fail = (what: string, remedy: string, cause?: unknown) =>
    new EspalierError(`cannot read: ${what}`, { place: { file: path }, remedy, cause })
  try {
    const stats = await stat(path)
    // Opening a pipe may wait for ever, and a device may never end.
    if (!stats.isFile()) throw fail(stats.isDirectory() ? 'it is a folder' : 'it is no ordinary file', 'name a file')
    if (stats.size > totalmem())
      throw fail(`its ${stats.size} bytes are more than this machine's memory`, 'split it, or check that it is whole')
    return await contentsOf(path, stats.size)
  } catch (error) {
    throw error instanceof EspalierError ? error : fail(messageOf(error), 'check the path', error)
  }
}

const contentsOf = async (path: string, size: number): Promise<Uint8Array> => {
  const file = await open(path)
  try {
    const bytes = new Uint8Array(size)
    let at = 0
    while (at < size) {
      const { bytesRead } = await file.read(bytes, at, Math.min(size - at, 2 ** 30), at)
      if (bytesRead === 0) break
      at += bytesRead
    }
    return bytes.subarray(0, at)
  } finally {
    await file.close()
  }
}

/** Reads a safetensors file. @throws FormatError naming the file. */
export const readSafetensors = async (path: string): Promise<Safetensors> =>
  decodeSafetensors(await readBytes(path), { file: path })

/** Writes a safetensors file, whole or not at all. */
export const writeSafetensors = (
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> => writeFileAtomic(path, safetensorsChunks(tensors, metadata))

/** Reads an IDX file, plain or gzipped (told by content). @throws FormatError naming the file. */
export const readIdx = async (path: string): Promise<Tensor> => {
  const bytes = await readBytes(path)
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return decodeIdx(bytes, { file: path })
  const fail = (what: string, cause?: unknown) =>
    new FormatError(`cannot be unzipped: ${what}`, {
      place: { file: path },
      remedy: 'copy it again from where it came from',
      cause,
    })
  const head = await firstOf(bytes).catch((error: unknown) => {
    throw fail(messageOf(error), error)
  })
  if (head.length < 4) throw fail('it is cut short')
  const { length } = idxHeader(head, path)
  if (length > bytes.length * bestRatio) throw fail(`${bytes.length} compressed bytes cannot hold ${length}`)
  const plain = await promisify(gunzip)(bytes, { maxOutputLength: length }).catch((error: unknown) => {
    const tooLong = error instanceof RangeError
    throw fail(tooLong ? `its data becomes more than the ${length} bytes it should` : messageOf(error), error)
  })
  return decodeIdx(plain, { file: path })
}

/** What the first part of gzipped bytes becomes: the header of an IDX file, and some more. */
const firstOf = (bytes: Uint8Array): Promise<Uint8Array> =>
  promisify(gunzip)(bytes.subarray(0, 4096), { finishFlush: constants.Z_SYNC_FLUSH })

/** Reads a .npy file. @throws FormatError or UnsupportedError naming the file. */
export const readNpy = async (path: string): Promise<Tensor> => decodeNpy(await readBytes(path), { file: path })

/** Writes a .npy file, whole or not at all. */
export const writeNpy = (path: string, tensor: Tensor): Promise<void> => writeFileAtomic(path, encodeNpy(tensor))

/** Reads every array of an .npz archive. @throws FormatError or UnsupportedError naming the file and array. */
export const readNpz = async (path: string): Promise<Map<string, Tensor>> =>
  decodeNpz(await readBytes(path), { file: path })

/** Writes an .npz archive, whole or not at all. */
export const writeNpz = (
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  options: { compress?: boolean } = {},
): Promise<void> => writeFileAtomic(path, encodeNpz(tensors, options))

/**
 * What kind of file this is, by its content: reads its two ends only. The prefix of a TensorFlow checkpoint, which is no
 * file, and its parts that cannot be told by content (`.data-…`, `.meta`) are known by the index beside them.
 */
export const kindOfFile = async (path: string): Promise<FileKind | undefined> => {
  const index = `${path.replace(/\.(meta|data-\d{5}-of-\d{5})$/, '')}.index`
  if ((await fileSize(index)) !== undefined) return 'tensorflow-checkpoint'
  const size = await fileSize(path)
  if (size === undefined)
    throw new EspalierError('there is no such file', { place: { file: path }, remedy: 'check the path' })
  const file = await open(path)
  try {
    const part = async (at: number, length: number) => {
      const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, at)
      return buffer.subarray(0, bytesRead)
    }
    return kindOf({ head: await part(0, Math.min(size, 4096)), tail: await part(Math.max(0, size - 8), 8), size })
  } finally {
    await file.close()
  }
}
