import { describe, expect, test } from 'vitest'
import { cutAtOnce, importanceChart } from './bars.ts'
import { confusionChange, confusionChart } from './confusion.ts'
import { lineChart } from './line.ts'
import { networkChart } from './network.ts'
import { smoothed, smoothedLog, thinned } from './smooth.ts'

const attributes = (svg: string, element: RegExp, name: string) =>
  [...svg.matchAll(element)].map(([tag]) => Number(tag.match(new RegExp(` ${name}="([^"]*)"`))?.[1]))

describe('smoothing', () => {
  test('keeps a constant, and starts anew at a break', () => {
    expect(
      smoothed(
        [
          [1, 5],
          [2, 5],
          [3, 5],
        ],
        [],
        () => 10,
      ).map(([, y]) => y),
    ).toEqual([5, 5, 5].map((y) => expect.closeTo(y, 12)))
    const [, last] = smoothed(
      [
        [1, 0],
        [2, 0],
        [3, 10],
      ],
      [2],
      () => 10,
    ).at(-1)!
    expect(last).toBeCloseTo(10, 12)
  })

  test('moves a share of the way to each new point, from the mean of the first few', () => {
    const line = [4, 8, 0, 0].map((y, x): [number, number] => [x, y])
    // Of 8 points back; it starts from the mean of the first 2, and is a plain mean of 3, of 4 …
    const [first, second] = smoothed(line, [], () => 8).map(([, y]) => y)
    expect(first).toBeCloseTo((6 + 6 + 4) / 3, 12)
    expect(second).toBeCloseTo((6 + 6 + 4 + 8) / 4, 12)
    const flat = Array.from({ length: 40 }, (_, x): [number, number] => [x, x < 39 ? 0 : 8])
    expect(smoothed(flat, [], () => 8).at(-1)![1]).toBeCloseTo(1, 12)
  })

  test('on a logarithmic axis it follows a loss that falls by decades, where a plain mean lags behind', () => {
    const fall = Array.from({ length: 41 }, (_, x): [number, number] => [x, 10 ** (-x / 10)])
    const [at, plain] = [smoothedLog, smoothed].map((average) => average(fall, [], () => 8).at(-1)![1])
    // 8 points back the loss was 10^0.8 as high: the mean of the logarithms lies within that.
    expect(at! / 1e-4).toBeLessThan(10 ** 0.8)
    expect(plain! / 1e-4).toBeGreaterThan(10 ** 1.2)
    expect(smoothedLog([[0, 0], ...fall])).toEqual(smoothedLog(fall))
  })

  test('thinning loses neither the highest nor the lowest point', () => {
    const points = Array.from({ length: 5000 }, (_, k): [number, number] => [
      k,
      k === 3210 ? 99 : k === 77 ? -99 : Math.sin(k),
    ])
    const few = thinned(points, 100)
    expect(few.length).toBe(200)
    expect(few).toContainEqual([3210, 99])
    expect(few).toContainEqual([77, -99])
    for (let k = 1; k < few.length; k++) expect(few[k]![0]).toBeGreaterThanOrEqual(few[k - 1]![0])
  })
})

test('importance bars rise from left to right, negative scores hang below zero, counts are told', () => {
  const svg = importanceChart({
    name: 'conv',
    scores: [3, -1, 2, 0.5],
    kept: [true, false, true, false],
  }).text
  expect(svg).toContain('2 of 4 removed')
  expect(svg).toContain('cut at 2.00')
  expect([...svg.matchAll(/<title>kernel (\d)/g)].map(([, index]) => index)).toEqual(['1', '3', '2', '0'])
  const [y] = attributes(svg, /<rect class="gone"[^>]*>/g, 'y')
  const [, zero] = [...svg.matchAll(/<line class="base"[^>]*y1="([^"]*)"/g)][0]!
  expect(y).toBeCloseTo(Number(zero), 1)
})

test('no line cuts kernels that later rounds chose in another order', () => {
  const layer = { name: 'conv', scores: [3, 1, 2, 0.5], kept: [true, true, false, false] }
  expect(cutAtOnce({ ...layer, kept: [true, true, true, false] })).toBe(true)
  expect(cutAtOnce({ ...layer, kept: [true, true, true, true] })).toBe(true)
  expect(cutAtOnce(layer)).toBe(false)
  const svg = importanceChart(layer).text
  expect(svg).not.toContain('cut at')
  expect(svg).toMatch(/text-anchor="start">2 removed.*text-anchor="end">2 kept/)
})

