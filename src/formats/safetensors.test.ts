import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bool, FormatError, float32, float32Of, int64, numbersOf, sizeOf, type Tensor } from '../base/index.ts'
import { fixture } from '../testing/fixtures.ts'
import { readSafetensors, writeSafetensors } from './file.ts'
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts'

/** A file with this header, as text or JSON, and this many bytes of data. */
const fileOf = (header: unknown, size = 0, length?: bigint) => {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const file = new Uint8Array(8 + text.length + size)
  new DataView(file.buffer).setBigUint64(0, length ?? BigInt(text.length), true)
  file.set(text, 8)
  return file
}

test('reads every fixture, and writes it back to equal tensors', async () => {
  for (const folder of ['gradients', 'optimizer-traces'])
    for (const name of (await readdir(fixture(folder))).filter((name) => name.endsWith('.safetensors'))) {
      const { tensors, metadata } = await readSafetensors(fixture(`${folder}/${name}`))
      const again = decodeSafetensors(encodeSafetensors(tensors, metadata))
      expect(again.metadata).toEqual(metadata)
      expect(again.tensors.size).toBe(tensors.size)
      for (const [key, tensor] of tensors) {
        const { type, dims, bytes } = again.tensors.get(key)!
        expect({ type, dims }).toEqual({ type: tensor.type, dims: tensor.dims })
        expect(Buffer.compare(bytes, tensor.bytes)).toBe(0)
      }
    }
})

test('tensors are views of the file, aligned to their elements whatever the order given', () => {
  const file = encodeSafetensors(
    new Map<string, Tensor>([
      ['flag', bool([3], [true, false, true])],
      ['half', { type: 'float16', dims: [1], bytes: new Uint8Array([0, 0x3c]) }],
      ['ids', int64([2], [7, -9])],
      ['weights', float32([2, 1], [1.5, -2])],
    ]),
    { note: 'é' },
  )
  const { tensors, metadata } = decodeSafetensors(file)
  expect(metadata).toEqual({ note: 'é' })
  expect(float32Of(tensors.get('weights')!)).toEqual(Float32Array.of(1.5, -2))
  expect(float32Of(tensors.get('weights')!).buffer).toBe(file.buffer)
  expect(tensors.get('ids')!.bytes.byteOffset % 8).toBe(0)
  expect(numbersOf(tensors.get('ids')!)).toEqual([7, -9])
  expect(numbersOf(tensors.get('half')!)).toEqual([1])
  expect(numbersOf(tensors.get('flag')!)).toEqual([1, 0, 1])
})

test('any map of tensors survives a round trip', () => {
  const types = ['float32', 'int8', 'float16', 'float64', 'uint64', 'float8e4m3fn', 'bfloat16', 'bool'] as const
  const width = { float32: 4, int8: 1, float16: 2, float64: 8, uint64: 8, float8e4m3fn: 1, bfloat16: 2, bool: 1 }
  const tensor = fc
    .record({ type: fc.constantFrom(...types), dims: fc.array(fc.nat(3), { maxLength: 3 }) })
    .map(({ type, dims }) => ({ type, dims, bytes: new Uint8Array(sizeOf(dims) * width[type]).fill(dims.length + 1) }))
  fc.assert(
    fc.property(fc.dictionary(fc.string(), tensor), fc.dictionary(fc.string(), fc.string()), (byName, metadata) => {
      const tensors = new Map<string, Tensor>(Object.entries(byName))
      const again = decodeSafetensors(encodeSafetensors(tensors, metadata))
      expect(new Map([...again.tensors].sort())).toEqual(new Map([...tensors].sort()))
      expect(Object.entries(again.metadata).sort()).toEqual(Object.entries(metadata).sort())
    }),
  )
})

const one = { dtype: 'F32', shape: [1], data_offsets: [0, 4] }
test('tensors far into a large file are found', () => {
  const large = float32([8_000_000], new Float32Array(8_000_000))
  const small = float32([2], [1, 2])
  const file = encodeSafetensors(
    new Map([
      ['large', large],
      ['small', small],
    ]),
  )
  expect(decodeSafetensors(file).tensors.get('small')!.bytes).toEqual(small.bytes)
})

test.each<[string, Uint8Array, RegExp]>([
  ['an empty file', new Uint8Array(0), /too short/],
  ['a header longer than the file', fileOf({}, 0, 2n ** 63n), /header says/],
  ['text for a header', fileOf('{"a":'), /not JSON/],
  ['bytes that are no UTF-8', new Uint8Array([2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]), /not JSON/],
  ['deep nesting', fileOf('['.repeat(1_000_000)), /not JSON/],
  ['an array for a header', fileOf([]), /not a JSON object/],
  ['an entry that is no object', fileOf({ a: 3 }), /'a' is not an object/],
  ['metadata that is no string', fileOf({ __metadata__: { a: 1 } }), /'a' is not a string/],
  ['an unknown type', fileOf({ a: { ...one, dtype: 'Q9' } }, 4), /'a'.*Q9/],
  ['a negative dimension', fileOf({ a: { ...one, shape: [-1] } }, 4), /'a' has no valid shape/],
  ['a dimension of −0', fileOf('{"a":{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}}'), /'a' has no valid shape/],
  ['a shape that overflows', fileOf({ a: { ...one, shape: [2 ** 40, 2 ** 40, 0] } }, 4), /'a' has no valid shape/],
  ['a fractional offset', fileOf({ a: { ...one, data_offsets: [0, 4.5] } }, 5), /'a' has no valid data_offsets/],
  ['a size unlike its shape', fileOf({ a: { ...one, shape: [2] } }, 4), /'a'.*has 4 bytes/],
  ['overlapping tensors', fileOf({ a: one, b: one }, 4), /'b' begins at byte 0.*4 was expected/],
  ['a hole', fileOf({ a: { ...one, data_offsets: [4, 8] } }, 8), /'a' begins at byte 4.*0 was expected/],
  ['data cut short', fileOf({ a: one }, 3), /take 4 bytes and the file has 3/],
  ['data left over', fileOf({ a: one }, 5), /take 4 bytes and the file has 5/],
])('%s is refused', (_, bytes, message) => {
  const read = () => decodeSafetensors(bytes, { file: 'net.safetensors' })
  expect(read).toThrow(FormatError)
  expect(read).toThrow(message)
  expect(read).toThrow(/net\.safetensors/)
})

test('types the format has no name for are refused by tensor', () => {
  const tensors = new Map<string, Tensor>([['w', { type: 'int4', dims: [2], bytes: new Uint8Array(1) }]])
  expect(() => encodeSafetensors(tensors)).toThrow(/initializer 'w'.*int4/)
})

test('files are written whole or left as they were', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'safetensors-'))
  const path = join(folder, 'new', 'net.safetensors')
  await writeSafetensors(path, new Map([['w', float32([2], [1, 2])]]), { step: '4' })
  const { tensors, metadata } = await readSafetensors(path)
  expect([metadata, numbersOf(tensors.get('w')!)]).toEqual([{ step: '4' }, [1, 2]])
  await expect(
    (async () => writeSafetensors(path, new Map([['w', { type: 'string', dims: [], bytes: new Uint8Array() }]])))(),
  ).rejects.toThrow(/string/)
  expect((await readSafetensors(path)).tensors.size).toBe(1)
  await writeFile(path, (await readFile(path)).subarray(0, 20))
  await expect(readSafetensors(path)).rejects.toThrow(FormatError)
  await expect(readSafetensors(join(folder, 'missing'))).rejects.toThrow(/cannot read/)
  await rm(folder, { recursive: true })
})
