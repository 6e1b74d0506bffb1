import { describe, expect, test } from 'vitest'
import {
  adamScaling,
  centralize,
  clipNorm,
  type LookaheadOptions,
  lookahead,
  rectification,
  weightDecay,
} from './links/index.ts'
import { optimizer, type Recipe } from './optimizer.ts'
import { adam, radam, ranger, sgd } from './presets/index.ts'
import { gradientsFor, networkOf, vector } from './testing/networks.ts'
import type { Parameter } from './types.ts'

/** Weights after some steps on given gradients, by default the same pseudo-random ones. */
const weightsAfter = (recipe: Recipe, steps: number, parameters: Parameter[] = networkOf(1)) => {
  const running = recipe.start(parameters)
  for (let t = 1; t <= steps; t++) running.step(gradientsFor(parameters, t))
  return new Map(parameters.map((p) => [p.name, p.values]))
}

/** x after some steps on x²/2 from x = 1. */
const onParabola = (recipe: Recipe, steps: number) => {
  const p = vector([1])
  const running = recipe.start([p])
  for (let t = 1; t <= steps; t++) running.step(new Map([['w', p.values.slice()]]))
  return p.values[0]!
}

/** How far one parameter moved at each step with gradient 1 throughout. */
const moves = (recipe: Recipe, steps: number, start = 0) => {
  const p = vector([start])
  const running = recipe.start([p])
  return Array.from({ length: steps }, () => {
    const before = p.values[0]!
    running.step(new Map([['w', Float32Array.of(1)]]))
    return before - p.values[0]!
  })
}

describe('A: the threshold', () => {
  test.each([
    [4, 5],
    [5, 6],
    [6, 7],
  ])('%d makes step %d the first adaptive one for β₂ = 0.999', (threshold, first) => {
    const adaptive = (t: number) => rectification(t, 0.999, threshold).adaptive
    expect([first - 1, first].map(adaptive)).toEqual([false, true])
  })

  test('> or ≥ differ only where ρ equals the threshold', () => {
    const { rho } = rectification(7, 0.999)
    expect(rectification(7, 0.999, rho, true).adaptive).toBe(true)
    expect(rectification(7, 0.999, rho, false).adaptive).toBe(false)
    expect(weightsAfter(radam({ inclusive: true }), 10)).toEqual(weightsAfter(radam({ inclusive: false }), 10))
  })

  test('ρ is what the paper says, in double: float32 would give 1.03 for 2.9999', () => {
    const rhos = [1, 2, 3, 4, 5, 6].map((t) => rectification(t, 0.999).rho)
    for (const [i, rho] of [1, 1.9995, 2.9987, 3.9975, 4.996, 5.9942].entries()) expect(rhos[i]).toBeCloseTo(rho, 3)
    expect(rectification(3, 0.9999).rho).toBeCloseTo(2.99987, 4)
  })

  test('below 4 is refused, and so is a β₂ that never adapts', () => {
    expect(() => radam({ threshold: 3 })).toThrow(/root of a negative/)
    expect(() => radam({ betas: [0.9, 0.6] })).toThrow(/never exceeds 4.00.*raise β₂ above 0.667/)
    expect(() => radam({ betas: [0.9, 0.67] })).not.toThrow()
  })
})

describe('B: below the threshold', () => {
  test('a step is along m̂, which for a constant gradient is the gradient', () => {
    for (const move of moves(radam({ lr: 0.1 }), 5)) expect(move).toBeCloseTo(0.1, 6)
  })
  test('or there is none', () => {
    const [a, b, c, d, e, f] = moves(radam({ lr: 0.1, warmup: 'skip' }), 6)
    expect([a, b, c, d, e]).toEqual([0, 0, 0, 0, 0])
    expect(f).toBeGreaterThan(0)
  })
  test('a published Ranger climbs: on x²/2 to 1.005005 after 5 steps instead of 0.995005', () => {
    expect(onParabola(ranger(), 5)).toBeCloseTo(0.995005, 5)
    expect(onParabola(ranger({ compat: 'radam-ascends' }), 5)).toBeCloseTo(1.005005, 5)
  })
})

