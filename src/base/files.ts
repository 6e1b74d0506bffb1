import { randomBytes } from 'node:crypto'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { EspalierError, messageOf } from './errors.ts'

/**
 * Writes a file whole or not at all: into a temporary name beside it, flushed to disk, then renamed over the old one.
 * Folders are made as needed. `chunks` are written in order, so a large file needs no second copy in memory.
 * @throws EspalierError naming the file; what was there before is untouched then.
 */
export const writeFileAtomic = async (
  path: string,
  chunks: string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> => {
  // Renaming would put a file in the place of a device or pipe.
  const there = await stat(path).catch(() => undefined)
  if (there && !there.isFile())
    throw new EspalierError(`cannot write: it is ${there.isDirectory() ? 'a folder' : 'no ordinary file'}`, {
      place: { file: path },
      remedy: 'name a file',
    })
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`
  try {
    await mkdir(dirname(path), { recursive: true })
    const file = await open(temporary, 'w')
    try {
      if (typeof chunks === 'string' || chunks instanceof Uint8Array) await file.writeFile(chunks)
      else for await (const chunk of chunks) await file.writeFile(chunk)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw new EspalierError(`cannot write: ${messageOf(error)}`, {
      place: { file: path },
      remedy: 'check that the folder can be written to and the disk has room',
      cause: error,
    })
  }
}
