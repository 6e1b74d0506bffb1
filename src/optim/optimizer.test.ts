import { describe, expect, test } from 'vitest'
import { only } from './groups.ts'
import {
  accumulate,
  adamScaling,
  centralize,
  clipNorm,
  clipTensorNorm,
  lookahead,
  momentum,
  scale,
  skipNotFinite,
  weightDecay,
} from './links/index.ts'
import { optimizer } from './optimizer.ts'
import { adam, adamw, radam, ranger, sgd } from './presets/index.ts'
import { flatCosine } from './schedules.ts'
import { gradientsFor, networkOf, vector } from './testing/networks.ts'
import type { OptimizerEvent } from './types.ts'

describe('a chain', () => {
  test('of no links is gradient descent', () => {
    const p = vector([1, 2])
    optimizer([], { lr: 0.5 })
      .start([p])
      .step(new Map([['w', Float32Array.of(2, 4)]]))
    expect([...p.values]).toEqual([0, 0])
  })

  test('leaves the gradients alone unless it may consume them', () => {
    const gradient = Float32Array.of(3, 4)
    // A link that needs the whole tensor: pieces are worked on elsewhere.
    const running = optimizer([clipTensorNorm(1)]).start([vector([1, 2])])
    running.step(new Map([['w', gradient]]))
    expect([...gradient]).toEqual([3, 4])
    running.step(new Map([['w', gradient]]), { consume: true })
    expect([...gradient]).not.toEqual([3, 4])
  })

  test('moves the same whether or not it consumes gradients', () => {
    const [a, b] = [networkOf(1), networkOf(1)]
    const [first, second] = [ranger().start(a), ranger().start(b)]
    for (let t = 1; t <= 8; t++) {
      first.step(gradientsFor(a, t))
      second.step(gradientsFor(b, t), { consume: true })
    }
    expect(b.map((p) => p.values)).toEqual(a.map((p) => p.values))
  })

  test('names a gradient it has no parameter for, or of another size', () => {
    const running = sgd().start([vector([1, 2])])
    expect(() => running.step(new Map([['v', Float32Array.of(1)]]))).toThrow(/initializer 'v'/)
    expect(() => running.step(new Map([['w', Float32Array.of(1)]]))).toThrow(/1 values for 2 weights/)
  })

  test('keeps a parameter without a gradient where it is, and its count of steps', () => {
    const [a, b] = [
      { ...vector([1]), name: 'a' },
      { ...vector([1]), name: 'b' },
    ]
    const running = radam().start([a, b])
    running.step(new Map([['a', Float32Array.of(1)]]))
    expect(b.values[0]).toBe(1)
    expect([...running.steps]).toEqual([
      ['a', 1],
      ['b', 0],
    ])
  })

  test('follows its schedule', () => {
    const p = vector([0])
    const running = sgd({ lr: 1, schedule: flatCosine(4, { flat: 0.5 }) }).start([p])
    const places = [1, 2, 3, 4].map(() => {
      running.step(new Map([['w', Float32Array.of(-1)]]))
      return p.values[0]
    })
    expect(places).toEqual([1, 2, 3, 3.5])
  })

  test('is kept from having two links that move the weights', () => {
    const mover = { name: 'm', apply() {} }
    expect(() => optimizer([mover, mover])).toThrow(/only one link/)
  })
})

describe('groups', () => {
  const decaying = (groups: Parameters<typeof sgd>[0] & object) => {
    const parameters = networkOf(2)
    const before = parameters.map((p) => p.values.slice())
    const running = adamw({ lr: 0.1, weightDecay: 0.5, ...groups }).start(parameters)
    running.step(new Map(parameters.map((p) => [p.name, new Float32Array(p.values.length)])))
    return Object.fromEntries(parameters.map((p, i) => [p.name, p.values[0]! / before[i]![0]!]))
  }

  test('by name take another decay', () => {
    const shrunk = decaying({ groups: [{ match: '*.bias', weightDecay: 0 }] })
    expect(shrunk['fc.bias']).toBe(1)
    expect(shrunk['fc.weight']).toBeCloseTo(0.95, 6)
  })

  test('by role take another rate', () => {
    const shrunk = decaying({
      groups: [
        { role: 'conv', lrFactor: 0.5 },
        { role: 'dense', lr: 0.2 },
      ],
    })
    expect(shrunk['conv.weight']).toBeCloseTo(0.975, 6)
    expect(shrunk['fc.weight']).toBeCloseTo(0.9, 6)
    expect(shrunk['fc.bias']).toBeCloseTo(0.95, 6)
  })

  test('take links of their own in place of the chain', () => {
    const parameters = networkOf(3)
    const before = parameters.map((p) => p.values.slice())
    const running = adam({ lr: 1, groups: [{ role: 'vector', links: [scale(0)] }] }).start(parameters)
    running.step(gradientsFor(parameters, 1))
    for (const [i, p] of parameters.entries())
      if (p.role === 'vector') expect(p.values).toEqual(before[i])
      else expect(p.values).not.toEqual(before[i])
  })

  test('and `only` restricts a link to parameters of a kind', () => {
    const parameters = networkOf(4)
    const running = optimizer([only((p) => p.role === 'conv', adamScaling())]).start(parameters)
    expect([...running.links[0]!.slots.keys()]).toEqual(['conv.weight'])
  })
})

