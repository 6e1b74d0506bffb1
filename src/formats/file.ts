import { open, stat } from 'node:fs/promises'
import { writeFileAtomic } from '../base/files.ts'
import { EspalierError, messageOf, type Tensor } from '../base/index.ts'
import { decodeSafetensors, type Safetensors, safetensorsChunks } from './safetensors.ts'

/** How many bytes a file has, or undefined when there is no such file (a folder is none). */
export const fileSize = async (path: string): Promise<number | undefined> => {
  const found = await stat(path).catch(() => undefined)
  return found?.isFile() ? found.size : undefined
}

/** A whole file's bytes, past the 2 GiB that one read can give. */
export const readBytes = async (path: string): Promise<Uint8Array> => {
  try {
    const file = await open(path)
    try {
      const { size } = await file.stat()
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
  } catch (error) {
    throw new EspalierError(`cannot read: ${messageOf(error)}`, {
      place: { file: path },
      remedy: 'check the path',
      cause: error,
    })
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
