// Where a training step's time goes, by operator, from ONNX Runtime's own profile, as Markdown.
//
//     npm run build && node bench/profile.mjs [--threads N] [--top N] [NETWORK…]
//
// A figure is the mean over the steps after the first half, in milliseconds; counts are those of one step.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import ort from 'onnxruntime-node'
import { exampleBatch, exampleLoss } from '../dist/cli/bench/example.js'
import { networks } from '../dist/nn/index.js'
import { encodeModel } from '../dist/onnx/index.js'
import { nodeRuntime } from '../dist/runtime/node.js'
import { toEngine } from '../dist/runtime/tensors.js'
import { copyWeights, prepare, weightFeeds } from '../dist/train/index.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { threads: { type: 'string', default: '2' }, top: { type: 'string', default: '10' } },
})
const steps = 40

const profile = async (network) => {
  const model = network.build()
  const example = exampleBatch(network, network === networks['seed-cnn'] || network === networks['tf-cnn'] ? 50 : 32)
  const { graph, session } = await prepare(model, { runtime: nodeRuntime, loss: exampleLoss(network) }, example)
  await session.close()
  const state = copyWeights(model, [...graph.gradients.keys(), ...graph.updates.map((update) => update.initializer)])
  const tensors = { ...weightFeeds(model, state), ...example.inputs, ...example.targets }
  const feeds = Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, toEngine(ort, name, tensor)]))

  const folder = mkdtempSync(join(tmpdir(), 'espalier-profile-'))
  const profiled = await ort.InferenceSession.create(encodeModel(graph.model), {
    intraOpNumThreads: Number(values.threads),
    enableMemPattern: false,
    enableProfiling: true,
    profileFilePrefix: join(folder, 'step'),
    logSeverityLevel: 3,
  })
  for (let i = 0; i < steps; i++) await profiled.run(feeds)
  profiled.endProfiling()
  const events = JSON.parse(readFileSync(join(folder, readdirSync(folder)[0]), 'utf8'))
  rmSync(folder, { recursive: true })
  const nodes = events.filter(({ cat, name }) => cat === 'Node' && name.endsWith('_kernel_time'))
  const taken = new Map()
  for (const { dur, args } of nodes.slice(nodes.length / 2)) {
    const { count, ms } = taken.get(args.op_name) ?? { count: 0, ms: 0 }
    taken.set(args.op_name, { count: count + 2 / steps, ms: ms + (dur / 1000) * (2 / steps) })
  }
  return [...taken].sort(([, a], [, b]) => b.ms - a.ms)
}

for (const name of positionals.length > 0 ? positionals : Object.keys(networks)) {
  const rows = await profile(networks[name])
  const total = rows.reduce((sum, [, { ms }]) => sum + ms, 0)
  const shown = rows.slice(0, Number(values.top))
  const rest = total - shown.reduce((sum, [, { ms }]) => sum + ms, 0)
  const text = shown.map(([operator, { count, ms }]) => `${operator} ${ms.toFixed(2)} (${Math.round(count)})`)
  console.log(`| ${name} | ${total.toFixed(1)} | ${text.join(', ')} | ${rest.toFixed(2)} |`)
}