describe('guards', () => {
  test('a step that is not finite moves nothing and counts nowhere', () => {
    const parameters = networkOf(5)
    const running = ranger().links
    const guarded = optimizer([skipNotFinite, ...running]).start(parameters)
    guarded.step(gradientsFor(parameters, 1))
    const before = parameters.map((p) => p.values.slice())
    const bad = gradientsFor(parameters, 2)
    bad.get('fc.bias')![1] = Number.NaN
    expect(guarded.step(bad)).toEqual({ moved: false, reason: "the gradient of 'fc.bias' is not finite" })
    expect(parameters.map((p) => p.values)).toEqual(before)
    expect(guarded.count).toBe(1)
    expect([...guarded.steps.values()].every((n) => n === 1)).toBe(true)
  })

  test('accumulating n gradients equals one step along their mean', () => {
    const [a, b] = [networkOf(6), networkOf(6)]
    const slow = optimizer([accumulate(3), ...adam().links]).start(a)
    const plain = adam().start(b)
    for (let t = 0; t < 6; t += 3) {
      const three = [1, 2, 3].map((k) => gradientsFor(a, t + k))
      const results = three.map((g) => slow.step(g).moved)
      expect(results).toEqual([false, false, true])
      const mean = new Map(
        [...three[0]!].map(([name, g]) => {
          const sum = g.map((x, i) => Math.fround(x + three[1]!.get(name)![i]!))
          return [name, sum.map((x, i) => Math.fround(x + three[2]!.get(name)![i]!) / 3)]
        }),
      )
      plain.step(mean)
    }
    expect(a.map((p) => p.values)).toEqual(b.map((p) => p.values))
    expect(slow.count).toBe(2)
  })

  test('clipping by norm looks at all parameters together', () => {
    const [a, b] = [
      { ...vector([0]), name: 'a' },
      { ...vector([0]), name: 'b' },
    ]
    optimizer([clipNorm(1)], { lr: 1 })
      .start([a, b])
      .step(
        new Map([
          ['a', Float32Array.of(3)],
          ['b', Float32Array.of(4)],
        ]),
      )
    expect(a.values[0]).toBeCloseTo(-0.6, 6)
    expect(b.values[0]).toBeCloseTo(-0.8, 6)
  })
})

describe('evaluation weights', () => {
  test('are the slow ones, and asking for them changes nothing', () => {
    const [a, b] = [networkOf(7), networkOf(7)]
    const [asked, plain] = [ranger({ k: 4 }).start(a), ranger({ k: 4 }).start(b)]
    const first = a.map((p) => p.values.slice())
    for (let t = 1; t <= 3; t++) {
      asked.step(gradientsFor(a, t))
      plain.step(gradientsFor(b, t))
      expect([...asked.evaluationWeights()!.values()]).toEqual(first)
    }
    expect(a.map((p) => p.values)).toEqual(b.map((p) => p.values))
  })

  test('are where training ends when told to', () => {
    const parameters = networkOf(8)
    const running = ranger().start(parameters)
    for (let t = 1; t <= 8; t++) running.step(gradientsFor(parameters, t))
    const slow = running.evaluationWeights()!
    running.finish()
    for (const p of parameters) expect(p.values).toEqual(slow.get(p.name))
  })

  test('do not exist for a plain optimizer', () => {
    expect(adam().start(networkOf(1)).evaluationWeights()).toBeUndefined()
  })
})

test('links tell what they do only when somebody listens', () => {
  const parameters = networkOf(9)
  const events: OptimizerEvent[] = []
  const recipe = optimizer([centralize(), ...ranger({ gc: false }).links, momentum(), weightDecay(), lookahead()])
  const running = recipe.start(parameters, { onEvent: (event) => events.push(event) })
  for (let t = 1; t <= 6; t++) running.step(gradientsFor(parameters, t))
  const kinds = new Set(events.map(({ type }) => type))
  expect(kinds).toEqual(new Set(['centralization', 'rectification', 'update', 'lookahead']))
  const factors = events.flatMap((e) => (e.type === 'rectification' && e.parameter === 'fc.bias' ? [e.mode] : []))
  expect(factors).toEqual(['sgd', 'sgd', 'sgd', 'sgd', 'sgd', 'adaptive'])
  const shares = events.flatMap((e) => (e.type === 'centralization' ? [e.share] : []))
  expect(shares.every((share) => share > 0 && share < 1)).toBe(true)
})
