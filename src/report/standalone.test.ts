import { expect, test } from 'vitest'
import { lineChartFile } from './index.ts'

const chart = (count: number) =>
  lineChartFile({
    title: 'a < b & c',
    x: 'step',
    y: 'accuracy',
    curves: Array.from({ length: count }, (_, k) => ({
      name: `curve ${k}`,
      points: [
        [0, k],
        [10, k + 1],
      ] as const,
    })),
  })

/** Every element is closed in its turn. */
const isWellFormed = (text: string): boolean => {
  const open: string[] = []
  for (const [, end, name, self] of text.matchAll(/<(\/?)([\w-]+)[^>]*?(\/?)>/g)) {
    if (end) {
      if (open.pop() !== name) return false
    } else if (!self) open.push(name!)
  }
  return open.length === 0
}

test('a chart file stands by itself', () => {
  const text = chart(7)
  expect(text).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 \d+ \d+"/)
  expect(text).toContain('a &lt; b &amp; c')
  expect(text).toContain('<title id="t">a &lt; b &amp; c: accuracy by step</title>')
  expect(isWellFormed(text)).toBe(true)
  for (let k = 0; k < 7; k++) {
    expect(text).toContain(`curve ${k}`)
    expect(text).toContain(`.c${k} path`)
  }
  expect(text).not.toMatch(/var\(|data-plot|<script/)
})

test('more curves make room for their names', () => {
  const heightOf = (text: string) => Number(/height="(\d+)"/.exec(text)![1])
  expect(heightOf(chart(7))).toBe(heightOf(chart(2)) + 60)
})
