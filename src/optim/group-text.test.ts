import { describe, expect, test } from 'vitest'
import { parseGroup, parseGroups } from './group-text.ts'
import { adamw, radam } from './presets/index.ts'
import { gradientsFor, networkOf } from './testing/networks.ts'

describe('a group from text', () => {
  test.each([
    ['*.bias:decay=0', { match: ['*.bias'], weightDecay: 0 }],
    ['fc.*,head.*:lr=0.1x', { match: ['fc.*', 'head.*'], lrFactor: 0.1 }],
    ['onnx::Conv_*:lr=1e-4,decay=0.05', { match: ['onnx::Conv_*'], lr: 1e-4, weightDecay: 0.05 }],
    ['@vector,@embedding:decay=0,lr=2x', { role: ['vector', 'embedding'], weightDecay: 0, lrFactor: 2 }],
  ])('%s', (text, group) => expect(parseGroup(text)).toEqual(group))

  test('with links of another preset', () =>
    expect(parseGroup('@vector:optimizer=radam').links?.map(({ name }) => name)).toEqual(
      radam().links.map(({ name }) => name),
    ))

  test.each([
    ['fc', /'fc' is no group.*write NAMES:lr=0.1x,decay=0/],
    [':lr=1', /is no group/],
    ['fc:', /is no group/],
    ['fc:speed=1', /no setting 'speed'; there are lr=NUMBER/],
    ['fc:lr=fast', /'lr=fast'.*not a number/],
    ['fc:lr=-1x', /not a number of 0 or more/],
    ['@bias:lr=1', /no role 'bias'; known are conv, /],
    ['@conv,fc:lr=1', /mixes patterns and roles/],
    ['fc:optimizer=rangr', /no optimizer 'rangr'/],
  ])('%s is refused', (text, message) => expect(() => parseGroup(text)).toThrow(message))
})

describe('groups for a network', () => {
  test('move its parameters at rates and with links of their own', () => {
    const moved = (texts: readonly string[]) => {
      const parameters = networkOf(1)
      const before = parameters.map(({ values }) => values.slice())
      adamw({ lr: 0.01, weightDecay: 0, groups: parseGroups(texts, parameters) })
        .start(parameters)
        .step(gradientsFor(parameters, 1))
      return Object.fromEntries(parameters.map(({ name, values }, i) => [name, values[0]! - before[i]![0]!]))
    }
    const [plain, grouped] = [moved([]), moved(['fc.*:lr=0x', '@conv:lr=0.5x', '@embedding:optimizer=sgd'])]
    expect(grouped['fc.weight']).toBe(0)
    expect(grouped['fc.bias']).toBe(0)
    expect(grouped['conv.weight']! / plain['conv.weight']!).toBeCloseTo(0.5, 3)
    expect(grouped['head.weight']).toBe(plain['head.weight'])
    expect(Math.abs(grouped.embedding!)).toBeLessThan(0.9 * Math.abs(plain.embedding!))
  })

  test('that hold nothing are named', () => {
    expect(() => parseGroups(['*.biass:decay=0'], networkOf(1))).toThrow(
      /'\*\.biass:decay=0' holds no trainable parameter.*conv\.weight \(@conv\)/,
    )
    expect(() => parseGroups(['*:lr=1', '@conv:lr=2'], networkOf(1))).toThrow(/'@conv:lr=2' holds no/)
  })
})
