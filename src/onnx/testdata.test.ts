import { deepStrictEqual } from 'node:assert'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { nodeRuntime } from '../runtime/node.ts'
import type { Values } from '../runtime/types.ts'
import { packaged } from '../testing/packages.ts'
import { decodeModel, encodeModel, tensorFromProto } from './codec.ts'

/** ONNX's own conformance models, as Debian packages them (libonnx-testdata). */
const root = packaged('libonnx-testdata')

const folders = root
  ? readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('model.onnx'))
      .map((path) => join(root, path, '..'))
      .sort()
  : []

const fileOf = (folder: string) => join(folder, 'model.onnx')

/** The inputs recorded beside a model, or undefined where one is not a tensor. */
const recordedInputs = (folder: string, names: readonly string[]): Values | undefined => {
  const paths = names.map((_, i) => join(folder, 'test_data_set_0', `input_${i}.pb`))
  if (!paths.every(existsSync)) return undefined
  try {
    return Object.fromEntries(names.map((name, i) => [name, tensorFromProto(readFileSync(paths[i]!))]))
  } catch {
    return undefined
  }
}

/** What the engine makes of a model, undefined where it refuses it. */
const outputsOf = async (bytes: Uint8Array, feeds: Values): Promise<Values | undefined> => {
  try {
    const session = await nodeRuntime.open(bytes, { threads: 1, optimization: 'disabled' })
    try {
      return await session.run(feeds)
    } finally {
      await session.close()
    }
  } catch {
    return undefined
  }
}

describe.skipIf(!root)('the conformance models of ONNX', () => {
  it('are all there', () => {
    expect(folders.length).toBeGreaterThanOrEqual(1072)
  })

  it('are equal after load, save and load', () => {
    for (const folder of folders) {
      const file = fileOf(folder)
      const loaded = decodeModel(readFileSync(file), { file })
      deepStrictEqual(decodeModel(encodeModel(loaded), { file }), loaded, file)
    }
  })

  it('give the same outputs after as before', async () => {
    let ran = 0
    for (const folder of folders) {
      const file = fileOf(folder)
      const original = readFileSync(file)
      const model = decodeModel(original, { file })
      const names = model.graph.inputs.map(({ name }) => name)
      const feeds = recordedInputs(folder, names)
      const before = feeds && (await outputsOf(original, feeds))
      if (!feeds || !before) continue
      ran++
      deepStrictEqual(await outputsOf(encodeModel(model), feeds), before, file)
    }
    // The rest have inputs that are no tensors, or operators and types the engine does not run.
    expect(ran).toBeGreaterThan(900)
  })
})
