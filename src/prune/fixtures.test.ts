import { describe, expect, test } from 'vitest'
import { readModel } from '../onnx/file.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { fixture } from '../testing/fixtures.ts'
import { costOf, pruneModel, verifyPlan } from './index.ts'

/** Share of the multiply–accumulates that must be gone after half of all units are; 0 where nothing may go yet. */
const networks: Record<string, number> = {
  'seed-cnn': 0.7,
  mlp: 0.6,
  'resnet-train': 0.7,
  'resnet-eval': 0.7,
  'densenet-train': 0.7,
  inception: 0.5,
  'mobilenet-train': 0.6,
  shufflenet: 0.45,
  unet: 0.5,
  vit: 0.4,
  gpt: 0.4,
}

describe('networks as PyTorch exports them, half of every group removed', () => {
  test.each(Object.entries(networks))('%s', async (name, share) => {
    const model = await readModel(fixture(`gradients/${name}.onnx`))
    const { model: pruned, plan } = await pruneModel(model, { runtime: nodeRuntime, target: { ratio: 0.5 } })
    const proof = await verifyPlan(model, pruned, plan, { runtime: nodeRuntime })
    expect(proof.changed).toEqual([])
    expect(proof.difference).toBeLessThanOrEqual(1e-4)
    expect(new Set(proof.outputs.map(({ batch }) => batch)).size).toBeGreaterThan(1)
    const [before, after] = [
      await costOf(model, { runtime: nodeRuntime }),
      await costOf(pruned, { runtime: nodeRuntime }),
    ]
    expect(1 - after.macs / before.macs).toBeGreaterThan(share)
  })
})
