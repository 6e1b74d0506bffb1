import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { random } from '../base/index.ts'
import { targets } from './targets/index.ts'

// The short run. `npm run fuzz -- --minutes 60` goes on with other seeds, each case watched from another process
// (docs/reliability.md). A failure's seed replays it there: `npm run fuzz -- --replay png:17`.

test.each(targets.map((target) => [target.name, target] as const))('%s', async (name, { short, open }) => {
  const folder = await mkdtemp(join(tmpdir(), `espalier-fuzz-${name}-`))
  const opened = await open(folder)
  const outcomes = new Set<string>()
  const failures: string[] = []
  for (let seed = 0; seed < short; seed++) {
    const { run } = await opened.attempt(random(seed))
    try {
      outcomes.add(await run())
    } catch (error) {
      failures.push(`${name}:${seed}: ${error instanceof Error ? error.message : error}`)
    }
  }
  await opened.close?.()
  await rm(folder, { recursive: true, force: true })
  expect(failures).toEqual([])
  // A generator whose cases all end alike tests little.
  if (short >= 30) expect(outcomes.size).toBeGreaterThan(1)
})
