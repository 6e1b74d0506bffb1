import { afterEach, describe, expect, test, vi } from 'vitest'
import { add } from './expression.ts'
import { loop } from './loop.ts'
import { memoryOf } from './memory.ts'
import { residence } from './residence.ts'

const many = 1 << 20

/** Arrays of zeros as they are once all are made, each filled with its number before the next is asked for. */
const settledAll = (elements: number, lengths: readonly number[]): Float32Array[] => {
  const { zeros, settle } = residence(elements)
  const made = lengths.map((length, i) => zeros(length).fill(i))
  return made.map(settle())
}

describe('arrays at home in WASM memory', () => {
  afterEach(() => vi.unstubAllGlobals())

  test('share one that loops find, keep what was put into them and do not touch', () => {
    const arrays = settledAll(many, [70_001, 1, 0, 262_144, 3])
    const home = memoryOf([new Float32Array(3), arrays[3]!])
    for (const [i, array] of arrays.entries()) {
      expect(array.buffer).toBe(home.buffer)
      expect(array.every((x) => x === i)).toBe(true)
    }
    expect(arrays.map(({ length }) => length)).toEqual([70_001, 1, 0, 262_144, 3])
    const byPlace = arrays.filter(({ length }) => length > 0).map((a) => [a.byteOffset, a.byteOffset + a.byteLength])
    const places = [...home.kept, ...home.places].map((a) => [a.byteOffset, a.byteOffset + a.byteLength])
    const all = [...byPlace, ...places].sort((a, b) => a[0]! - b[0]!)
    for (let i = 1; i < all.length; i++) expect(all[i]![0]).toBeGreaterThanOrEqual(all[i - 1]![1]!)
  })

  test('meet in loops arrays that live elsewhere, or in another such memory', () => {
    const sum = loop(['a', 'b', 'c'], [], ({ a, b, c }) => ({ a: add(add(a, b), c) }))
    const [here, there] = [settledAll(many, [9, 70_000])[1]!, settledAll(many, [9, 9, 70_000])[2]!]
    const elsewhere = new Float32Array(70_000).fill(4)
    sum({ a: here, b: there, c: elsewhere }, {})
    expect(here.every((x) => x === 7)).toBe(true)
    sum({ a: elsewhere, b: here, c: there }, {})
    expect(elsewhere.every((x) => x === 13)).toBe(true)
  })

  test('are ordinary ones where there is little to gain, no WASM, or no room', () => {
    const ordinary = (arrays: readonly Float32Array[]) =>
      arrays.every((array, i) => array.buffer.byteLength === array.byteLength && array.every((x) => x === i))
    expect(ordinary(settledAll(100, [40, 60]))).toBe(true)

    vi.stubGlobal('WebAssembly', undefined)
    expect(ordinary(settledAll(many, [40, 60]))).toBe(true)
    vi.unstubAllGlobals()

    const { Memory } = WebAssembly
    class Small extends Memory {
      override grow(): number {
        throw new RangeError('no more')
      }
    }
    vi.stubGlobal('WebAssembly', { Memory: Small })
    const [fits, elsewhere] = settledAll(many, [16, 1 << 20])
    expect(fits?.buffer.byteLength).toBeGreaterThan(64)
    expect([fits?.[15], elsewhere?.[0], elsewhere?.buffer.byteLength]).toEqual([0, 1, 4 << 20])
  })
})
