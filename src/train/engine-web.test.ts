import { expect, test } from 'vitest'
import { float32, int64, sizeOf } from '../base/index.ts'
import { buildModel, conv, flatten, linear, relu } from '../nn/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { webRuntimeOf } from '../runtime/web.ts'
import { openEngine, prepare } from './engine.ts'

const wide = () =>
  buildModel('wide', { dims: [3, 10, 9] }, { seed: 3 }, (net, input) => {
    let x = relu(net, conv(net, 'conv1', input, { to: 48, kernel: 3, pad: 1 }))
    x = relu(net, conv(net, 'conv2', x, { to: 64, kernel: 3, pad: 1 }))
    return linear(net, 'fc', flatten(net, x, 'features'), { to: 10, output: 'logits' })
  })

test('in WebAssembly wide convolutions are done by minimal filtering, and their gradients are the same', async () => {
  const dims = [8, 3, 10, 9]
  const values = Float32Array.from({ length: sizeOf(dims) }, (_, i) => Math.sin(3.1 * i))
  const labels = Array.from({ length: 8 }, (_, i) => i % 10)
  const example = { inputs: { input: float32(dims, values) }, targets: { labels: int64([8], labels) } }
  const runtimes = { native: nodeRuntime, web: webRuntimeOf({ threads: 1 }) }

  const { graph, session } = await prepare(wide(), { runtime: runtimes.web }, example)
  await session.close()
  // Three 3×3 convolutions would be left of two layers: one forward, and of the second one more by its input.
  const kernels = graph.model.graph.nodes.filter((node) => node.opType === 'Conv')
  expect(kernels).toHaveLength(1)

  const [native, web] = await Promise.all(
    Object.values(runtimes).map((runtime) => openEngine(wide(), { runtime, threads: 1 }, example)),
  )
  const [expected, found] = [await native!.step(example), await web!.step(example)]
  expect(found.loss).toBeCloseTo(expected.loss, 5)
  expect([...web!.gradients.keys()]).toEqual([...native!.gradients.keys()])
  for (const [name, gradient] of native!.gradients) {
    const other = web!.gradients.get(name)!
    const norm = Math.hypot(...gradient)
    expect(Math.hypot(...gradient.map((value, i) => value - other[i]!)) / norm, name).toBeLessThan(1e-4)
  }
  await Promise.all([native!.close(), web!.close()])
})
