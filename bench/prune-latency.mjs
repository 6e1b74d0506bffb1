/**
 * How much faster ONNX Runtime runs a model with half its MACs: the original and three ways to round widths, run in turn on
 * one thread.
 *
 *     npm run build && node bench/prune-latency.mjs MODEL
 */
import { readModel } from '../dist/onnx/file.js'
import { analyzeModel, applyPlan, planPruning, sampleInputs } from '../dist/prune/index.js'
import { nodeRuntime as runtime } from '../dist/runtime/node.js'

const model = await readModel(process.argv[2])
const analysis = await analyzeModel(model, { runtime })
const halved = (options) =>
  applyPlan(model, planPruning(model, analysis, { target: { macs: 0.5 }, ...options }), analysis)
const models = {
  original: model,
  'half the MACs': halved({}),
  'in multiples of 8': halved({ roundTo: 8 }),
  'in multiples of 16': halved({ roundTo: 16 }),
}
const feeds = sampleInputs(model)
const sessions = new Map()
for (const [name, each] of Object.entries(models)) sessions.set(name, await runtime.open(each, { threads: 1 }))
const times = new Map([...sessions.keys()].map((name) => [name, []]))
for (let round = -3; round < 20; round++)
  for (const [name, session] of sessions) {
    const before = process.cpuUsage()
    await session.run(feeds)
    const { user, system } = process.cpuUsage(before)
    if (round >= 0) times.get(name).push((user + system) / 1000)
  }
const median = (name) => times.get(name).sort((a, b) => a - b)[10]
for (const name of sessions.keys())
  console.log(
    `${name}: ${median(name).toFixed(1)} ms of processor time, ${(median('original') / median(name)).toFixed(2)} times as fast`,
  )
