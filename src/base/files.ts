import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { EspalierError, messageOf } from './errors.ts'
import { removeAtExit } from './exit.ts'
import { isRunning, processName } from './processes.ts'

/**
 * Writes a file whole or not at all: into a temporary name beside it, flushed to disk, then renamed over the old one.
 * Folders are made as needed, and temporary files of the same target are removed whose process has ended. `chunks` are
 * written in order, so a large file needs no second copy in memory.
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
  const temporary = `${path}.${processName()}.${randomBytes(4).toString('hex')}.tmp`
  const exit = removeAtExit(temporary)
  try {
    await mkdir(dirname(path), { recursive: true })
    await removeLeftOvers(path)
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
  } finally {
    exit.keep()
  }
}

/** What follows the target in a temporary file's name: whose it is, and a number of its own. */
const temporaryName = /^\.(\d+(?:-[0-9a-f]{8})?)\.[0-9a-f]{8}\.tmp$/

/** Removes the temporary files of a target that processes left which were killed while they wrote it. */
const removeLeftOvers = async (path: string): Promise<void> => {
  const target = basename(path)
  for (const name of await readdir(dirname(path)).catch(() => [])) {
    const [, owner] = (name.startsWith(target) && temporaryName.exec(name.slice(target.length))) || []
    // One that cannot be removed, such as another user's, is in nobody's way.
    if (owner !== undefined && !isRunning(owner)) await rm(join(dirname(path), name), { force: true }).catch(() => {})
  }
}
