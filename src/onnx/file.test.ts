import { deepStrictEqual } from 'node:assert'
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { bool, FormatError, float32 } from '../base/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { GraphBuilder } from './builder.ts'
import { decodeModel, encodeModel } from './codec.ts'
import { modelChunks } from './encode.ts'
import { readModel, writeModel } from './file.ts'
import { makeGraph, makeModel } from './graph.ts'
import { makeNode, subgraph } from './node.ts'
import type { Model } from './types.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'espalier-onnx-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** y = x·A + b within a branch that is taken, `size` rows and columns. */
const network = (size: number): Model => {
  const inner = makeGraph('then')
  const weight = new Float32Array(size * size).map((_, i) => (i % 7) - 3)
  inner.initializers.set('A', float32([size, size], weight))
  inner.nodes.push(makeNode('MatMul', ['x', 'A'], ['p']))
  inner.outputs = [{ name: 'p', type: 'float32' }]
  const other = { ...makeGraph('else'), nodes: [makeNode('Neg', ['x'], ['q'])] }
  other.outputs = [{ name: 'q', type: 'float32' }]
  const graph = makeGraph('net')
  graph.inputs = [{ name: 'x', type: 'float32', dims: ['N', size] }]
  const b = new GraphBuilder(graph)
  const product = b.op('If', [b.constant(bool([], [true]))], {
    then_branch: subgraph(inner),
    else_branch: subgraph(other),
  })
  graph.initializers.set('b', float32([size], new Float32Array(size).fill(0.5)))
  graph.nodes.push(makeNode('Add', [product, 'b'], ['y']))
  graph.outputs = [{ name: 'y', type: 'float32' }]
  return makeModel(graph)
}

const weightsOnly = (floats: number): Model => {
  const graph = makeGraph('big')
  for (let i = 0; i < 4; i++)
    graph.initializers.set(`w${i}`, float32([floats / 4], new Float32Array(floats / 4).fill(i)))
  return makeModel(graph)
}

describe('a model file', () => {
  it('is read as it was written', async () => {
    const model = network(8)
    const path = join(folder, 'plain.onnx')
    await writeModel(path, model)
    expect(await readModel(path)).toEqual(model)
    expect(new Uint8Array(readFileSync(path))).toEqual(encodeModel(model))
  })

  it('of 100 MB is written without copying its weights', async () => {
    const model = weightsOnly(25_000_000)
    const { parts } = modelChunks(model)
    for (const { bytes } of model.graph.initializers.values()) expect(parts.includes(bytes)).toBe(true)
    const path = join(folder, 'big.onnx')
    const before = process.memoryUsage().arrayBuffers
    await writeModel(path, model)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20e6)
    expect(statSync(path).size).toBeGreaterThan(100e6)
    const { graph } = await readModel(path)
    expect(graph.initializers.get('w3')!.bytes.subarray(0, 8)).toEqual(
      model.graph.initializers.get('w3')!.bytes.subarray(0, 8),
    )
  })

  it('is not touched by a model that is not sound', async () => {
    const path = join(folder, 'kept.onnx')
    writeFileSync(path, 'before')
    const model = network(2)
    model.graph.nodes.at(-1)!.inputs[1] = 'nowhere'
    await expect(writeModel(path, model)).rejects.toThrow(/file '.*kept.onnx'.*reads 'nowhere'/)
    expect(readFileSync(path, 'utf8')).toBe('before')
  })

  it('that cannot be one is refused by name', async () => {
    await expect(readModel(join(folder, 'absent.onnx'))).rejects.toThrow(/absent.onnx': cannot read: ENOENT/)
    await expect(readModel(folder)).rejects.toThrow(/not a file/)
    const sparse = join(folder, 'sparse.onnx')
    writeFileSync(sparse, '')
    truncateSync(sparse, 2 ** 31)
    await expect(readModel(sparse)).rejects.toThrow(/more than the 2 GiB/)
  })
})

