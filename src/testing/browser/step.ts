import { float32, int64 } from '../../base/index.ts'
import { buildModel, conv, flatten, heNormal, linear, relu } from '../../nn/index.ts'
import type { Runtime } from '../../runtime/index.ts'
import { openEngine } from '../../train/index.ts'

/** What one training step found, as numbers that can be handed to whoever drives the page. */
export type Step = {
  readonly provider: string
  readonly loss: number
  readonly gradients: { readonly [name: string]: readonly number[] }
  /** Elements the first step's gradients have left after a second one. */
  readonly left: number
}

/** A step of a small network of a convolution and a dense layer, and a second one to see what becomes of the first. */
export const stepOn = async (runtime: Runtime): Promise<Step> => {
  const model = buildModel('small', { dims: [1, 6, 6] }, { seed: 0, init: heNormal() }, (net, input) => {
    const features = relu(net, conv(net, 'conv', input, { to: 2, kernel: 3, pad: 1 }))
    return linear(net, 'fc', flatten(net, features, 'features'), { to: 3, output: 'logits' })
  })
  const values = Float32Array.from({ length: 72 }, (_, i) => Math.sin(i))
  const example = { inputs: { input: float32([2, 1, 6, 6], values) }, targets: { labels: int64([2], [0, 2]) } }
  const provider = await runtime.provider()
  const engine = await openEngine(model, { runtime, threads: 1 }, example)
  const { loss } = await engine.step(example)
  const first = [...engine.gradients]
  const gradients = Object.fromEntries(first.map(([name, gradient]) => [name, Array.from(gradient)]))
  await engine.step(example)
  await engine.close()
  return { provider, loss, gradients, left: first.reduce((sum, [, { length }]) => sum + length, 0) }
}