test('C: eps on the raw √v weighs eps/√(1−β₂ᵗ) against √v̂', () => {
  const first = (epsOn: 'raw' | 'corrected', eps: number) => moves(adam({ lr: 1, eps, epsOn }), 1)[0]!
  const inflated = 1e-2 / Math.sqrt(1 - 0.999)
  expect(inflated / 1e-2).toBeCloseTo(31.6, 1)
  expect(first('raw', 1e-2)).toBeCloseTo(first('corrected', inflated), 5)
  expect(first('raw', 1e-2)).toBeLessThan(first('corrected', 1e-2) - 0.2)
})

describe('D: weight decay', () => {
  /** The share of the weight that a step without gradient takes, in units of lr·λ. */
  const decays = (recipe: Recipe, steps: number) => {
    const p = vector([1])
    const running = recipe.start([p])
    return Array.from({ length: steps }, () => {
      const before = p.values[0]!
      running.step(new Map([['w', Float32Array.of(0)]]))
      return (1 - p.values[0]! / before) / (1e-2 * 1e-1)
    })
  }
  const o = { lr: 1e-2, weightDecay: 1e-1, k: 100 }

  test('decoupled is lr·λ at every step', () => {
    for (const share of decays(ranger(o), 8)) expect(share).toBeCloseTo(1, 3)
  })
  test('times the step size, as published, it is 20, 10.3, 7.0, 5.4, 4.4 and then 0.0075 times that', () => {
    const shares = decays(ranger({ ...o, compat: 'decay-times-step-size' }), 6)
    for (const [i, share] of [20, 10.26, 7.01, 5.39, 4.42, 0.0075].entries())
      expect(shares[i]! / share).toBeCloseTo(1, 1)
  })
  test('only when moving, as published, there is none while RAdam skips', () => {
    const recipe = radam({ ...o, warmup: 'skip', compat: 'decay-only-when-moving' })
    expect(decays(recipe, 7).map(Math.round)).toEqual([0, 0, 0, 0, 0, 1, 1])
  })
  test('as L2 it goes through the moments, so its size no longer counts', () => {
    const [gentle, strong] = [1e-4, 1e-1].map((rate) => decays(adam({ ...o, weightDecay: rate }), 1)[0]!)
    expect(gentle).toBeCloseTo(strong!, 2)
  })
  test('independent of the rate, proximal, and after the step are their formulas', () => {
    const one = (decay: 'independent' | 'proximal' | 'after' | 'before') => {
      const p = vector([2])
      sgd({ lr: 0.5, weightDecay: 0.1, decay })
        .start([p])
        .step(new Map([['w', Float32Array.of(1)]]))
      return p.values[0]!
    }
    expect(one('independent')).toBeCloseTo(2 * 0.9 - 0.5, 6)
    expect(one('proximal')).toBeCloseTo((2 - 0.5) / (1 + 0.05), 6)
    expect(one('after')).toBeCloseTo((2 - 0.5) * 0.95, 6)
    expect(one('before')).toBeCloseTo(2 * 0.95 - 0.5, 6)
  })
})

const meansOf = (values: Float32Array, n: number) =>
  Array.from(
    { length: values.length / n },
    (_, u) => values.subarray(u * n, (u + 1) * n).reduce((a, b) => a + b, 0) / n,
  )

test('E: decay before or after centralization: centralized too, it never shrinks the means of filters', () => {
  const shrinks = (compat: Parameters<typeof ranger>[0]) => {
    const before = meansOf(networkOf(1)[0]!.values, 27)
    const now = meansOf(
      weightsAfter(ranger({ lr: 0.01, weightDecay: 1, k: 1000, ...compat }), 20).get('conv.weight')!,
      27,
    )
    return now.map((mean, i) => mean / before[i]!)
  }
  for (const ratio of shrinks({})) expect(ratio).toBeCloseTo(0.99 ** 20, 3)
  for (const ratio of shrinks({ compat: 'decay-is-centralized' })) expect(ratio).toBeCloseTo(1, 3)
})

