import { inflateSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { greyPng, spriteSheet } from './png.ts'

test('a PNG holds its pixels, each row after a filter byte of zero', () => {
  const file = Buffer.from(greyPng({ width: 3, height: 2, pixels: [0, 128, 255, 1, 2, 3] }))
  expect(file.subarray(1, 4).toString()).toBe('PNG')
  expect([file.readUInt32BE(16), file.readUInt32BE(20), file[24], file[25]]).toEqual([3, 2, 8, 0])
  const size = file.readUInt32BE(33)
  expect(file.subarray(37, 41).toString()).toBe('IDAT')
  expect([...inflateSync(file.subarray(41, 41 + size))]).toEqual([0, 0, 128, 255, 0, 1, 2, 3])
  // The end chunk is the same in every PNG, its checksum AE 42 60 82.
  expect(file.subarray(-12).toString('hex')).toBe('0000000049454e44ae426082')
})

test('a sprite sheet sets pictures row by row', () => {
  const picture = (grey: number) => ({ width: 2, height: 1, pixels: [grey, grey + 1] })
  const sheet = spriteSheet([picture(10), picture(20), picture(30)], 2)
  expect([sheet.width, sheet.height, ...Array.from(sheet.pixels)]).toEqual([4, 2, 10, 11, 20, 21, 30, 31, 0, 0])
})
