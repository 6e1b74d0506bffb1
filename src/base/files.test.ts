import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { writeFileAtomic } from './files.ts'
import { checkFree, takeLock } from './lock.ts'
import { isRunning, processName } from './processes.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-files-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** A process that has ended, by the name it had while it ran. */
const ended = async (): Promise<string> => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  const over = new Promise((done) => child.on('exit', done))
  const name = processName(child.pid) ?? ''
  child.kill('SIGKILL')
  await over
  return name
}

const own = () => processName() ?? ''
/** The name that a process of the same id, started at another time, has. */
const reused = () => `${process.pid}-00000000`

test('a process is known by its id and its start', async () => {
  expect(own()).toMatch(/^\d+-[0-9a-f]{8}$/)
  expect([isRunning(own()), isRunning(`${process.pid}`)]).toEqual([true, true])
  expect(isRunning(reused())).toBe(false)
  expect(isRunning(await ended())).toBe(false)
})

test('temporary files of ended processes are removed with the next write of their target, others stay', async () => {
  const gone = await ended()
  const left = [`a.${gone}.0a1b2c3d.tmp`, `a.${gone.split('-')[0]}.0a1b2c3d.tmp`, `a.${reused()}.0a1b2c3d.tmp`]
  const kept = [
    `a.${own()}.0a1b2c3d.tmp`,
    `a.${process.pid}.0a1b2c3d.tmp`,
    `ab.${gone}.0a1b2c3d.tmp`,
    'a.1.tmp',
    'b.tmp',
  ]
  for (const name of [...left, ...kept]) await writeFile(join(folder, name), '')
  await writeFileAtomic(join(folder, 'a'), 'whole')
  expect((await readdir(folder)).sort()).toEqual(['a', ...kept].sort())
  expect(await readFile(join(folder, 'a'), 'utf8')).toBe('whole')
})

describe('a lock', () => {
  const path = () => join(folder, 'run')

  test('is held until it is released', async () => {
    const lock = await takeLock(path())
    await expect(takeLock(path(), 'runs/a')).rejects.toThrow(`'runs/a': in use by another run, process ${process.pid}`)
    await expect(checkFree(path())).rejects.toThrow('in use')
    lock.release()
    await checkFree(path())
    ;(await takeLock(path())).release()
    expect(await readdir(folder)).toEqual([])
  })

  test('is not held by a process that has ended, even where its id was given out again', async () => {
    for (const name of [await ended(), reused()]) await writeFile(`${path()}.${name}.0a1b2c3d.lock`, '')
    ;(await takeLock(path())).release()
    expect(await readdir(folder)).toEqual([])
  })

  test('goes to one of several that ask at the same instant', async () => {
    const asked = await Promise.allSettled(Array.from({ length: 8 }, () => takeLock(path())))
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })
})
