import { afterEach, describe, expect, test, vi } from 'vitest'
import { add } from './expression.ts'
import { loop } from './loop.ts'
import { memoryOf } from './memory.ts'
import { residence } from './residence.ts'

const many = 1 << 18

/** Arrays as they are once all are made, each filled with its number. */
const settledAll = (lengths: readonly number[]): Float32Array[] => {
  const { ask, settle } = residence()
  return lengths.map((length, i) => ask(length, i)).map(settle())
}

describe('arrays at home in WASM memory', () => {
  afterEach(() => vi.unstubAllGlobals())

  test('share one that loops find, keep what was put into them and do not touch', () => {
    const arrays = settledAll([70_001, 1, 0, many, 3])
    const home = memoryOf([new Float32Array(3), arrays[3]!])
    for (const [i, array] of arrays.entries()) {
      expect(array.buffer).toBe(home.buffer)
      expect(array.every((x) => x === i)).toBe(true)
    }
    expect(arrays.map(({ length }) => length)).toEqual([70_001, 1, 0, many, 3])
    const byPlace = arrays.filter(({ length }) => length > 0).map((a) => [a.byteOffset, a.byteOffset + a.byteLength])
    const places = [...home.kept, ...home.places].map((a) => [a.byteOffset, a.byteOffset + a.byteLength])
    const all = [...byPlace, ...places].sort((a, b) => a[0]! - b[0]!)
    for (let i = 1; i < all.length; i++) expect(all[i]![0]).toBeGreaterThanOrEqual(all[i - 1]![1]!)
  })

  test('meet in loops arrays that live elsewhere, or in another such memory', () => {
    const sum = loop(['a', 'b', 'c'], [], ({ a, b, c }) => ({ a: add(add(a, b), c) }))
    const [here, there] = [settledAll([many, 70_000])[1]!, settledAll([many, 9, 70_000])[2]!]
    const elsewhere = new Float32Array(70_000).fill(4)
    sum({ a: here, b: there, c: elsewhere }, {})
    expect(here.every((x) => x === 7)).toBe(true)
    sum({ a: elsewhere, b: here, c: there }, {})
    expect(elsewhere.every((x) => x === 13)).toBe(true)
  })

  test('begin as copies of others where told to; what was not asked for stays itself', () => {
    const { ask, settle } = residence()
    const values = Float32Array.from({ length: many }, (_, i) => i)
    const [copy, zeros, other] = [ask(many, values), ask(5), new Float32Array(3)]
    expect([copy.length, zeros.length]).toEqual([0, 0])
    const settled = settle()
    expect(settled(copy)).toEqual(values)
    expect(settled(copy).buffer).not.toBe(values.buffer)
    expect(settled(zeros)).toEqual(new Float32Array(5))
    expect(settled(other)).toBe(other)
  })

  test('are ordinary ones where there is little to gain, no WASM, or no room', () => {
    const ordinary = (arrays: readonly Float32Array[]) =>
      arrays.every((array, i) => array.buffer.byteLength === array.byteLength && array.every((x) => x === i))
    expect(ordinary(settledAll([40, 60]))).toBe(true)
    expect(ordinary(settledAll([40, many]))).toBe(false)

    vi.stubGlobal('WebAssembly', undefined)
    expect(ordinary(settledAll([40, many]))).toBe(true)
    vi.stubGlobal('WebAssembly', {
      Memory: class {
        constructor() {
          throw new RangeError('could not allocate memory')
        }
      },
    })
    expect(ordinary(settledAll([40, many]))).toBe(true)
  })
})
