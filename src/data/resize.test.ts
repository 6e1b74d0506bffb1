import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { packaged } from '../testing/packages.ts'
import { type Image, resize, withChannels } from './resize.ts'

const picture = (height: number, width: number, channels: 1 | 3): Image => ({
  width,
  height,
  channels,
  data: Uint8Array.from({ length: height * width * channels }, (_, i) => (i * i * 7 + i * 13) % 256),
})

test('a picture of one colour keeps it, at any size', () => {
  const plain: Image = { width: 5, height: 7, channels: 3, data: new Uint8Array(105).fill(77) }
  for (const [height, width] of [
    [1, 1],
    [3, 9],
    [20, 4],
  ] as const)
    for (const fit of ['cover', 'stretch'] as const)
      expect(new Set(resize(plain, height, width, fit).data)).toEqual(new Set([77]))
})

test('halving averages, cover cuts both sides, stretch keeps everything', () => {
  const row: Image = { width: 4, height: 1, channels: 1, data: Uint8Array.of(0, 100, 200, 40) }
  expect([...resize(row, 1, 2, 'cover').data]).toEqual([100, 200])
  // The triangle of radius 2 about 1 weighs three pixels 0.375, 0.375, 0.125 of 0.875; about 3 likewise.
  expect([...resize(row, 1, 2, 'stretch').data]).toEqual([71, 117])
  expect(resize(row, 1, 4)).toBe(row)
})

test('grey is repeated and colour becomes its luma', () => {
  const grey: Image = { width: 2, height: 1, channels: 1, data: Uint8Array.of(5, 250) }
  const colour = withChannels(grey, 3)
  expect([...colour.data]).toEqual([5, 5, 5, 250, 250, 250])
  expect(withChannels(colour, 1)).toEqual(grey)
  expect([...withChannels({ width: 1, height: 1, channels: 3, data: Uint8Array.of(200, 100, 50) }, 1).data]).toEqual([
    124,
  ])
})

const python = '/usr/bin/python3'
test.skipIf(!packaged('python3-torch'))('agrees with PyTorch’s antialiased interpolation', () => {
  const sizes = [
    [9, 13, 4, 5],
    [8, 8, 16, 12],
    [30, 7, 7, 30],
    [5, 5, 1, 1],
  ] as const
  const script = `
import torch, json
out = []
for h, w, H, W in ${JSON.stringify(sizes)}:
    i = torch.arange(h * w, dtype=torch.float64)
    x = ((i * i * 7 + i * 13) % 256).reshape(1, 1, h, w)
    out.append(torch.nn.functional.interpolate(x, (H, W), mode='bilinear', antialias=True).flatten().tolist())
print(json.dumps(out))`
  const expected: number[][] = JSON.parse(execFileSync(python, ['-c', script]).toString())
  for (const [i, [h, w, H, W]] of sizes.entries()) {
    const { data } = resize(picture(h, w, 1), H, W, 'stretch')
    for (const [j, value] of expected[i]!.entries()) expect(Math.abs(data[j]! - value)).toBeLessThanOrEqual(0.5 + 1e-3)
  }
})
