import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Tensor } from '../base/index.ts'
import { decodeModel, tensorFromProto } from '../onnx/index.ts'
import { packaged } from '../testing/packages.ts'
import { trace } from './index.ts'
import { nodeRuntime } from './node.ts'

/** ONNX's own test models, where Debian's libonnx-testdata is installed: one folder per operator and variant. */
const root = packaged('libonnx-testdata')
const folder = `${root}/node`
const names = root ? readdirSync(folder).sort() : []

const read = (path: string) => new Uint8Array(readFileSync(path))

describe.skipIf(!root)("ONNX's test models", () => {
  test('trace says of every output the type and shape it has when run', async () => {
    let outputs = 0
    for (const name of names.filter((_, i) => i % 3 === 0)) {
      const model = decodeModel(read(`${folder}/${name}/model.onnx`), { file: name })
      const feeds: Record<string, Tensor> = {}
      const session = await nodeRuntime.open(model).catch(() => undefined)
      if (session?.inputs.some((input) => session.valueInfo.get(input)?.type === 'undefined') ?? true) continue
      model.graph.inputs.forEach((input, i) => {
        const path = `${folder}/${name}/test_data_set_0/input_${i}.pb`
        if (existsSync(path)) feeds[input.name] = tensorFromProto(read(path))
      })
      const results = await session!.run(feeds)
      const traced = await trace(nodeRuntime, model, feeds)
      for (const [output, { type, dims }] of Object.entries(results)) {
        expect({ name, ...traced.get(output) }).toEqual({ name, type, dims })
        outputs++
      }
      await session!.close()
    }
    expect(outputs).toBeGreaterThan(250)
  })
})
