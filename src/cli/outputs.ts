import { constants, realpathSync } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { EspalierError, UsageError } from '../base/index.ts'

/**
 * Refuses paths, by the argument or flag that gives them, of which two are one file: the later would overwrite the earlier.
 * @throws UsageError naming both
 */
export const checkDistinct = (paths: Readonly<Record<string, string | undefined>>): void => {
  const seen = new Map<string, string>()
  for (const [flag, path] of Object.entries(paths)) {
    if (path === undefined) continue
    const real = realPath(path)
    const other = seen.get(real)
    if (other)
      throw new UsageError(`${other} and ${flag} are the same file '${path}'`, { remedy: `give ${flag} another name` })
    seen.set(real, flag)
  }
}

/** Where a path leads, links followed as far as the path exists. */
const realPath = (path: string): string => {
  try {
    return realpathSync(path)
  } catch {
    const parent = dirname(resolve(path))
    return parent === resolve(path) ? parent : join(realPath(parent), basename(path))
  }
}

/**
 * Finds out before long work whether its result can be written.
 * @throws EspalierError naming the path
 */
export const checkWritable = async (path: string | undefined): Promise<void> => {
  if (path === undefined) return
  const there = await stat(path).catch(() => undefined)
  if (there && !there.isFile())
    throw new EspalierError(`cannot write: it is ${there.isDirectory() ? 'a folder' : 'no ordinary file'}`, {
      place: { file: path },
      remedy: 'name a file',
    })
  await checkFolder(dirname(resolve(path)), path)
}

/** Whether a folder is, or can be made, one to write into. */
export const checkFolder = async (folder: string, path = folder): Promise<void> => {
  const there = await stat(folder).catch(() => undefined)
  const parent = dirname(resolve(folder))
  if (!there && parent !== resolve(folder)) return checkFolder(parent, path)
  const fail = (what: string) =>
    new EspalierError(`cannot write: ${what}`, { place: { file: path }, remedy: 'name another place' })
  if (!there?.isDirectory()) throw fail(`'${folder}' is no folder`)
  await access(folder, constants.W_OK).catch(() => {
    throw fail(`the folder '${folder}' is read-only`)
  })
}
