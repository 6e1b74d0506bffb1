// Milliseconds of one optimizer update of ResNet-18's 11.7 million parameters, ours beside PyTorch's Adam(foreach), taking
// turns in one run, and the memory each needs. Needs `npm run build` and, for PyTorch, Debian's python3-torch with
// libopenblas0-pthread.
//
//     node bench/optimizer-cost.mjs [--rounds N] [--threads N] [--dist DIR] [--python FILE]
//
// PyTorch runs on one thread and on `--threads`; where other work keeps the cores busy its threads wait for each other, so
// look at processor time there.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
    dist: { type: 'string', default: fileURLToPath(new URL('../dist', import.meta.url)) },
    python: { type: 'string', default: '/usr/bin/python3' },
    only: { type: 'string' },
  },
})

/** Shapes and roles of ResNet-18's parameters. */
const shapes = () => {
  const all = []
  const conv = (to, from, k) => all.push([[to, from, k, k], 'conv'], [[to], 'vector'], [[to], 'vector'])
  conv(64, 3, 7)
  let from = 64
  for (const width of [64, 128, 256, 512])
    for (const block of [0, 1]) {
      conv(width, from, 3)
      conv(width, width, 3)
      if (block === 0 && width > 64) conv(width, from, 1)
      from = width
    }
  return [...all, [[1000, 512], 'dense'], [[1000], 'vector']]
}

const median = (times) => [...times].sort((a, b) => a - b)[times.length >> 1]
const updates = 30

/** The most memory this process has had since the last `peakFromHere`, as Linux tells it. */
const peakBytes = () => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
const peakFromHere = () => {
  globalThis.gc()
  writeFileSync('/proc/self/clear_refs', '5')
  return peakBytes()
}

/** One process's measurement: this one's, of a preset. */
const measure = async (name) => {
  const { presetOf } = await import(`${values.dist}/optim/index.js`)
  const sizeOf = (dims) => dims.reduce((n, d) => n * d, 1)
  const parameters = shapes().map(([dims, role], i) => ({
    ...{ name: `p${i}`, dims, role },
    values: Float32Array.from({ length: sizeOf(dims) }, (_, k) => Math.sin(k * 7.3 + i) / 20),
  }))
  const gradients = new Map(parameters.map((p) => [p.name, p.values.map((x) => Math.sin(x * 900) / 50)]))
  const weights = parameters.reduce((n, p) => n + p.values.byteLength, 0)
  const before = peakFromHere()
  const running = presetOf(name).make({}).start(parameters)
  const times = []
  let cpu = process.cpuUsage()
  for (let step = 0; step < updates; step++) {
    if (step === 6) cpu = process.cpuUsage()
    const began = performance.now()
    running.step(gradients, { consume: true })
    if (step >= 6) times.push(performance.now() - began)
  }
  const spent = process.cpuUsage(cpu)
  const state = running.links.reduce(
    (sum, { slots }) =>
      [...slots.values()].reduce((n, s) => Object.values(s).reduce((m, a) => m + a.byteLength, n), sum),
    0,
  )
  return {
    parameters: weights / 4,
    ms: median(times),
    cpuMs: (spent.user + spent.system) / 1000 / (updates - 6),
    stateCopies: state / weights,
    memoryCopies: (peakBytes() - before) / weights,
  }
}

if (values.only) console.log(JSON.stringify(await measure(values.only)))
else {
  const env = { ...process.env, MALLOC_MMAP_THRESHOLD_: '1000000000', MALLOC_TRIM_THRESHOLD_: '4000000000' }
  const run = (command, args) => {
    const { stdout, stderr, status } = spawnSync(command, args, { env, encoding: 'utf8' })
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
    return JSON.parse(stdout)
  }
  const self = fileURLToPath(import.meta.url)
  const python = fileURLToPath(new URL('optimizer-cost.py', import.meta.url))
  const ours = (name) => () => run(process.execPath, ['--expose-gc', self, '--only', name, '--dist', values.dist])
  const torch = (threads) => () => run(values.python, [python, String(threads)])
  const rows = [
    ['ranger, one thread', ours('ranger')],
    ['adam, one thread', ours('adam')],
    ['PyTorch Adam(foreach), one thread', torch(1)],
    ...(values.threads === '1' ? [] : [[`PyTorch Adam(foreach), ${values.threads} threads`, torch(values.threads)]]),
  ].map(([name, take]) => ({ name, take, found: [] }))
  for (let round = 0; round < Number(values.rounds); round++) for (const row of rows) row.found.push(row.take())
  console.log(
    `${rows[0].found[0].parameters} parameters; median and best of ${values.rounds} processes’ medians over ${updates - 6} updates`,
  )
  console.log(
    '| optimizer | ms | best | CPU ms | state, in copies of the weights | memory used, the same |\n|---|---|---|---|---|---|',
  )
  for (const { name, found } of rows) {
    const of = (key) => found.map((f) => f[key])
    const cells = [median(of('ms')), Math.min(...of('ms')), median(of('cpuMs'))].map((x) => x.toFixed(1))
    const copies = ['stateCopies', 'memoryCopies'].map((key) => median(of(key))?.toFixed(2) ?? '')
    console.log(`| ${[name, ...cells, ...copies].join(' | ')} |`)
  }
}
