import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dataset } from '../data/index.ts'
import type { Model } from '../onnx/index.ts'
import { ranger } from '../optim/index.ts'
import { verifyPlan } from '../prune/index.ts'
import { inherited, rotated } from '../prune/testing/inherited.ts'
import { nodeRuntime as runtime } from '../runtime/node.ts'
import { loadCheckpoint, saveCheckpoint } from './folder.ts'
import { rebirth } from './rebirth.ts'
import { type TrainOptions, train } from './trainer.ts'

const samples = dataset({
  name: 'fives',
  inputs: Float32Array.from({ length: 24 * 5 }, (_, i) => Math.cos(i * 0.7)),
  sampleDims: [5],
  labels: Uint8Array.from({ length: 24 }, (_, i) => i % 3),
  classes: 3,
})

const options = (epochs: number): TrainOptions => ({
  ...{ runtime, threads: 1, data: samples, batch: 6, epochs, seed: 1, telemetryEvery: 1, checkpointEvery: 4 },
  recipe: ranger({ lr: 1e-2 }),
})

test.each([0, 1, 4])(
  'a network whose names every object has trains, resumes and is pruned, turned by %i',
  async (by) => {
    const model = inherited(rotated(by))
    const folder = await mkdtemp(join(tmpdir(), 'espalier-names-'))
    try {
      const whole = await train(model, options(2))
      expect(whole.loss).toBeLessThan(5)
      const saved = await train(model, {
        ...options(2),
        onEvent: (event) => {
          if (event.type === 'checkpoint' && event.step === 4) throw new Error('stopped')
        },
        save: async (state) => {
          if (state.step === 4) await saveCheckpoint(folder, state, model, {})
          return folder
        },
      }).catch(() => undefined)
      expect(saved).toBeUndefined()
      const found = await loadCheckpoint(folder, {})
      const resumed = await train(model, { ...options(2), resume: found! })
      expect([...resumed.state.weights]).toEqual([...whole.state.weights])

      const retrain = async (pruned: Model) => {
        const { model: trained, state } = await train(pruned, options(1))
        return { model: trained, optimizer: state.optimizer }
      }
      const last = await rebirth({ runtime, model, steps: 2, target: { ratio: 0.5 }, retrain })
      expect(last.model.graph.initializers.get(rotated(by)[1]!)!.dims).toEqual([4, 5])
      expect((await verifyPlan(last.analysis.model, last.pruned, last.plan, { runtime })).equal).toBe(true)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
)
