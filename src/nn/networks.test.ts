import { describe, expect, test } from 'vitest'
import { float32, sizeOf } from '../base/index.ts'
import { decodeModel, encodeModel, type Model } from '../onnx/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { webRuntime } from '../runtime/web.ts'
import { heNormal, lastHiddenOf, networkNamed, networks, valueNames, zeros } from './index.ts'

/** Trainable numbers: running statistics are not. */
const parametersOf = (model: Model): number =>
  [...model.graph.initializers]
    .filter(([name]) => /\.(weight|bias)$/.test(name))
    .reduce((sum, [, tensor]) => sum + sizeOf(tensor.dims), 0)

const samples = (count: number, dims: readonly number[]) =>
  float32(
    [count, ...dims],
    Array.from({ length: count * sizeOf(dims) }, (_, i) => Math.sin(i)),
  )

/**
 * Parameters as published or counted by hand. ResNet-20's 0.27 M: 269 722 with parameter-free shortcuts, and 2 752 more
 * for the two 1×1 shortcuts with their normalization.
 */
const published = [
  { name: 'seed-cnn', parameters: 28_938, features: 1568 },
  { name: 'tf-cnn', parameters: 160 + 4_640 + 9_248 + 65_664 + 33_024 + 2_570, features: 256 },
  { name: 'lenet-5', parameters: 431_080, features: 500 },
  { name: 'lenet-300-100', parameters: 266_610, features: 100 },
  { name: 'vgg-small', parameters: 1_792 + 36_928 + 73_856 + 147_584 + 295_168 + 590_080 + 40_970, features: 4096 },
  { name: 'resnet-20', parameters: 269_722 + 2_752, features: 64 },
]

test('every network of the table is held to its figures', () => {
  expect(Object.keys(networks).sort()).toEqual(published.map(({ name }) => name).sort())
})

describe.each(published)('$name', ({ name, parameters, features }) => {
  const { build, sampleDims } = networkNamed(name)
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
    for (const weight of initializers.keys()) expect(weight).toMatch(/^[\w.]+\.(weight|bias|running_mean|running_var)$/)
  })

  test('its last hidden value is found, and has its size', async () => {
    expect(lastHiddenOf(model)).toBe(valueNames.features)
    const tapped = {
      ...model,
      graph: { ...model.graph, outputs: [{ name: valueNames.features, type: 'float32' as const }] },
    }
    const session = await nodeRuntime.open(tapped)
    const { [valueNames.features]: hidden } = await session.run({ [valueNames.input]: samples(2, sampleDims) })
    await session.close()
    expect(hidden!.dims).toEqual([2, features])
  })

  test('runs on both engines at two batch sizes', async () => {
    for (const runtime of [nodeRuntime, webRuntime]) {
      const session = await runtime.open(model)
      for (const batch of [1, 3]) {
        const { [valueNames.output]: logits } = await session.run({ [valueNames.input]: samples(batch, sampleDims) })
        expect(logits).toMatchObject({ type: 'float32', dims: [batch, 10] })
      }
      await session.close()
    }
  })
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
