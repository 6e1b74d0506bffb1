import { describe, expect, it } from 'vitest'
import { readSafetensors } from '../formats/file.ts'
import { readModel } from '../onnx/file.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { webRuntime } from '../runtime/web.ts'
import { fixture } from '../testing/fixtures.ts'
import { gradientParity } from './index.ts'

const cases = [
  'seed-cnn',
  'mlp',
  'resnet-train',
  'resnet-eval',
  'densenet-train',
  'inception',
  'mobilenet-train',
  'shufflenet',
  'unet',
  'vit',
  'gpt',
  'lstm',
  'gru',
]

describe.each([nodeRuntime, webRuntime])('gradients recorded from PyTorch, on the $name engine', (runtime) => {
  it.each(cases)('%s within 1e-4', async (name) => {
    const model = await readModel(fixture(`gradients/${name}.onnx`))
    const parity = await gradientParity(runtime, model, await readSafetensors(fixture(`gradients/${name}.safetensors`)))
    expect(parity.loss).toBeCloseTo(parity.recordedLoss, 4)
    const far = parity.parameters.filter(({ error }) => !(error <= 1e-4)).map(({ name, error }) => ({ name, error }))
    expect(far).toEqual([])
  })
})