describe('F: where the gradient is centralized', () => {
  const drift = (recipe: Recipe, name: string, n: number) => {
    const before = meansOf(networkOf(1).find((p) => p.name === name)!.values, n)
    return Math.max(...meansOf(weightsAfter(recipe, 50).get(name)!, n).map((mean, i) => Math.abs(mean - before[i]!)))
  }
  test('in the update, every filter keeps its mean; in the gradient, Adam makes it drift', () => {
    const update = optimizer([adamScaling(), centralize()], { lr: 0.01 })
    const gradient = optimizer([centralize(), adamScaling()], { lr: 0.01 })
    expect(drift(update, 'conv.weight', 27)).toBeLessThan(3e-7)
    expect(drift(gradient, 'conv.weight', 27)).toBeGreaterThan(1e-4)
    expect(drift(ranger({ lr: 0.01 }), 'fc.weight', 7)).toBeLessThan(3e-7)
    expect(drift(ranger({ gc: 'gradient', lr: 0.01 }), 'fc.weight', 7)).toBeGreaterThan(1e-4)
  })
  test('for SGD it makes no difference', () => {
    const [first, last] = [
      optimizer([centralize(), ...sgd({ momentum: 0.9 }).links]),
      optimizer([...sgd({ momentum: 0.9 }).links, centralize()]),
    ]
    const [a, b] = [weightsAfter(first, 20), weightsAfter(last, 20)]
    for (const [name, values] of a)
      for (const [i, value] of values.entries()) expect(value).toBeCloseTo(b.get(name)![i]!, 6)
  })
})

describe('G: over which axes', () => {
  const centred = (options: Parameters<typeof centralize>[0], name: string) => {
    const p = networkOf(1).find((q) => q.name === name)!
    const start = p.values.slice()
    optimizer([centralize(options)], { lr: 1 })
      .start([p])
      .step(new Map([[name, gradientsFor(networkOf(1), 1).get(name)!]]))
    return p.values.map((x, i) => start[i]! - x)
  }
  const sums = (values: Float32Array, dims: readonly number[], axis: number) => {
    const inner = dims.slice(axis + 1).reduce((n, d) => n * d, 1)
    const out = new Array<number>(dims[axis]!).fill(0)
    for (const [i, x] of values.entries()) out[Math.floor(i / inner) % dims[axis]!]! += x
    return out.map(Math.abs)
  }
  const nothing = (values: number[]) => values.every((x) => x < 1e-5)

  test('an [in, out] matrix is centred per output, not per input', () => {
    expect(nothing(sums(centred({}, 'head.weight'), [7, 5], 1))).toBe(true)
    expect(nothing(sums(centred({}, 'head.weight'), [7, 5], 0))).toBe(false)
    expect(nothing(sums(centred({ axes: 'ndim' }, 'head.weight'), [7, 5], 0))).toBe(true)
    expect(nothing(sums(centred({ axes: 'ndim' }, 'head.weight'), [7, 5], 1))).toBe(false)
  })
  test('a grouped transposed convolution [in, out/groups, …] is centred per output of each group', () => {
    const update = centred({}, 'up.weight')
    for (const group of [0, 1])
      expect(nothing(sums(update.subarray(group * 24, (group + 1) * 24), [2, 3, 2, 2], 1))).toBe(true)
    expect(nothing(sums(centred({ axes: 'ndim' }, 'up.weight'), [4, 3, 2, 2], 0))).toBe(true)
  })
  test('embeddings are left out unless asked for; the ndim rule takes them', () => {
    const raw = gradientsFor(networkOf(1), 1).get('embedding')!
    for (const [i, x] of centred({}, 'embedding').entries()) expect(x).toBeCloseTo(raw[i]!, 6)
    expect(nothing(sums(centred({ embeddings: true }, 'embedding'), [6, 4], 0))).toBe(true)
    expect(nothing(sums(centred({ axes: 'ndim' }, 'embedding'), [6, 4], 0))).toBe(true)
  })
  test('convolutions only leaves dense layers alone, and keeps Conv1d, which the ndim rule drops', () => {
    const raw = gradientsFor(networkOf(1), 1).get('fc.weight')!
    for (const [i, x] of centred({ convOnly: true }, 'fc.weight').entries()) expect(x).toBeCloseTo(raw[i]!, 6)
    const line: Parameter = { name: 'w', dims: [2, 1, 3], role: 'conv', values: new Float32Array(6) }
    expect(centralize({ convOnly: true }).applies?.(line)).toBe(true)
    expect(centralize({ convOnly: true, axes: 'ndim' }).applies?.(line)).toBe(false)
  })
})

