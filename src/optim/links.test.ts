import { describe, expect, test } from 'vitest'
import {
  adamScaling,
  adaptiveClip,
  cautious,
  clipTensorNorm,
  clipValue,
  normalizeGradient,
  normLoss,
  orthogonalize,
  positiveNegative,
  scheduleFree,
  stableDecay,
  trustRatio,
} from './links/index.ts'
import { optimizer } from './optimizer.ts'
import { modernRanger, optimizers, presetOf, ranger21, scheduleFreeSgd } from './presets/index.ts'
import { gradientsFor, networkOf, vector } from './testing/networks.ts'
import type { Link, OptimizerEvent, Parameter } from './types.ts'

/** What a chain makes of one gradient: its direction. */
const direction = (links: Link[], gradient: readonly number[], p: Parameter = vector(gradient.map(() => 0))) => {
  const before = p.values.slice()
  optimizer(links, { lr: 1 })
    .start([p])
    .step(new Map([[p.name, Float32Array.from(gradient)]]))
  return [...p.values].map((x, i) => before[i]! - x)
}
const close = (values: readonly number[], expected: readonly number[]) => {
  expect(values).toHaveLength(expected.length)
  for (const [i, x] of values.entries()) expect(x).toBeCloseTo(expected[i]!, 5)
}

describe('clipping', () => {
  test('by value', () => close(direction([clipValue(1)], [-3, 0.5, 2]), [-1, 0.5, 1]))
  test('by the norm of each tensor', () => close(direction([clipTensorNorm(1)], [3, 4]), [0.6, 0.8]))
  test("adaptive: each output unit to 1 % of its weights' norm, units near zero to 1 % of eps", () => {
    const p: Parameter = { name: 'w', dims: [2, 2], role: 'dense', values: Float32Array.of(3, 4, 0, 0) }
    const [a, b, c, d] = direction([adaptiveClip({ clipping: 0.01, eps: 0.1 })], [30, 40, 3, 4], p)
    close([a!, b!, c!, d!], [0.03, 0.04, 0.0006, 0.0008])
  })
  test('tells its rate', () => {
    const events: OptimizerEvent[] = []
    const running = optimizer([clipValue(1)]).start([vector([0, 0])], { onEvent: (e) => events.push(e) })
    running.step(new Map([['w', Float32Array.of(5, 0.5)]]))
    expect(events[0]).toEqual({ type: 'clip', link: 'clip-value', parameter: 'w', rate: 0.5 })
  })
  test('refuses a limit of nothing', () => expect(() => clipValue(0)).toThrow(/limit of 0/))
})

test('normalisation divides by the standard deviation or the norm', () => {
  const std = Math.sqrt(2 / 2)
  close(direction([normalizeGradient()], [1, 2, 3]), [1 / std, 2 / std, 3 / std])
  close(direction([normalizeGradient({ by: 'norm' })], [3, 4]), [0.6, 0.8])
})

test('cautious masking keeps what agrees with the gradient and makes up for the rest', () => {
  const reversed: Link = {
    name: 'r',
    update({ update: u }) {
      u[1]! *= -1
    },
  }
  close(direction(cautious(reversed), [1, 1, 1]), [1, 0, 1])
  close(direction(cautious(reversed), [1, 1, 1, 1, 1]), [5 / 5, 0, 1, 1, 1])
})

test('the trust ratio scales a step to the norm of its weights', () => {
  close(direction([trustRatio()], [3, 4], vector([6, 8])), [6, 8])
  close(direction([trustRatio({ most: 5 })], [3, 4], vector([6, 8])), [3, 4])
  close(direction([trustRatio()], [3, 4]), [3, 4])
})

test('a softplus denominator is ln(1 + e^{βx})/β, far from zero no other', () => {
  const step = (softplus: number, g: number) => direction([adamScaling({ softplus })], [g])[0]!
  expect(step(50, 10)).toBeCloseTo(1, 5)
  expect(step(50, 1e-6)).toBeCloseTo(1e-6 / (Math.log1p(Math.exp(50 * (1e-6 + 1e-8))) / 50), 8)
})

