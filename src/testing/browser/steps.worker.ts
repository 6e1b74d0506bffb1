import { float32, int64 } from '../../base/index.ts'
import { networkNamed } from '../../nn/index.ts'
import { webRuntimeOf } from '../../runtime/web.ts'
import { openEngine } from '../../train/index.ts'

/** So many training steps of a network whose steps are short and whose gradients are a megabyte. */
const opened = (async () => {
  const model = networkNamed('lenet-300-100').build({ seed: 0 })
  const values = Float32Array.from({ length: 32 * 784 }, (_, i) => Math.sin(i))
  const labels = Array.from({ length: 32 }, (_, i) => i % 10)
  const batch = { inputs: { input: float32([32, 1, 28, 28], values) }, targets: { labels: int64([32], labels) } }
  const engine = await openEngine(model, { runtime: webRuntimeOf({ threads: 1 }), threads: 1 }, batch)
  return async (count: number) => {
    for (let i = 0; i < count; i++) await engine.step(batch)
  }
})()

addEventListener('message', async ({ data: count }: MessageEvent<number>) => {
  const answer = await opened
    .then((run) => run(count))
    .then(
      () => ({ told: count }),
      (error: unknown) => ({ error: String(error) }),
    )
  postMessage(answer)
})
