import { describe, expect, test } from 'vitest'
import { float32, float32Of, int64, sizeOf } from '../base/index.ts'
import { decodeModel, encodeModel, type Model } from '../onnx/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { webRuntime } from '../runtime/web.ts'
import { heNormal, lastHiddenOf, type Network, networkNamed, networks, valueNames, zeros } from './index.ts'

/** Trainable numbers: running statistics are not. */
const parametersOf = (model: Model): number =>
  [...model.graph.initializers]
    .filter(([name]) => /\.(weight|bias)$|^positions$/.test(name))
    .reduce((sum, [, tensor]) => sum + sizeOf(tensor.dims), 0)

const samples = (count: number, { sampleDims, sampleType }: Network) => {
  const dims = [count, ...sampleDims]
  const numbers = Array.from({ length: sizeOf(dims) }, (_, i) => i)
  return sampleType === 'int64' ? int64(dims, numbers) : float32(dims, numbers.map(Math.sin))
}

/** A transformer block's: 12 d² + 13 d, of which attention 4 d² + 4 d, the two dense layers 8 d² + 5 d, two norms 4 d. */
const block = (width: number) => 12 * width ** 2 + 13 * width

/** An inverted residual's: three convolutions without bias, each with a norm's scale and shift. */
const inverted = (from: number, to: number, wide = 6 * from) =>
  from * wide + 2 * wide + (9 * wide + 2 * wide) + (wide * to + 2 * to)

/** ResNet-small's convolutions and classifier; they have 8 + 16 + 48 + 96 = 168 channels to shift (and scale). */
const small = 72 + 2 * 576 + (1_152 + 2_304 + 128) + (4_608 + 9_216 + 512) + 330

/**
 * Parameters as published or counted by hand. ResNet-20's 0.27 M: 269 722 with parameter-free shortcuts, and 2 752 more
 * for the two 1×1 shortcuts with their normalization.
 */
const published = [
  { name: 'seed-cnn', parameters: 28_938, features: [1568] },
  { name: 'tf-cnn', parameters: 160 + 4_640 + 9_248 + 65_664 + 33_024 + 2_570, features: [256] },
  { name: 'lenet-5', parameters: 431_080, features: [500] },
  { name: 'lenet-300-100', parameters: 266_610, features: [100] },
  { name: 'vgg-small', parameters: 1_792 + 36_928 + 73_856 + 147_584 + 295_168 + 590_080 + 40_970, features: [4096] },
  { name: 'resnet-20', parameters: 269_722 + 2_752, features: [64] },
  { name: 'resnet-small', parameters: small + 2 * 168, features: [32] },
  { name: 'resnet-small-plain', parameters: small + 168, features: [32] },
  {
    name: 'mobilenet-small',
    parameters:
      27 * 16 +
      32 +
      (9 * 16 + 32 + 16 * 16 + 32) +
      (inverted(16, 24) +
        inverted(24, 24) +
        inverted(24, 32) +
        inverted(32, 32) +
        inverted(32, 64) +
        inverted(64, 64)) +
      (64 * 256 + 512) +
      2_570,
    features: [256],
  },
  { name: 'vit-tiny', parameters: 12 * block(192) + (48 * 192 + 192) + 64 * 192 + 384 + 1_930, features: [192] },
  {
    name: 'gpt-small',
    parameters: 4 * block(128) + 256 * 128 + 64 * 128 + 256 + (128 * 256 + 256),
    features: [64, 128],
  },
]

test('every network of the table is held to its figures', () => {
  expect(Object.keys(networks).sort()).toEqual(published.map(({ name }) => name).sort())
})

describe.each(published)('$name', ({ name, parameters, features }) => {
  const network = networkNamed(name)
  const { build } = network
  const model = build({ seed: 1 })

  test('has the parameters known of it', () => {
    expect(parametersOf(model)).toBe(parameters)
  })

  test('the same seed gives the same bytes, another one others, and they read back', () => {
    const bytes = encodeModel(model)
    const isSame = (other: Model) => Buffer.compare(encodeModel(other), bytes) === 0
    expect(isSame(build({ seed: 1 }))).toBe(true)
    expect(isSame(build({ seed: 2 }))).toBe(false)
    expect(isSame(decodeModel(bytes))).toBe(true)
  })

  test('every layer, value and weight can be told by its name', () => {
    const { nodes, initializers } = model.graph
    expect(new Set(nodes.map((node) => node.name)).size).toBe(nodes.length)
    for (const node of nodes.filter((node) => node.opType === 'Conv' || node.opType === 'Gemm'))
      expect(node.inputs[1]).toBe(`${node.name}.weight`)
    for (const [weight, { type, dims }] of initializers)
      if (type === 'float32' && sizeOf(dims) > 1)
        expect(weight).toMatch(/^[\w.]+\.(weight|bias|running_mean|running_var)$|^positions$/)
  })

  test('its last hidden value is found, and has its size', async () => {
    expect(lastHiddenOf(model)).toBe(valueNames.features)
    const tapped = {
      ...model,
      graph: { ...model.graph, outputs: [{ name: valueNames.features, type: 'float32' as const }] },
    }
    const session = await nodeRuntime.open(tapped)
    const { [valueNames.features]: hidden } = await session.run({ [valueNames.input]: samples(2, network) })
    await session.close()
    expect(hidden!.dims).toEqual([2, ...features])
  })

  test('runs on both engines at two batch sizes', async () => {
    for (const runtime of [nodeRuntime, webRuntime]) {
      const session = await runtime.open(model)
      for (const batch of [1, 3]) {
        const { [valueNames.output]: logits } = await session.run({ [valueNames.input]: samples(batch, network) })
        expect(logits).toMatchObject({ type: 'float32', dims: [batch, ...features.slice(0, -1), network.classes] })
      }
      await session.close()
    }
  })
})

test('a causal model answers for each position from what stands before it', async () => {
  const session = await nodeRuntime.open(networkNamed('gpt-small').build())
  const text = Array.from({ length: 64 }, (_, i) => (i * 37) % 256)
  const answer = async (tokens: number[]) => {
    const { logits } = await session.run({ input: int64([1, 64], tokens) })
    return float32Of(logits!)
  }
  const [first, second] = [await answer(text), await answer(text.with(40, 255))]
  await session.close()
  const differs = (position: number) =>
    first
      .subarray(position * 256, (position + 1) * 256)
      .some((value, i) => Math.abs(value - second[position * 256 + i]!) > 1e-5)
  expect([0, 20, 39].some(differs)).toBe(false)
  expect([40, 41, 63].every(differs)).toBe(true)
})

test('classes and starting weights can be chosen', () => {
  const few = networkNamed('seed-cnn').build({ classes: 3, init: heNormal() })
  expect(few.graph.initializers.get('fc.weight')!.dims).toEqual([3, 1568])
  expect(few.graph.outputs).toEqual([{ name: 'logits', type: 'float32', dims: ['N', 3] }])
  expect(few.graph.initializers.get('conv1.bias')!.bytes.every((byte) => byte === 0)).toBe(true)
  const none = networkNamed('lenet-300-100').build({ init: zeros })
  expect(none.graph.initializers.get('fc1.weight')!.bytes.every((byte) => byte === 0)).toBe(true)
})

test.each([
  [() => networkNamed('seed'), /no network is called 'seed'; there are seed-cnn, tf-cnn/],
  [() => networkNamed('toString'), /no network is called/],
  [() => networkNamed('seed-cnn').build({ classes: 0 }), /classes must be/],
])('what makes no sense is refused: %s', (run, message) => {
  expect(run).toThrow(message)
})