test('positive–negative momentum is ((1+β₀)m − β₀m₋)/√((1+β₀)²+β₀²), the momenta taking turns', () => {
  const p = vector([0])
  const links = [positiveNegative({ betas: [0.9, 0], eps: 0 })]
  const running = optimizer(links, { lr: 1 }).start([p])
  running.step(new Map([['w', Float32Array.of(1)]]))
  const first = (2 * (1 - 0.81)) / (Math.sqrt(5) * (1 - 0.9))
  expect(-p.values[0]!).toBeCloseTo(first, 5)
  running.step(new Map([['w', Float32Array.of(1)]]))
  const second = (2 * 0.19 - 0.19) / (Math.sqrt(5) * (1 - 0.81))
  expect(-p.values[0]!).toBeCloseTo(first + second, 5)
})

test('stable decay divides λ by the root of the mean second moment of all parameters', () => {
  const [a, b] = [
    { ...vector([1]), name: 'a' },
    { ...vector([1]), name: 'b' },
  ]
  const moved = (links: Link[]) => {
    const [p, q] = [a, b].map((x) => ({ ...x, values: x.values.slice() }))
    optimizer(links, { lr: 0.1 })
      .start([p!, q!])
      .step(
        new Map([
          ['a', Float32Array.of(3)],
          ['b', Float32Array.of(4)],
        ]),
      )
    return [p!.values[0]!, q!.values[0]!]
  }
  const [plain, decayed] = [moved([adamScaling()]), moved([adamScaling(), stableDecay(0.5)])]
  for (const i of [0, 1]) expect(plain[i]! - decayed[i]!).toBeCloseTo((0.1 * 0.5) / Math.sqrt((9 + 16) / 2), 5)
})

test('norm loss pulls every unit to norm 1', () => {
  const p: Parameter = { name: 'w', dims: [2, 2], role: 'dense', values: Float32Array.of(3, 4, 0.3, 0.4) }
  const running = optimizer([normLoss(0.1)], { lr: 1 }).start([p])
  for (let t = 0; t < 60; t++) running.step(new Map([['w', new Float32Array(4)]]))
  for (const row of [0, 2]) expect(Math.hypot(p.values[row]!, p.values[row + 1]!)).toBeCloseTo(1, 4)
})

test('orthogonalised updates have singular values near 1, whichever way the matrix lies', () => {
  for (const dims of [
    [3, 6],
    [6, 3],
  ]) {
    const p: Parameter = { name: 'w', dims, role: 'dense', values: new Float32Array(18) }
    const u = direction([orthogonalize({ iterations: 12 })], [...gradientsFor([p], 3).get('w')!], p)
    const [rows, columns] = dims as [number, number]
    const scale = Math.sqrt(Math.max(1, rows / columns))
    const at = (i: number, j: number) => u[i * columns + j]! / scale
    const short = Math.min(rows, columns)
    const trace = u.reduce((sum, x) => sum + (x / scale) ** 2, 0)
    expect(trace / short).toBeGreaterThan(0.6)
    expect(trace / short).toBeLessThan(1.4)
    for (let i = 0; i < short; i++)
      for (let j = 0; j < i; j++) {
        let dot = 0
        for (let k = 0; k < Math.max(rows, columns); k++)
          dot += rows < columns ? at(i, k) * at(j, k) : at(k, i) * at(k, j)
        expect(Math.abs(dot)).toBeLessThan(0.3)
      }
  }
})

test('orthogonalised updates scaled to 0.2 have that root mean square, whatever their shape', () => {
  for (const dims of [
    [8, 3],
    [3, 8],
    [4, 2, 3, 3],
  ]) {
    const size = dims.reduce((n, d) => n * d, 1)
    const p: Parameter = { name: 'w', dims, role: dims.length === 4 ? 'conv' : 'dense', values: new Float32Array(size) }
    const u = direction([orthogonalize({ scaling: 'rms', iterations: 10 })], [...gradientsFor([p], 3).get('w')!], p)
    const rms = Math.sqrt(u.reduce((sum, x) => sum + x * x, 0) / size)
    expect(rms).toBeGreaterThan(0.2 * 0.7)
    expect(rms).toBeLessThan(0.2 * 1.25)
  }
})