describe('H and I: Lookahead', () => {
  const x = (options: LookaheadOptions) => onParabola(optimizer([lookahead({ k: 5, ...options })], { lr: 0.1 }), 10)

  test('starts from φ₀ = θ₀; published variants give other optimizers', () => {
    expect(x({})).toBeCloseTo(0.6324, 4)
    expect(x({ compat: 'lookahead-starts-at-first-meeting' })).toBeCloseTo(0.4696, 4)
    expect(x({ compat: 'lookahead-starts-after-first-step' })).toBeCloseTo(0.4696, 4)
    expect(x({ compat: 'lookahead-starts-at-zero' })).toBeCloseTo(0.1743, 4)
  })
  test('α and k count: a larger α follows the fast weights more closely', () => {
    expect(x({ alpha: 0.8 })).toBeLessThan(x({ alpha: 0.5 }))
    expect(x({ k: 6 })).not.toBeCloseTo(x({ k: 5 }), 3)
  })
  test('with α = 1 is its inner optimizer, and so is a Nesterov outer step without momentum', () => {
    const inner = weightsAfter(adam(), 12)
    expect(weightsAfter(optimizer([...adam().links, lookahead({ alpha: 1, k: 3 })]), 12)).toEqual(inner)
    const outer = weightsAfter(
      optimizer([...adam().links, lookahead({ alpha: 1, k: 3, outer: 'nesterov', outerMomentum: 0 })]),
      12,
    )
    for (const [name, values] of outer)
      for (const [i, v] of values.entries()) expect(v).toBeCloseTo(inner.get(name)![i]!, 6)
  })
  test('a Nesterov outer step is b ← μb + Δ, φ ← φ − α(Δ + μb)', () => {
    const p = vector([0])
    const links = [lookahead({ k: 1, alpha: 0.5, outer: 'nesterov', outerMomentum: 0.9 })]
    const running = optimizer(links, { lr: 1 }).start([p])
    running.step(new Map([['w', Float32Array.of(-1)]]))
    expect(p.values[0]).toBeCloseTo(0.5 * 1.9, 6)
    running.step(new Map([['w', Float32Array.of(-1)]]))
    expect(p.values[0]).toBeCloseTo(0.95 + 0.5 * (1 + 0.9 * 1.9), 6)
  })
  test('an EMA leaves the fast weights alone', () => {
    expect(weightsAfter(optimizer([...adam().links, lookahead({ outer: 'ema' })]), 12)).toEqual(
      weightsAfter(adam(), 12),
    )
  })
  test('α may follow a schedule', () => {
    const scheduled = x({ alpha: (step) => (step === 5 ? 0.8 : 0.2) })
    expect(scheduled).toBeGreaterThan(x({ alpha: 0.8 }))
    expect(scheduled).toBeLessThan(x({ alpha: 0.2 }))
  })
  test('pull-back resets or averages the inner momentum', () => {
    const momentumAfter = (options: LookaheadOptions) => {
      const running = optimizer([...sgd({ momentum: 0.9 }).links, lookahead({ k: 2, ...options })], { lr: 0.1 }).start([
        vector([0]),
      ])
      for (let t = 0; t < 4; t++) running.step(new Map([['w', Float32Array.of(1)]]))
      return running.links.find(({ key }) => key === 'momentum')!.slots.get('w')!.momentum![0]!
    }
    expect(momentumAfter({})).toBeCloseTo(3.439, 4)
    expect(momentumAfter({ pullback: 'reset' })).toBe(0)
    // 1.9 → 0.95; then 1.855, 2.6695 → 0.95 + ½(2.6695 − 0.95).
    expect(momentumAfter({ pullback: 'average' })).toBeCloseTo(1.80975, 4)
    // 1.9 → 0.95 the first time, × ¾ the second.
    expect(momentumAfter({ pullback: 'average', compat: 'lookahead-aliased-pullback' })).toBeCloseTo(0.75 * 2.6695, 4)
  })
})

test('K: clipping before centralization leaves at most the limit, after it too but not the same', () => {
  const [first, last] = [
    [clipNorm(0.1), centralize()],
    [centralize(), clipNorm(0.1)],
  ].map((links) => weightsAfter(optimizer(links), 3))
  expect(first).not.toEqual(last)
})

test('RAdam becomes Adam as t grows', () => {
  expect(rectification(100_000, 0.999).factor).toBeCloseTo(1, 6)
})

test('decay of a group comes before that of the link', () => {
  const p = vector([1])
  optimizer([weightDecay({ weightDecay: 0.1 })], { lr: 1, groups: [{ weightDecay: 0.5 }] })
    .start([p])
    .step(new Map([['w', Float32Array.of(0)]]))
  expect(p.values[0]).toBe(0.5)
})
