/**
 * What it takes to build the training graph of an ONNX file (forward, loss, all gradients), by batch and size of image: the
 * median of five, and the processor's time in all threads.
 *
 *     npm run build && node bench/graph-build.mjs resnet50.onnx [1x64 8x64 8x224 …]
 */
import { trainingGraph } from '../dist/autodiff/index.js'
import { readModel } from '../dist/onnx/file.js'
import { nodeRuntime as runtime } from '../dist/runtime/node.js'

const [file, ...asked] = process.argv.slice(2)
if (!file) {
  console.error('usage: node bench/graph-build.mjs FILE [BATCHxSIDE…]')
  process.exit(2)
}
const model = await readModel(file)
const image = model.graph.inputs[0]
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]

const build = async (batch, side) => {
  const dims = [batch, image.dims[1], side, side]
  const [started, used] = [performance.now(), process.cpuUsage()]
  const { model: made } = await trainingGraph(model, { runtime, inputs: { [image.name]: dims } })
  const { user, system } = process.cpuUsage(used)
  return { ms: performance.now() - started, cpu: (user + system) / 1000, nodes: made.graph.nodes.length }
}

console.log('batch × side      ms   CPU ms   nodes')
for (const size of asked.length > 0 ? asked : ['1x64', '8x64', '32x64', '1x224', '8x224', '32x224']) {
  const [batch, side] = size.split('x').map(Number)
  const runs = []
  for (let i = 0; i < 5; i++) runs.push(await build(batch, side))
  const [ms, cpu] = ['ms', 'cpu'].map((key) => median(runs.map((run) => run[key])).toFixed(0))
  console.log(`${size.padEnd(12)} ${ms.padStart(7)} ${cpu.padStart(8)} ${String(runs[0].nodes).padStart(7)}`)
}