describe('schedule-free averaging', () => {
  test('holds x, y and z to their definitions', () => {
    const p = vector([1])
    const running = scheduleFreeSgd({ lr: 0.1, momentum: 0.8 }).start([p])
    let [x, z] = [1, 1]
    for (let t = 1; t <= 10; t++) {
      const g = Math.sin(t)
      running.step(new Map([['w', Float32Array.of(g)]]))
      z -= 0.1 * g
      x = (1 - 1 / t) * x + z / t
      expect(p.values[0]).toBeCloseTo(0.8 * x + 0.2 * z, 5)
      expect(running.evaluationWeights()!.get('w')![0]).toBeCloseTo(x, 5)
    }
  })
  test('refuses a β that leaves no average', () => expect(() => scheduleFree({ beta: 1 })).toThrow(/β = 1/))
})

describe('presets by name', () => {
  /** Σ of squares falls under every preset, at a rate that suits it. */
  const rates: Record<string, number> = { adadelta: 10, prodigy: 1, adagrad: 0.1, soap: 0.01, muon: 0.01 }
  test.each(Object.keys(optimizers))('%s descends a quadratic', (name) => {
    const parameters = networkOf(3)
    const size = () => parameters.reduce((sum, p) => sum + p.values.reduce((s, x) => s + x * x, 0), 0)
    const before = size()
    const running = presetOf(name)
      .make({ lr: rates[name] ?? 0.01 })
      .start(parameters)
    for (let t = 0; t < 60; t++) running.step(new Map(parameters.map((p) => [p.name, p.values.slice()])))
    running.finish()
    expect(size()).toBeLessThan(0.99 * before)
  })

  test('take options as text', () => {
    const one = presetOf('ranger').make({ lr: '0.01', betas: '0.9,0.99', k: '3', gc: 'false', outer: 'nesterov' })
    expect(one.lr).toBe(0.01)
    expect(one.links.map(({ name }) => name)).toEqual(['radam', 'decay', 'lookahead'])
  })
  test('name what they do not know', () => {
    expect(() => presetOf('rangr')).toThrow(/no optimizer 'rangr'; known are sgd, .*ranger/)
    expect(() => presetOf('adam').make({ beta: 1 })).toThrow(/adam has no option 'beta'; it has lr, .*betas/)
    expect(() => presetOf('adam').make({ lr: 'fast' })).toThrow(/lr = "fast" is not a number/)
    expect(() => presetOf('ranger').make({ gc: 'somewhere' })).toThrow(/is not update, gradient, false/)
  })
  test('the modern Ranger is its parts, each of which can be left out', () => {
    const names = (o: Parameters<typeof modernRanger>[0]) => modernRanger(o).links.map(({ name }) => name)
    const turn = ['momentum', 'orthogonalize']
    expect(names({})).toEqual(['centralize', 'adam', 'decay', 'lookahead'])
    expect(names({ rectify: true })).toEqual(['centralize', 'radam', 'decay', 'lookahead'])
    expect(names({ gc: false })).toEqual(['adam', 'decay', 'lookahead'])
    expect(names({ cautious: true })).toEqual(['cautious-hold', 'centralize', 'adam', 'cautious', 'decay', 'lookahead'])
    expect(names({ matrices: 'orthogonal' })).toEqual(['centralize', ...turn, 'adam', 'decay', 'lookahead'])
    const slots = (o: Parameters<typeof modernRanger>[0]) =>
      [
        ...modernRanger(o)
          .start(networkOf(1))
          .links.find(({ key }) => key === 'adam')!
          .slots.keys(),
      ].sort()
    expect(slots({})).toHaveLength(6)
    expect(slots({ matrices: 'orthogonal' })).toEqual(['embedding', 'fc.bias'])
  })
  test('ranger21 is its seven parts', () => {
    expect(ranger21().links.map(({ name }) => name)).toEqual([
      'clip-adaptive',
      'centralize',
      'normalize',
      'pnm',
      'stable-decay',
      'norm-loss',
      'lookahead',
    ])
  })
})
