// A training step here and in PyTorch on the same cores, in turns, as a Markdown table.
//
//     npm run build && node bench/compare.mjs [--rounds N] [--threads N] [NETWORK…]
//
// Needs Debian's python3-torch and libopenblas0-pthread. Each round starts both programs anew for each network; the figure is
// the median of the rounds' medians.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '3' }, threads: { type: 'string', default: '2' } },
})
const all = [
  'seed-cnn',
  'tf-cnn',
  'lenet-5',
  'lenet-300-100',
  'vgg-small',
  'resnet-20',
  'mobilenet-small',
  'vit-tiny',
  'gpt-small',
]
const names = positionals.length > 0 ? positionals : all
const at = (path) => fileURLToPath(new URL(path, import.meta.url))

// Freed memory is kept for the next step, in both: a page touched for the first time costs more than what is computed in it.
const env = { ...process.env, MALLOC_MMAP_THRESHOLD_: '1000000000', MALLOC_TRIM_THRESHOLD_: '4000000000' }
const run = (program, args) =>
  execFileSync(program, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 26 })

const torch = (name) => {
  const [, step, forward, memory] = /step +([\d.]+) +forward +([\d.]+) +peak +([\d.]+)/.exec(
    run('/usr/bin/python3', [at('step.py'), values.threads, name]),
  )
  return { step: Number(step), forward: Number(forward), memory: Number(memory) }
}

const espalier = (name) => {
  const args = ['bench', 'train', '--network', name, '--threads', values.threads, '--steps', '40', '--json']
  const { rows } = JSON.parse(run(process.execPath, [at('../dist/cli/main.js'), ...args]))
  return { step: rows[0].stepMs, forward: rows[0].forwardMs, memory: rows[0].peakBytes / 1e6 }
}

const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1]
const geometricMean = (numbers) => Math.exp(numbers.reduce((sum, n) => sum + Math.log(n), 0) / numbers.length)

const measured = names.map((name) => {
  const rounds = Array.from({ length: Number(values.rounds) }, () => ({ torch: torch(name), espalier: espalier(name) }))
  const of = (who, what) => median(rounds.map((round) => round[who][what]))
  const row = {
    name,
    step: of('espalier', 'step'),
    torch: of('torch', 'step'),
    forward: of('espalier', 'forward'),
    memory: of('espalier', 'memory'),
    torchMemory: of('torch', 'memory'),
  }
  process.stderr.write(`${name}: ${row.step.toFixed(2)} ms, PyTorch ${row.torch.toFixed(2)} ms\n`)
  return { ...row, ratio: row.step / row.torch, overForward: row.step / row.forward }
})

const cells = (...columns) => `| ${columns.join(' | ')} |`
console.log(
  cells('network', 'step, ms', 'PyTorch, ms', 'ratio', 'forward, ms', 'step ÷ forward', 'peak MB', "PyTorch's"),
)
console.log(cells('---', '---', '---', '---', '---', '---', '---', '---'))
for (const r of measured)
  console.log(
    cells(
      r.name,
      r.step.toFixed(2),
      r.torch.toFixed(2),
      r.ratio.toFixed(2),
      r.forward.toFixed(2),
      r.overForward.toFixed(2),
      r.memory.toFixed(0),
      r.torchMemory.toFixed(0),
    ),
  )
const means = [geometricMean(measured.map((r) => r.ratio)), geometricMean(measured.map((r) => r.overForward))]
console.log(cells('geometric mean', '', '', means[0].toFixed(2), '', means[1].toFixed(2), '', ''))
