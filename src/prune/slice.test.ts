import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { byteLengthOf, type DataType, dataTypes, float32, float32Of, type Tensor } from '../base/index.ts'
import { complementOf, sliceTensor, zeroSlices } from './slice.ts'

const counting = (dims: readonly number[]) =>
  float32(
    dims,
    Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => i + 1),
  )

/** Element bits of a tensor, one at a time: the slow and obvious way. */
const bitsAt = (tensor: Tensor, index: number): string => {
  const { bits } = dataTypes[tensor.type]
  return Array.from({ length: bits }, (_, k) => {
    const at = index * bits + k
    return (tensor.bytes[at >> 3]! >> (at & 7)) & 1
  }).join('')
}

describe('slicing', () => {
  test('several axes at once', () => {
    const cut = sliceTensor(
      counting([2, 3, 2]),
      new Map([
        [0, [1]],
        [1, [0, 2]],
      ]),
    )
    expect(cut.dims).toEqual([1, 2, 2])
    expect([...float32Of(cut)]).toEqual([7, 8, 11, 12])
  })

  test('texts', () => {
    const strings = ['a', 'b', 'c'].map((text) => new TextEncoder().encode(text))
    const cut = sliceTensor({ type: 'string', dims: [3], bytes: new Uint8Array(), strings }, new Map([[0, [0, 2]]]))
    expect(cut.strings).toEqual([strings[0], strings[2]])
  })

  test('every type, at any offset in its buffer, keeps its bits', () => {
    const types: DataType[] = [
      'float32',
      'float16',
      'float64',
      'int64',
      'int8',
      'uint16',
      'complex128',
      'int4',
      'uint2',
      'bool',
    ]
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
        fc.nat(),
        fc.integer({ min: 0, max: 3 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
        (type, dims, pick, offset, stream) => {
          const axis = pick % dims.length
          const size = byteLengthOf({ type, dims })
          const buffer = Uint8Array.from({ length: size + offset }, () => stream.next().value ?? 0)
          const tensor: Tensor = { type, dims, bytes: buffer.subarray(offset) }
          const kept = Array.from({ length: dims[axis]! }, (_, i) => i).filter((i) => (pick >> (i + 2)) % 2 === 0)
          const cut = sliceTensor(tensor, new Map([[axis, kept]]))
          const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1)
          const outer = dims.slice(0, axis).reduce((a, b) => a * b, 1)
          let at = 0
          for (let o = 0; o < outer; o++)
            for (const index of kept)
              for (let i = 0; i < inner; i++)
                expect(bitsAt(cut, at++)).toBe(bitsAt(tensor, (o * dims[axis]! + index) * inner + i))
          expect(cut.bytes.byteLength).toBe(byteLengthOf(cut))
        },
      ),
    )
  })
})

test('masking zeroes what slicing removes', () => {
  const tensor = counting([2, 3])
  const masked = zeroSlices(tensor, 1, complementOf(3, [1]))
  expect([...float32Of(masked)]).toEqual([0, 2, 0, 0, 5, 0])
  expect([...float32Of(tensor)]).toEqual([1, 2, 3, 4, 5, 6])
  const packed: Tensor = { type: 'int4', dims: [4], bytes: Uint8Array.of(0x21, 0x43) }
  expect([...zeroSlices(packed, 0, [1, 2]).bytes]).toEqual([0x01, 0x40])
})
