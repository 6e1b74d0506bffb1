import { readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { float32, float32Of, int64 } from '../base/index.ts'
import { readSafetensors, writeNpy, writeNpz, writeSafetensors } from '../formats/node.ts'
import { readModel, writeModel } from '../onnx/file.ts'
import { fixture } from '../testing/fixtures.ts'
import { commands } from './commands/index.ts'
import { espalier, json, spawned, temporary, writeDigits, writeNetwork } from './testing/cli.ts'

const { version }: { version: string } = createRequire(import.meta.url)('../../package.json')

let folder: string
const at = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = await temporary()
  await writeDigits(folder)
  await writeNetwork(folder, 'tf-cnn')
  await writeNetwork(folder, 'lenet-300-100')
  await writeFile(at('truncated.onnx'), (await readFile(at('tf-cnn.onnx'))).subarray(0, 20000))
  await writeFile(at('text.txt'), 'no tensors here')
  await writeFile(at('empty.onnx'), '')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** The command fails with one line on stderr that says all of `texts`, and prints nothing else. */
const fails = async (code: number, args: readonly string[], ...texts: string[]) => {
  const found = await espalier(folder, args)
  expect(found.stderr).toMatch(/^espalier: .*\n$/)
  expect(found.stderr.trim().split('\n'), found.stderr).toHaveLength(1)
  for (const text of texts) expect(found.stderr).toContain(text)
  expect(found.code, found.stderr).toBe(code)
  expect(found.stdout).toBe('')
}

describe('the program', () => {
  test('as it is installed: help, version, a document and an error', async () => {
    const [help, told, document, error] = await Promise.all(
      [['--help'], ['--version'], ['inspect', 'tf-cnn.onnx', '--json'], ['inspect', 'nothing.onnx']].map((args) =>
        spawned(folder, args),
      ),
    )
    expect(help!.code).toBe(0)
    for (const { name, summary } of commands) {
      expect(help!.stdout).toContain(`  espalier ${name} `)
      expect(help!.stdout).toContain(summary)
    }
    expect(told).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
    expect(JSON.parse(document!.stdout).kind).toBe('onnx')
    expect([document!.code, document!.stderr]).toEqual([0, ''])
    expect(error).toEqual({
      code: 1,
      stdout: '',
      stderr: "espalier: file 'nothing.onnx': there is no such file; check the path\n",
    })
  })

  test.each(commands.map(({ name }) => name))('%s --help lists its flags and runs nothing', async (name) => {
    const { code, stdout, stderr } = await espalier(folder, [name, '--help'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout.startsWith(`espalier ${name}`)).toBe(true)
    for (const flag of [
      '--json',
      '--help',
      ...Object.keys(commands.find((c) => c.name === name)!.options).map((o) => `--${o}`),
    ])
      expect(stdout).toContain(flag)
  })

  test('without a command it shows the way and ends as wrong usage', async () => {
    const { code, stdout } = await espalier(folder, [])
    expect(code).toBe(2)
    expect(stdout).toContain('espalier COMMAND --help')
    expect((await espalier(folder, ['help'])).code).toBe(0)
  })

  test('a command there is not, a flag there is not, an argument too many or too few', async () => {
    await fails(2, ['prunne'], "there is no command 'prunne'", 'prune')
    await fails(2, ['inspect', 'tf-cnn.onnx', '--all'], '--all', '--help')
    await fails(
      2,
      ['inspect', 'tf-cnn.onnx', 'text.txt'],
      "'text.txt' is one argument too many",
      'espalier inspect FILE',
    )
    await fails(2, ['inspect'], 'FILE is missing')
    await fails(2, ['verify', 'tf-cnn.onnx'], 'PRUNED is missing')
    await fails(2, ['verify', 'tf-cnn.onnx', 'tf-cnn.onnx'], '--plan is missing')
    await fails(2, ['compare', 'tf-cnn.onnx', '--data', 'idx:data'], 'is missing')
    await fails(2, ['compare', 'tf-cnn.onnx', 'tf-cnn.onnx'], '--data is missing')
    await fails(2, ['inspect', 'tf-cnn.onnx', '--json=yes'], '--json')
  })
})

type Inspected = {
  kind: string
  parameters: number
  variables: { [name: string]: { type: string; shape: number[] } }
}

describe('inspect', () => {
  test('--groups draws what lives and dies together', async () => {
    const { stdout } = await espalier(folder, ['inspect', 'tf-cnn.onnx', '--groups'])
    expect(stdout).toContain('conv1.weight  16 units, exact')
    expect(stdout).toMatch(/├─ makes +conv1\.weight:0 +Conv 'conv1'/)
    expect(stdout).toMatch(/└─ feeds +conv2\.weight:1 +Conv 'conv2'/)
    expect(stdout).toMatch(/stays: .*an output of the graph/)
    expect(stdout).toContain('5 groups of units')
    const { groups, prunableMacs } = await json<{
      groups: { name: string; members: object[] }[]
      prunableMacs: { exact: number }
    }>(folder, ['inspect', 'tf-cnn.onnx', '--groups'])
    expect(groups.map(({ name }) => name)[0]).toBe('conv1.weight')
    expect(groups[0]!.members).toContainEqual(
      expect.objectContaining({ initializer: 'conv2.weight', axis: 1, role: 'consumes', perUnit: 1 }),
    )
    expect(prunableMacs.exact).toBe(1)
  })

  test('an ONNX file: variables, operators, parameters, MACs and bytes', async () => {
    const found = await json<
      Inspected & { macs: number; bytes: number; opset: number; operators: object; inputs: object[] }
    >(folder, ['inspect', 'tf-cnn.onnx'])
    expect(found).toMatchObject({
      kind: 'onnx',
      opset: 17,
      // By hand: 28²·9·16 + 14²·9·16·32 + 7²·9·32·32 + 512·128 + 128·256 + 256·10.
      macs: 112896 + 903168 + 451584 + 65536 + 32768 + 2560,
      parameters: 160 + 4640 + 9248 + 65664 + 33024 + 2570,
      bytes: (await readFile(at('tf-cnn.onnx'))).byteLength,
      operators: { Conv: 3, MaxPool: 3, Relu: 5, Gemm: 3, Flatten: 1 },
      inputs: [{ name: 'input', type: 'float32', shape: ['N', 1, 28, 28] }],
    })
    expect(found.variables['conv2.weight']).toEqual({ type: 'float32', shape: [32, 16, 3, 3] })
    expect(Object.keys(found.variables)).toHaveLength(12)
    const { stdout } = await espalier(folder, ['inspect', 'tf-cnn.onnx'])
    expect(stdout).toMatch(/^conv2\.weight +\[32, 16, 3, 3\] +float32 +18 432$/m)
    expect(stdout).toContain('1 568 512 MACs a sample')
  })

  test('a TensorFlow checkpoint by its prefix, any of its files or its folder', async () => {
    for (const path of ['tf-checkpoint/model.ckpt', 'tf-checkpoint/model.ckpt.index', 'tf-checkpoint']) {
      const { kind, variables, parameters } = await json<Inspected>(folder, ['inspect', fixture(path)])
      expect(kind).toBe('tensorflow-checkpoint')
      expect(variables['dnn/hidden1/weights']).toEqual({ type: 'float32', shape: [784, 300] })
      expect(variables['dnn/output/biases']).toEqual({ type: 'float32', shape: [10] })
      expect(Object.keys(variables)).toHaveLength(8)
      expect(parameters).toBe(235500 + 30100 + 7575 + 760)
    }
  })

  test('safetensors, npz and npy', async () => {
    const tensors = new Map([
      ['a', float32([2, 3], new Float32Array(6))],
      ['b', int64([4], [1, 2, 3, 4])],
    ])
    await writeSafetensors(at('t.safetensors'), tensors)
    await writeNpz(at('t.npz'), tensors)
    await writeNpy(at('t.npy'), float32([2, 3], new Float32Array(6)))
    const variables = { a: { type: 'float32', shape: [2, 3] }, b: { type: 'int64', shape: [4] } }
    expect(await json(folder, ['inspect', 't.safetensors'])).toMatchObject({ kind: 'safetensors', variables })
    expect(await json(folder, ['inspect', 't.npz'])).toMatchObject({ kind: 'npz', variables })
    expect(await json(folder, ['inspect', 't.npy'])).toMatchObject({ kind: 'npy', variables: { array: variables.a } })
  })

  test('what it cannot read', async () => {
    await fails(1, ['inspect', 'nothing.onnx'], "'nothing.onnx'", 'no such file')
    await fails(1, ['inspect', 'truncated.onnx'], 'truncated.onnx', 'truncated or damaged')
    await fails(1, ['inspect', 'empty.onnx'], 'empty.onnx')
    await fails(2, ['inspect', 'text.txt'], 'text.txt', 'of no kind that is known')
    await fails(2, ['inspect', 'data'], "'data' is a folder with 0 TensorFlow checkpoints")
    await fails(1, ['inspect', 'tf-cnn.onnx/inside'], 'tf-cnn.onnx/inside')
  })
})

describe('analyze', () => {
  type Layer = { layer: string; shape: number[]; axis: number; sorted: number[]; kept: number[] | null } & {
    [statistic in 'sum' | 'l1' | 'l2' | 'mean' | 'std']: number[]
  }

  test("every kernel's statistics as computed from the weights, in sorted order, and what a ratio removes", async () => {
    const { layers } = await json<{ layers: Layer[] }>(folder, [
      'analyze',
      'tf-cnn.onnx',
      '--criterion',
      'sum',
      '--ratio',
      '0.25',
    ])
    expect(layers.map(({ layer }) => layer)).toEqual(
      ['conv1', 'conv2', 'conv3', 'fc1', 'fc2', 'logits'].map((l) => `${l}.weight`),
    )
    const { graph } = await readModel(at('tf-cnn.onnx'))
    for (const layer of layers.slice(0, 3)) {
      const weights = float32Of(graph.initializers.get(layer.layer)!)
      const kernels = layer.shape[0]!
      const size = weights.length / kernels
      for (let k = 0; k < kernels; k++) {
        const values = [...weights.subarray(k * size, (k + 1) * size)]
        const sum = values.reduce((a, b) => a + b, 0)
        const mean = sum / size
        expect(layer.sum[k]).toBeCloseTo(sum, 5)
        expect(layer.mean[k]).toBeCloseTo(mean, 6)
        expect(layer.l1[k]).toBeCloseTo(
          values.reduce((a, b) => a + Math.abs(b), 0),
          5,
        )
        expect(layer.l2[k]).toBeCloseTo(Math.hypot(...values), 5)
        expect(layer.std[k]).toBeCloseTo(Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / size), 5)
      }
      const sums = layer.sorted.map((k) => layer.sum[k]!)
      expect(sums).toEqual([...sums].sort((a, b) => a - b))
      expect([...layer.sorted].sort((a, b) => a - b)).toEqual(Array.from({ length: kernels }, (_, k) => k))
      // The weakest quarter goes.
      expect(layer.kept).toEqual([...layer.sorted.slice(kernels / 4)].sort((a, b) => a - b))
    }
    expect(layers.at(-1)!.kept).toBeNull()
  })

  test('for people: a curve, a table and why a layer stays; one layer where one is asked for; a network by name', async () => {
    const { code, stdout } = await espalier(folder, ['analyze', 'tf-cnn', '--layer', 'conv1', '--layer', 'logits'])
    expect(code).toBe(0)
    expect(stdout).toContain('conv1.weight  Conv [16, 1, 3, 3], 16 kernels')
    expect(stdout).toMatch(/sorted l1 +[▁▂▃▄▅▆▇█]{16}/)
    expect(stdout.match(/goes$/gm)).toHaveLength(8)
    expect(stdout).toContain('nothing can go: an output of the graph')
    expect(stdout).not.toContain('conv2.weight')
  })

  test('what it cannot do', async () => {
    await fails(2, ['analyze', 'tf-cnn.onnx', '--layer', 'conv9'], '--layer conv9', 'conv1.weight')
    await fails(2, ['analyze', 'tf-cnn.onnx', '--ratio', '1.5'], 'ratio', '1.5')
    await fails(2, ['analyze', 'tf-cnn.onnx', '--criterion', 'size'], '--criterion size', 'l1')
    await fails(2, ['analyze', 'nothing'], "there is no file or network 'nothing'", 'seed-cnn')
    await fails(1, ['analyze', 'truncated.onnx'], 'truncated.onnx')
  })
})

describe('compare', () => {
  test('figures side by side', async () => {
    await json(folder, ['prune', 'lenet-300-100.onnx', '--ratio', '0.5', '--out', 'half.onnx'])
    const args = ['compare', 'lenet-300-100.onnx', 'half.onnx', '--data', 'idx:data']
    const { stages } = await json<{ stages: { [figure: string]: number | string }[] }>(folder, args)
    expect(stages.map(({ name }) => name)).toEqual(['lenet-300-100.onnx', 'half.onnx'])
    for (const stage of stages) {
      expect(stage.bytes).toBe((await readFile(at(String(stage.name)))).byteLength)
      expect(stage.accuracy).toBeGreaterThanOrEqual(0)
      expect(stage.latencyMs).toBeGreaterThan(0)
    }
    const [whole, half] = stages
    expect(whole!.parameters).toBe(266610)
    expect(half!.parameters).toBe(784 * 150 + 150 + 150 * 50 + 50 + 500 + 10)
    expect(Number(half!.macs)).toBeLessThan(Number(whole!.macs))
    const { stdout } = await espalier(folder, args)
    expect(stdout).toMatch(/^parameters +266 610 \(100\.0 %\) +125 \d{3} \(4\d\.\d %\)$/m)
  })

  test('what it cannot do', async () => {
    await fails(1, ['compare', 'tf-cnn.onnx', 'nothing.onnx', '--data', 'idx:data'], 'nothing.onnx')
    await fails(1, ['compare', 'tf-cnn.onnx', 'truncated.onnx', '--data', 'idx:data'], 'truncated.onnx')
    await fails(1, ['compare', 'tf-cnn.onnx', 'tf-cnn.onnx', '--data', 'idx:nowhere'], 'nowhere')
    await writeSafetensors(at('s.safetensors'), new Map())
    await fails(
      2,
      ['compare', 'tf-cnn.onnx', 's.safetensors', '--data', 'idx:data'],
      's.safetensors',
      'safetensors where an ONNX file',
    )
  })
})

describe('parity', () => {
  const gradients = (name: string) => [fixture(`gradients/${name}.onnx`), fixture(`gradients/${name}.safetensors`)]

  test('gradients against recorded ones, written where asked', async () => {
    for (const name of ['mlp', 'resnet-train']) {
      const [model = '', recorded = ''] = gradients(name)
      const found = await json<{ worst: number; tolerance: number; parameters: object }>(folder, [
        ...['parity', 'gradients', model, recorded, '--out', `${name}.safetensors`],
      ])
      expect(found.worst).toBeLessThan(1e-4)
      expect(found.tolerance).toBe(1e-4)
      const [written, reference] = [await readSafetensors(at(`${name}.safetensors`)), await readSafetensors(recorded)]
      const names = [...reference.tensors.keys()].filter((key) => key.startsWith('grad:')).sort()
      expect([...written.tensors.keys()].sort()).toEqual(names)
      for (const key of names) expect(written.tensors.get(key)!.dims).toEqual(reference.tensors.get(key)!.dims)
      expect(
        Object.keys(found.parameters)
          .map((parameter) => `grad:${parameter}`)
          .sort(),
      ).toEqual(names)
    }
  })

  test('an optimizer against its trace', async () => {
    for (const name of ['ranger', 'adamw', 'lookahead-sgd']) {
      const trace = fixture(`optimizer-traces/${name}.safetensors`)
      const found = await json<{ worst: number; tolerance: number }>(folder, ['parity', 'optimizer', trace])
      expect(found.worst, name).toBeLessThanOrEqual(2e-6)
      expect(found.tolerance).toBe(2e-6)
    }
  })

  test('a difference too large ends with 1, and --json prints the figures all the same', async () => {
    const [model = '', recorded = ''] = gradients('mlp')
    const args = ['parity', 'gradients', model, recorded, '--tolerance', '1e-12']
    const { code, stdout, stderr } = await espalier(folder, [...args, '--json'])
    expect(code).toBe(1)
    expect(stderr).toContain('the largest relative error is')
    expect(JSON.parse(stdout)).toMatchObject({ tolerance: 1e-12 })
    const trace = fixture('optimizer-traces/ranger.safetensors')
    const found = await espalier(folder, ['parity', 'optimizer', trace, '--tolerance', '0', '--json'])
    expect(found.code).toBe(1)
    expect(JSON.parse(found.stdout).worst).toBeGreaterThan(0)
  })

  test('what it cannot do', async () => {
    const [model = '', recorded = ''] = gradients('mlp')
    await fails(2, ['parity', 'sizes', model], "there is no parity of 'sizes'", 'gradients or optimizer')
    await fails(2, ['parity', 'gradients', model], 'a model and a case are needed')
    await fails(1, ['parity', 'gradients', 'nothing.onnx', recorded], 'nothing.onnx')
    await fails(1, ['parity', 'gradients', model, 'nothing.safetensors'], 'nothing.safetensors')
    await fails(1, ['parity', 'gradients', model, 'text.txt'], 'text.txt')
    await fails(2, ['parity', 'gradients', 'tf-cnn.onnx', recorded], "no initializer 'f", 'conv1.weight')
    await fails(2, ['parity', 'gradients', model, recorded, '--out', model], 'are the same file')
    await fails(1, ['parity', 'gradients', model, recorded, '--out', 'data'], "'data'", 'a folder')
    await fails(1, ['parity', 'optimizer', recorded], 'mlp.safetensors')
    await fails(1, ['parity', 'optimizer', 'nothing.safetensors'], 'nothing.safetensors')
    await fails(2, ['parity', 'optimizer', 'a', 'b'], 'one trace at a time')
  })
})

describe('verify', () => {
  test('on inputs of one’s own', async () => {
    await json(folder, ['prune', 'tf-cnn.onnx', '--ratio', '0.5', '--out', 'p.onnx', '--plan', 'p.json'])
    const pixels = Float32Array.from({ length: 5 * 784 }, (_, i) => Math.sin(i))
    await writeNpz(at('inputs.npz'), new Map([['input', float32([5, 1, 28, 28], pixels)]]))
    const args = ['verify', 'tf-cnn.onnx', 'p.onnx', '--plan', 'p.json']
    const found = await json<{ outputs: { batch: number }[] }>(folder, [...args, '--inputs', 'inputs.npz'])
    expect(found.outputs.map(({ batch }) => batch)).toEqual([5])
    await fails(1, [...args, '--inputs', 'nothing.npz'], 'nothing.npz')
    await writeNpz(at('others.npz'), new Map([['other', float32([1], [0])]]))
    await fails(2, [...args, '--inputs', 'others.npz'], "no input 'other'", "its inputs are 'input'")
  })
})

describe('bench', () => {
  test('a step beside the forward pass', async () => {
    const { rows } = await json<{ rows: { [figure: string]: number | string }[] }>(folder, [
      ...['bench', 'train', '--network', 'lenet-300-100', '--steps', '10', '--batch', '8', '--threads', '1'],
    ])
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatchObject({ network: 'lenet-300-100', batch: 8 })
    expect(Number(rows[0]!.stepMs)).toBeGreaterThan(0)
    expect(Number(rows[0]!.ratio)).toBeCloseTo(Number(rows[0]!.stepMs) / Number(rows[0]!.forwardMs), 6)
  })

  test('the time and memory of pruning, of files too', async () => {
    type Rows = { rows: { network: string; ms: number; groups: number; peakBytes: number }[] }
    const { rows } = await json<Rows>(folder, ['bench', 'prune', '--network', 'seed-cnn', '--network', 'tf-cnn.onnx'])
    expect(rows.map(({ network, groups }) => [network, groups])).toEqual([
      ['seed-cnn', 2],
      ['tf-cnn.onnx', 5],
    ])
    await fails(
      2,
      ['bench', 'prune', '--network', 'seed-cnn', '--network', 'none.onnx'],
      "no file or network 'none.onnx'",
    )
  })

  test('what it cannot do', async () => {
    await fails(2, ['bench', 'nothing'], "there is no bench of 'nothing'", 'train, prune, optimizers or centralization')
    await fails(2, ['bench', 'train', '--network', 'alexnet'], "there is no network 'alexnet'", 'seed-cnn')
    await fails(2, ['bench', 'train', '--network', 'seed-cnn', '--optimizer', 'best'], 'best', 'ranger')
    await fails(2, ['bench', 'train', '--steps', '1'], '--steps 1', 'at least 5')
  })
})

test('a model whose names hold line breaks still fails in one line', async () => {
  const model = await readModel(at('tf-cnn.onnx'))
  const node = model.graph.nodes.find(({ opType }) => opType === 'Relu')!
  node.name = 'a\nb'
  node.opType = 'Mystery'
  await writeModel(at('strange.onnx'), model)
  await fails(1, ['prune', 'strange.onnx', '--ratio', '0.5', '--out', 'never.onnx'], 'Mystery')
})
