// Exports networks, checks each and deletes it again; what was found is a line of FOLDER/results.jsonl per network. Networks
// that an npm package holds (published.mjs) are copied in place of exported.
//
//   npm run build && node scripts/networks/run.mjs FOLDER [--only NAME,NAME] [--seconds 180] [--again] [--keep]
//
// Networks that have a line are left out unless `--again` is said, and none is begun when the seconds are spent: run it again
// until it says that nothing is left, then `node scripts/networks/document.mjs FOLDER/results.jsonl docs/networks.md`.

import { execFile, spawn } from 'node:child_process'
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs, promisify } from 'node:util'
import { published } from './published.mjs'

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
const exporter = ['/usr/bin/python3', join(here, 'export.py')]
const parts = ['only-gradients', 'only-file'].filter((name) => values[name]).map((name) => `--${name}`)

mkdirSync(folder, { recursive: true })
const results = join(folder, 'results.jsonl')
const lines = existsSync(results) ? readFileSync(results, 'utf8').trim().split('\n').filter(Boolean) : []
const part = values['only-gradients'] ? 'gradients' : 'pruning'
const done = new Set(
  lines
    .map((line) => JSON.parse(line))
    .filter((row) => row.export.failure || row[part])
    .map(({ name }) => name),
)
const listed = async () => [
  ...(await start(exporter[0], [exporter[1], '--list', ...parts])).stdout.trim().split('\n'),
  ...(values['only-gradients'] ? [] : published.keys()),
]
const wanted = values.only?.split(',') ?? (await listed())
const names = wanted.filter((name) => values.again || !done.has(name))

// One exporter for all, since PyTorch takes seconds to load: a name a line, answered by a line.
const python = spawn(exporter[0], [exporter[1], folder, ...parts], { stdio: ['pipe', 'pipe', 'ignore'] })
const answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]()
const exportNetwork = async (name) => {
  const file = published.get(name)
  if (file) {
    mkdirSync(join(folder, name), { recursive: true })
    copyFileSync(file, join(folder, name, 'model.onnx'))
    return undefined
  }
  python.stdin.write(`${name}\n`)
  for (;;) {
    const { value, done } = await answers.next()
    if (done) return 'the exporter ended'
    if (value === 'done') return undefined
    // PyTorch prints warnings of its own.
    if (/^\w+(Error|Exception|Interrupt): /.test(value)) return value
  }
}

const lastLine = (text) => String(text).trim().split('\n').at(-1)

const look = async (name) => {
  const began = performance.now()
  const failure = await exportNetwork(name)
  if (failure !== undefined) return { name, export: { failure } }
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
python.stdin.end()
console.log(`${left} left`)