describe('external data', () => {
  const path = () => join(folder, 'ext', 'net.onnx')
  beforeEach(() => {
    rmSync(join(folder, 'ext'), { recursive: true, force: true })
    mkdirSync(join(folder, 'ext'))
  })

  it('is written beside the model, read back, and run by ONNX Runtime', async () => {
    const model = network(160)
    await writeModel(path(), model, { externalData: {} })
    expect(readdirSync(join(folder, 'ext')).sort()).toEqual(['net.onnx', 'net.onnx.data'])
    expect(statSync(path()).size).toBeLessThan(3000)
    expect(statSync(`${path()}.data`).size).toBe(160 * 160 * 4)
    const read = await readModel(path())
    deepStrictEqual(read, model)
    const x = float32([1, 160], new Float32Array(160).fill(1))
    const session = await nodeRuntime.open({ path: path() })
    const inMemory = await nodeRuntime.open(model)
    expect(await session.run({ x })).toEqual(await inMemory.run({ x }))
    await Promise.all([session.close(), inMemory.close()])
  })

  it('goes inside again when it is written without', async () => {
    const model = network(40)
    await writeModel(path(), model, { externalData: { threshold: 1 } })
    const other = join(folder, 'inside.onnx')
    await writeModel(other, await readModel(path()))
    expect(decodeModel(readFileSync(other))).toEqual(model)
  })

  it('lays large tensors on pages, and the same memory once', async () => {
    const graph = makeGraph('g')
    const shared = float32([20_000], new Float32Array(20_000).fill(2))
    graph.initializers.set('small', float32([300], new Float32Array(300).fill(1)))
    graph.initializers.set('a', shared).set('b', shared)
    await writeModel(path(), makeModel(graph), { externalData: {} })
    expect(statSync(`${path()}.data`).size).toBe(4096 + 80_000)
    const read = await readModel(path())
    deepStrictEqual(read.graph, graph)
    expect(read.graph.initializers.get('a')!.bytes).toBe(read.graph.initializers.get('b')!.bytes)
  })

  /** A model of one tensor of two floats whose bytes are said to lie at a place. */
  const pointing = (location: string, offset = 0): void => {
    const graph = makeGraph('g')
    graph.initializers.set('w', float32([2], [1, 2]))
    const { parts } = modelChunks(makeModel(graph), ({ bytes }) => ({ location, offset, length: bytes.byteLength }))
    writeFileSync(path(), Buffer.concat(parts))
  }

  const outside = () => join(folder, 'secret.bin')
  const wrong: [string, () => void, RegExp][] = [
    ['an absolute path', () => pointing(outside()), /does not lie in the model's folder/],
    ['a path upwards', () => pointing('../secret.bin'), /does not lie in the model's folder/],
    ['a path upwards and back', () => pointing('../ext/w.bin'), /does not lie in the model's folder/],
    ['a path of another system', () => pointing('..\\secret.bin'), /does not lie in the model's folder/],
    ['a drive', () => pointing('C:secret.bin'), /does not lie in the model's folder/],
    [
      'a link out of the folder',
      () => {
        symlinkSync(outside(), join(folder, 'ext', 'w.bin'))
        pointing('w.bin')
      },
      /a link out of the model's folder/,
    ],
    [
      'a folder linked out of the folder',
      () => {
        symlinkSync(folder, join(folder, 'ext', 'sub'))
        pointing('sub/secret.bin')
      },
      /a link out of the model's folder/,
    ],
    ['no file', () => pointing('absent.bin'), /'absent.bin' cannot be found beside the model/],
    ['a folder', () => pointing('.'), /'\.' is not a file/],
    [
      'a short file',
      () => {
        writeFileSync(join(folder, 'ext', 'w.bin'), new Uint8Array(12))
        pointing('w.bin', 8)
      },
      /'w.bin' is too short: 12 bytes where 8 to 16/,
    ],
  ]
  it.each(wrong)('at %s is refused', async (_, prepare, message) => {
    writeFileSync(outside(), new Uint8Array(64))
    prepare()
    await expect(readModel(path())).rejects.toThrow(FormatError)
    await expect(readModel(path())).rejects.toThrow(message)
    await expect(readModel(path())).rejects.toThrow(/net.onnx', initializer 'w': external data/)
  })

  it('may be linked within the folder', async () => {
    writeFileSync(join(folder, 'ext', 'real.bin'), new Uint8Array(8))
    symlinkSync('real.bin', join(folder, 'ext', 'soft.bin'))
    linkSync(join(folder, 'ext', 'real.bin'), join(folder, 'ext', 'hard.bin'))
    for (const location of ['real.bin', 'soft.bin', 'hard.bin', './real.bin']) {
      pointing(location)
      expect((await readModel(path())).graph.initializers.get('w')!.bytes).toEqual(new Uint8Array(8))
    }
  })

  it('asked for many times over is refused before it is read', async () => {
    writeFileSync(join(folder, 'ext', 'w.bin'), new Uint8Array(1_000_000))
    const graph = makeGraph('g')
    for (let i = 0; i < 100; i++) graph.initializers.set(`w${i}`, float32([200_000], new Float32Array(200_000)))
    let asked = 0
    const { parts } = modelChunks(makeModel(graph), () => ({ location: 'w.bin', offset: asked++, length: 800_000 }))
    writeFileSync(path(), Buffer.concat(parts))
    await expect(readModel(path())).rejects.toThrow(/tensors overlap in 'w.bin'/)
  })

  it('is used by itself past 2 GiB', async () => {
    // One array stands for all the weights, so that the test needs neither the memory nor the disk of the real thing.
    const shared = float32([30_000_000], new Float32Array(30_000_000).fill(1))
    const graph = makeGraph('g')
    for (let i = 0; i < 18; i++) graph.initializers.set(`w${i}`, shared)
    expect(modelChunks(makeModel(graph)).length).toBeGreaterThan(2 ** 31)
    await writeModel(path(), makeModel(graph))
    expect(existsSync(`${path()}.data`)).toBe(true)
    const read = await readModel(path())
    expect(read.graph.initializers.size).toBe(18)
    expect(Buffer.compare(read.graph.initializers.get('w17')!.bytes, shared.bytes)).toBe(0)
  })
})
