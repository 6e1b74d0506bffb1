import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readModel, writeModel } from '../onnx/file.ts'
import { pruneModel, type Verification } from '../prune/index.ts'
import { Net } from '../prune/testing/networks.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { proverOf } from './prune/proof.ts'
import { espalier, json, temporary, writeNetwork } from './testing/cli.ts'

let folder: string
const at = (name: string) => join(folder, name)

type Document = { proof?: Verification }

beforeAll(async () => {
  folder = await temporary()
  await writeNetwork(folder, 'tf-cnn')
  await writeNetwork(folder, 'lenet-300-100')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('the proof before a file is written', () => {
  test('is made unless --no-verify, in rounds and beside retraining too', async () => {
    const args = ['prune', 'tf-cnn.onnx', '--ratio', '0.5', '--out', 'default.onnx']
    const { stdout } = await espalier(folder, args)
    expect(stdout).toMatch(/verified: masked original and pruned model differ by \S+ at most \(at 4 sizes from/)
    expect((await json<Document>(folder, args)).proof?.equal).toBe(true)
    expect((await json<Document>(folder, [...args, '--no-verify'])).proof).toBeUndefined()
    expect((await json<Document>(folder, [...args, '--steps', '2'])).proof?.equal).toBe(true)
    expect((await json<Document>(folder, [...args, '--dry-run'])).proof).toBeUndefined()
    const both = await espalier(folder, [...args, '--verify', '--no-verify'])
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('--verify has no effect with --no-verify')])
  })

  test('measures how far --approximate goes, and the file is written', async () => {
    const net = new Net([5])
    const hidden = net.dense('x', 'one', [8, 5])
    const norm = net.b.op('LayerNormalization', [hidden, net.weight('gain', [8]), net.weight('shift', [8])], {
      axis: -1,
    })
    await writeModel(at('norm.onnx'), net.model(net.dense(norm, 'two', [3, 8])))
    const args = ['prune', 'norm.onnx', '--ratio', '0.5', '--approximate', '--out', 'near.onnx', '--plan', 'near.json']
    const { code, stdout } = await espalier(folder, args)
    expect(code).toBe(0)
    expect(stdout).toMatch(/not equal, as --approximate allows: .* differ by up to \S+ .* one.weight/)
    const { proof } = await json<Document>(folder, args)
    expect(proof).toMatchObject({ equal: false, approximate: ['one.weight'] })
    const asked = await espalier(folder, ['verify', 'norm.onnx', 'near.onnx', '--plan', 'near.json'])
    expect([asked.code, asked.stderr]).toEqual([1, expect.stringContaining('approximately')])
  })

  test('ends the work where it does not hold', async () => {
    const model = await readModel(at('lenet-300-100.onnx'))
    const { plan, analysis } = await pruneModel(model, { runtime: nodeRuntime, target: { ratio: 0.5 } })
    const shift = new Array(plan.slices['fc2.bias']!['0']!.length).fill(1)
    const wrong = { ...plan, absorbed: { exact: true, groups: [], biases: { 'fc2.bias': shift }, zero: plan.slices } }
    const proof = proverOf(model, 1e9)(wrong, analysis)
    await expect(proof).rejects.toThrow(
      /the outputs differ by \S+, more than 0.0001: '\S+' at \S+ [\d×]+; nothing was written/,
    )
  })
})
