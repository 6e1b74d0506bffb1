// Exports networks, checks each and deletes it again; what was found is a line of FOLDER/results.jsonl per network.
//
//   npm run build && node scripts/networks/run.mjs FOLDER [--only NAME,NAME] [--seconds 180] [--again] [--keep]
//
// Networks that have a line are left out unless `--again` is said, and none is begun when the seconds are spent: run it again
// until it says that nothing is left, then `node scripts/networks/document.mjs FOLDER/results.jsonl docs/networks.md`.

import { execFile } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    seconds: { type: 'string', default: 'Infinity' },
    again: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    'only-gradients': { type: 'boolean', default: false },
    'only-file': { type: 'boolean', default: false },
  },
})
const folder = positionals[0]
if (folder === undefined) {
  console.error('usage: node scripts/networks/run.mjs FOLDER [--only NAME,NAME] [--seconds S] [--again] [--keep]')
  process.exit(2)
}

const start = promisify(execFile)
const here = import.meta.dirname
const exporter = (...args) => start('/usr/bin/python3', [join(here, 'export.py'), ...args])
const parts = ['only-gradients', 'only-file'].filter((name) => values[name]).map((name) => `--${name}`)

mkdirSync(folder, { recursive: true })
const results = join(folder, 'results.jsonl')
const lines = existsSync(results) ? readFileSync(results, 'utf8').trim().split('\n').filter(Boolean) : []
const done = new Set(lines.map((line) => JSON.parse(line).name))
const wanted = values.only?.split(',') ?? (await exporter('--list')).stdout.trim().split('\n')
const names = wanted.filter((name) => values.again || !done.has(name))

const lastLine = (text) => String(text).trim().split('\n').at(-1)

const look = async (name) => {
  const began = performance.now()
  try {
    await exporter(folder, name, ...parts)
  } catch (error) {
    return { name, export: { failure: lastLine(error.stderr || error.message) } }
  }
  const seconds = (performance.now() - began) / 1000
  try {
    const { stdout } = await start(process.execPath, [join(here, 'check.mjs'), join(folder, name)])
    return { name, export: { seconds }, ...JSON.parse(lastLine(stdout)) }
  } catch (error) {
    return { name, export: { seconds }, pruning: { failure: lastLine(error.stderr || error.signal || error.message) } }
  }
}

const began = performance.now()
let left = names.length
for (const name of names) {
  if ((performance.now() - began) / 1000 > Number(values.seconds)) break
  const row = await look(name)
  appendFileSync(results, `${JSON.stringify(row)}\n`)
  if (!values.keep) rmSync(join(folder, name), { recursive: true, force: true })
  left--
  const { gradients: g, pruning: p } = row
  console.log(
    `${name}: ${row.export.failure ?? `exported in ${row.export.seconds.toFixed(0)} s`}` +
      `${g ? `; gradients ${g.failure ?? `${g.error.toExponential(1)} (rounding ${g.rounding})`}` : ''}` +
      `${p ? `; pruning ${p.failure ?? `${p.difference.toExponential(1)} share ${p.share.toFixed(2)} in ${p.seconds.toFixed(1)} s`}` : ''}` +
      `; ${((performance.now() - began) / 1000).toFixed(0)} s, ${((row.peakBytes ?? 0) / 2 ** 30).toFixed(1)} GiB`,
  )
}
console.log(`${left} left`)
