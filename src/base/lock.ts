import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { EspalierError, messageOf } from './errors.ts'
import { removeAtExit } from './exit.ts'
import { isRunning, processName } from './processes.ts'

/** Holds a path for one process of this machine until it is released or the process ends, however it ends. */
export type Lock = { release(): void }

/** How long claims that came at the same instant may take to be withdrawn, and a process that was killed to be gone. */
const patience = 1000

/**
 * Takes the lock of a path whose folder exists. Every process that asks puts a claim beside the path, an empty file named
 * after it, and then looks at the others' claims: it holds the lock once it has seen none of a running process, and meanwhile
 * withdraws its own where one comes before it by name. So of those that start at the same instant one gets it, and a claim
 * whose process has ended holds nothing. No claim is ever written over or taken over, hence nothing depends on who looks first.
 * @throws EspalierError naming the process that holds it, and what it is about: `what`
 */
export const takeLock = async (path: string, what = path): Promise<Lock> => {
  const mine = `${path}.${processName()}.${randomBytes(4).toString('hex')}.lock`
  const exit = removeAtExit(mine)
  const release = () => {
    rmSync(mine, { force: true })
    exit.keep()
  }
  for (const started = performance.now(); ; await wait(10)) {
    const before = await claimsOn(path)
    const first = before.find(({ name }) => name < basename(mine))
    if (first) rmSync(mine, { force: true })
    else claim(mine, what)
    const others = first ? before : await claimsOn(path)
    const other = others.find(({ name }) => name !== basename(mine))
    if (!other) return { release }
    if (performance.now() - started < patience) continue
    release()
    throw inUse(what, other.owner)
  }
}

const claim = (path: string, what: string): void => {
  try {
    writeFileSync(path, '')
  } catch (error) {
    throw new EspalierError(`cannot write: ${messageOf(error)}`, { place: { file: what }, cause: error })
  }
}

/** @throws EspalierError where a running process holds a path. */
export const checkFree = async (path: string): Promise<void> => {
  const [claim] = await claimsOn(path)
  if (claim) throw inUse(path, claim.owner)
}

const inUse = (path: string, owner: string) =>
  new EspalierError(`in use by another run, process ${Number.parseInt(owner, 10)}`, {
    place: { file: path },
    remedy: 'wait until it has ended, or name another --out',
  })

const claimName = /^\.(\d+-[0-9a-f]{8})\.[0-9a-f]{8}\.lock$/

/** The claims of running processes; others' are removed. */
const claimsOn = async (path: string): Promise<{ name: string; owner: string }[]> => {
  const target = basename(path)
  const found = []
  for (const name of (await readdir(dirname(path)).catch(() => [])).sort()) {
    const [, owner] = (name.startsWith(target) && claimName.exec(name.slice(target.length))) || []
    if (owner === undefined) continue
    if (isRunning(owner)) found.push({ name, owner })
    else await rm(join(dirname(path), name), { force: true })
  }
  return found
}
