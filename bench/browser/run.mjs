/**
 * A training step (forward, backward, Ranger's update) of ONNX Runtime native, of its WebAssembly in Node and of its
 * WebAssembly in Chromium, one thread each: milliseconds of processor time, which other work on the machine changes
 * little, taking turns all the same.
 *
 *     npm run build && node bench/browser/run.mjs [--steps N] [--turn N] [--no-transfer] [NETWORK…]
 *
 * A turn is six steps in a row unless --turn says otherwise: of a network whose step takes a few milliseconds, more, since
 * Chromium takes some for every message that begins a turn.
 *
 * With --no-transfer Chromium is without ArrayBuffer.prototype.transfer, as older browsers are: gradients then wait for
 * the garbage collector, and those of every step are made of fresh memory.
 *
 * Chromium is looked for at CHROMIUM_PATH, then /usr/bin/chromium.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { nodeRuntime } from 'espalier/runtime/node'
import { webRuntimeOf } from 'espalier/runtime/web'
import { chromium } from 'playwright-core'
import { build } from 'vite'
import { batchOf, stepOf } from './step.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    steps: { type: 'string', default: '24' },
    turn: { type: 'string', default: '6' },
    'no-transfer': { type: 'boolean', default: false },
  },
})
const names =
  positionals.length > 0 ? positionals : ['seed-cnn', 'tf-cnn', 'lenet-5', 'lenet-300-100', 'vgg-small', 'resnet-20']

const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'))
await build({
  configFile: false,
  logLevel: 'error',
  root: import.meta.dirname,
  build: { outDir: folder, emptyOutDir: true, reportCompressedSize: false, target: 'esnext' },
  worker: { format: 'es' },
})

const types = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' }
const server = createServer(async (request, response) => {
  const path = new URL(request.url, 'http://localhost').pathname.replace(/\/$/, '/index.html')
  const body = await readFile(join(folder, path)).catch(() => undefined)
  response.setHeader('Content-Type', types[extname(path)] ?? 'application/octet-stream')
  response.writeHead(body ? 200 : 404).end(body)
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu'],
})
const system = await browser.newBrowserCDPSession()

/** Milliseconds of processor time that pages and their workers have taken. */
const ofPages = async () => {
  const { processInfo } = await system.send('SystemInfo.getProcessInfo')
  return processInfo.filter(({ type }) => type === 'renderer').reduce((sum, { cpuTime }) => sum + 1000 * cpuTime, 0)
}
const ofNode = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

const inBrowser = async (name, settings) => {
  const page = await browser.newPage()
  await page.goto(`http://localhost:${server.address().port}/`)
  const ask = (order) => page.evaluate((order) => globalThis.ask(order), order)
  await ask({ open: name, ...settings })
  return { run: (count) => ask({ count }), close: () => page.close(), cpu: ofPages }
}

/** Steps in a row, before the next takes its turn. */
const turn = Number(values.turn)

const median = (times) => times.toSorted((a, b) => a - b)[times.length >> 1]
console.log('| network | batch | native | WASM in Node | WASM in Chromium | Node ÷ native | Chromium ÷ native |')
console.log('|---|---:|---:|---:|---:|---:|---:|')
for (const name of names) {
  const steps = [
    { ...(await stepOf(name, nodeRuntime)), cpu: ofNode },
    { ...(await stepOf(name, webRuntimeOf({ threads: 1 }))), cpu: ofNode },
    await inBrowser(name, { threads: 1, transfer: !values['no-transfer'] }),
  ]
  const times = steps.map(() => [])
  // Chromium compiles WebAssembly twice, the second time while it runs.
  for (let done = -4 * turn; done < Number(values.steps); done += turn)
    for (const [i, step] of steps.entries()) {
      const before = await step.cpu()
      await step.run(turn)
      if (done >= 0) times[i].push(((await step.cpu()) - before) / turn)
    }
  const medians = times.map(median)
  const ratios = medians.slice(1).map((time) => (time / medians[0]).toFixed(2))
  const cells = [name, batchOf(name), ...medians.map((time) => time.toFixed(1)), ...ratios]
  console.log(`| ${cells.join(' | ')} |`)
  for (const step of steps) await step.close()
}
await browser.close()
server.close()
await rm(folder, { recursive: true })
