/**
 * What analysis, plan and surgery cost as networks grow: residual networks with 1, 4 and 16 times the nodes, and as many
 * times the units in each layer.
 *
 *     npm run build && node bench/prune-growth.mjs
 */
import { buildModel, conv, flatten, globalAveragePool, linear, residualStages } from '../dist/nn/index.js'
import { pruneModel } from '../dist/prune/index.js'
import { nodeRuntime as runtime } from '../dist/runtime/node.js'

/** Drawing normal numbers would take longer than what is timed. */
const cheap = (dims) => {
  const values = new Float32Array(dims.reduce((n, d) => n * d, 1))
  let state = values.length
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    values[i] = state / 2 ** 36
  }
  return values
}

const network = (blocks, width) =>
  buildModel('growth', { dims: [3, 16, 16] }, { seed: 0, init: cheap }, (net, input) => {
    const stem = conv(net, 'stem', input, { to: width, kernel: 3, pad: 1 })
    const x = residualStages(net, stem, { widths: [width, 2 * width], blocks })
    return linear(net, 'fc', flatten(net, globalAveragePool(net, x), 'features'), { to: 10, output: 'logits' })
  })

const sizes = [
  ['1', 2, 16],
  ['4 × nodes', 8, 16],
  ['16 × nodes', 32, 16],
  ['4 × units', 2, 64],
  ['16 × units', 2, 256],
]
for (const [name, blocks, width] of sizes) {
  const model = network(blocks, width)
  const times = []
  for (let i = 0; i < 5; i++) {
    const start = performance.now()
    await pruneModel(model, { runtime, target: { ratio: 0.5 } })
    times.push(performance.now() - start)
  }
  const parameters = [...model.graph.initializers.values()].reduce((n, { bytes }) => n + bytes.byteLength / 4, 0)
  console.log(
    `${name}: ${model.graph.nodes.length} nodes, ${parameters} weights, ${times.sort((a, b) => a - b)[2].toFixed(0)} ms`,
  )
}
