import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zipSync } from 'fflate'
import { expect, test } from 'vitest'
import { bool, FormatError, float32, int64, numbersOf, type Tensor, UnsupportedError } from '../base/index.ts'
import { packaged } from '../testing/packages.ts'
import { readNpy, readNpz, writeNpz } from './file.ts'
import { decodeNpy, decodeNpz, encodeNpy, encodeNpz } from './numpy.ts'

/** A .npy file of this header and data. */
const npy = (header: string, data: readonly number[], version = 1): Uint8Array => {
  const text = new TextEncoder().encode(header)
  const length = version === 1 ? [text.length, 0] : [text.length, 0, 0, 0]
  return Uint8Array.from([0x93, ...new TextEncoder().encode('NUMPY'), version, 0, ...length, ...text, ...data])
}
const header = (descr: string, shape: string, order = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }\n`
const read = (bytes: Uint8Array) => {
  const tensor = decodeNpy(bytes)
  return { type: tensor.type, dims: tensor.dims, values: numbersOf(tensor) }
}

test('reads each format version, byte order and element order', () => {
  expect(read(npy(header('<i2', '(2,)'), [1, 0, 0xfe, 0xff]))).toEqual({ type: 'int16', dims: [2], values: [1, -2] })
  expect(read(npy(header('>i2', '(2,)'), [0, 1, 0xff, 0xfe], 2))).toEqual({ type: 'int16', dims: [2], values: [1, -2] })
  expect(read(npy(header('|b1', '()'), [1], 3))).toEqual({ type: 'bool', dims: [], values: [1] })
  expect(read(npy(header('>f2', '(1, 1)'), [0x3c, 0]))).toEqual({ type: 'float16', dims: [1, 1], values: [1] })
  expect(read(npy(header('|u1', '(2, 3)', 'True'), [1, 4, 2, 5, 3, 6])).values).toEqual([1, 2, 3, 4, 5, 6])
  expect(read(npy(header('>u2', '(2, 2)', 'True'), [0, 1, 0, 3, 0, 2, 0, 4])).values).toEqual([1, 2, 3, 4])
  expect(read(npy(header('<f4', '(0, 3)'), []))).toEqual({ type: 'float32', dims: [0, 3], values: [] })
})

test.each<[string, Uint8Array, RegExp]>([
  ['another file', new Uint8Array(100), /does not begin/],
  ['a header cut short', npy(header('<f4', '(1,)'), []).subarray(0, 30), /header is cut short/],
  ['a header that is none', npy('{}', []), /does not tell descr/],
  ['an unknown version', npy(header('<f4', '(1,)'), [0, 0, 0, 0], 9), /version 9/],
  ['missing data', npy(header('<f4', '(2,)'), [0, 0, 0, 0]), /\(2\) of '<f4' and 4 bytes/],
  ['left-over data', npy(header('|u1', '(2,)'), [0, 0, 0]), /do not agree/],
  ['a shape that overflows', npy(header('|u1', '(99999999999999, 99999999999999, 0)'), []), /do not agree/],
  ['a negative dimension', npy(header('|u1', '(-1,)'), []), /does not tell descr/],
])('%s is refused', (_, bytes, message) => {
  const decode = () => decodeNpy(bytes, { file: 'x.npy' })
  expect(decode).toThrow(FormatError)
  expect(decode).toThrow(message)
  expect(decode).toThrow(/x\.npy/)
})

test.each([
  ["'|O'", /Python objects/],
  ["'<U5'", /'<U5'/],
  ["'|V2'", /'\|V2'/],
  ["[('a', '<f4')]", /records/],
])('arrays of %s are refused by name', (descr, message) => {
  const bytes = npy(`{'descr': ${descr}, 'fortran_order': False, 'shape': (1,), }\n`, [0, 0, 0, 0])
  expect(() => decodeNpy(bytes, { array: 'names' })).toThrow(UnsupportedError)
  expect(() => decodeNpy(bytes, { array: 'names' })).toThrow(message)
  expect(() => decodeNpy(bytes, { array: 'names' })).toThrow(/value 'names'/)
})

test('archives survive a round trip, stored and deflated', () => {
  const tensors = new Map<string, Tensor>([
    ['x_train', float32([2, 1], [0.5, -1])],
    ['y', int64([3], [1, 2, 3])],
    ['flag', bool([], [true])],
  ])
  for (const compress of [false, true]) expect(decodeNpz(encodeNpz(tensors, { compress }))).toEqual(tensors)
  expect(encodeNpy(float32([1], [1])).length % 64).toBe(4)
  expect(() => encodeNpy({ type: 'bfloat16', dims: [1], bytes: new Uint8Array(2) })).toThrow(/no bfloat16/)
})

test('a damaged archive and an archive that would fill the memory are refused', () => {
  const zip = encodeNpz(new Map([['w', float32([1000], new Float32Array(1000))]]), { compress: true })
  expect(() => decodeNpz(zip.subarray(0, zip.length - 30), { file: 'w.npz' })).toThrow(/w\.npz.*not a whole/)
  const bomb = Uint8Array.from(zip)
  const directory = bomb.findLastIndex((_, i) => bomb[i] === 0x50 && bomb[i + 1] === 0x4b && bomb[i + 2] === 1)
  bomb.set([0xff, 0xff, 0xff, 0x7f], directory + 24)
  expect(() => decodeNpz(bomb)).toThrow(/impossible size/)
  expect(() => decodeNpz(zipSync({ 'w.npy': new Uint8Array(5) }), { file: 'w.npz' })).toThrow(/w\.npz.*value 'w'/)
})

const python = '/usr/bin/python3'
test.skipIf(!packaged('python3-numpy'))('reads what NumPy writes and NumPy reads what this writes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'numpy-'))
  const run = (script: string) =>
    execFileSync(python, ['-c', `import numpy as np\n${script}`], { cwd: folder }).toString()
  run(`
a = np.arange(24).reshape(2, 3, 4)
types = 'f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8'.split()
arrays = {t + o: np.array(a, o + t) for t in types for o in '<>'}
np.savez('stored.npz', fortran=np.asfortranarray(a), **arrays)
np.savez_compressed('small.npz', **arrays)
np.save('one.npy', np.array([True, False]))
`)
  for (const [file, count] of [
    ['stored.npz', 23],
    ['small.npz', 22],
  ] as const) {
    const arrays = await readNpz(join(folder, file))
    expect(arrays.size).toBe(count)
    for (const tensor of arrays.values()) {
      expect(tensor.dims).toEqual([2, 3, 4])
      expect(numbersOf(tensor)).toEqual([...Array(24).keys()])
    }
  }
  expect(await readNpy(join(folder, 'one.npy'))).toEqual(bool([2], [true, false]))
  await writeNpz(
    join(folder, 'ours.npz'),
    new Map<string, Tensor>([
      ['a', float32([2, 1], [1, 2])],
      ['b', bool([], [true])],
    ]),
  )
  const seen = run("z = np.load('ours.npz'); print(z['a'].dtype, z['a'].tolist(), z['b'].dtype, z['b'].tolist())")
  expect(seen.trim()).toBe('float32 [[1.0], [2.0]] bool True')
  await rm(folder, { recursive: true })
})