test('the network is drawn to scale: lengths are as the channels', () => {
  const layers = [
    { name: 'a', kind: 'Conv', channels: 200, kept: 50 },
    { name: 'b', kind: 'Conv', channels: 100 },
  ]
  const svg = networkChart({ layers }).text
  const [kept, whole] = attributes(svg, /<rect class="kept"[^>]*>/g, 'width')
  expect(kept! / whole!).toBeCloseTo(0.5, 2)
  expect(svg).toContain('200 → <tspan class="now">50</tspan>')
  expect(svg).not.toContain('class="skip"')
  const skipping = networkChart({
    layers: [...layers, layers[0]!],
    edges: [
      { from: 0, to: 1 },
      { from: 0, to: 2 },
    ],
  }).text
  expect(skipping.match(/class="skip"/g)).toHaveLength(1)
})

test('a layer pruned to any width keeps all its cells', () => {
  for (const kept of [0, 1, 7, 16]) {
    const svg = networkChart({ layers: [{ name: 'a', kind: 'Conv', channels: 16, kept }] }).text
    expect(svg.match(/<rect class="kept"/g) ?? []).toHaveLength(kept)
    expect(svg.match(/<rect class="gone"/g) ?? []).toHaveLength(16 - kept)
  }
})

test('a confusion matrix shows counts, the accuracy of each class, and what changed', () => {
  const classes = ['cat', 'dog']
  const before = {
    title: 'before',
    classes,
    counts: [
      [8, 2],
      [1, 9],
    ],
  }
  const after = {
    title: 'after',
    classes,
    counts: [
      [10, 0],
      [2, 8],
    ],
  }
  expect(confusionChart(before).text.replaceAll('\u202f', ' ')).toMatch(/cat answered dog: 2.*80.0 %.*90.0 %/s)
  const change = confusionChange(before, after).text
  expect(change).toMatch(
    /class="hit[^"]*"><rect[^>]*><title>cat answered dog: 2 before, 0 after<\/title><\/rect><text[^>]*>−2</,
  )
  expect(change).toMatch(
    /class="miss[^"]*"><rect[^>]*><title>dog answered cat: 1 before, 2 after<\/title><\/rect><text[^>]*>\+1</,
  )
  expect(change).toContain('+20.00')
})

test('curves with one point, none, or values that are not finite make a drawing all the same', () => {
  for (const points of [
    [],
    [[1, 2]],
    [
      [1, Number.NaN],
      [2, 3],
      [3, Number.POSITIVE_INFINITY],
    ],
  ] as const)
    for (const scale of ['linear', 'log', 'nines'] as const) {
      const svg = lineChart({ title: 't', x: 'step', y: 'y', curves: [{ name: 'c', points, noisy: true }], scale }).text
      expect(svg).not.toMatch(/NaN|Infinity/)
    }
})

test('marks close to each other stand on different rows', () => {
  const curves = [
    {
      name: 'c',
      points: [
        [0, 1],
        [1000, 2],
      ] as const,
    },
  ]
  const marks = [
    { step: 500, label: 'prune once' },
    { step: 510, label: 'prune again' },
    { step: 990, label: 'and again' },
  ]
  const svg = lineChart({ title: 't', x: 'step', y: 'y', curves, marks }).text
  const rows = [...svg.matchAll(/y="([^"]*)" text-anchor="middle">(?:prune once|prune again|and again)</g)].map(
    ([, y]) => Number(y),
  )
  expect(rows[0]! - rows[1]!).toBe(16)
  expect(rows[2]).toBe(rows[0])
})

test('small numbers are labelled by their power of ten, which fits beside the axis', () => {
  const points = [
    [0, 1e-8],
    [1, 1e-2],
  ] as const
  const svg = lineChart({ title: 't', x: 'step', y: 'y', curves: [{ name: 'c', points }], scale: 'log' }).text
  expect(svg).toContain('>10⁻⁸</text>')
  expect(svg).toContain('>0.01</text>')
  expect(svg).not.toContain('0.0000')
})
