import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { random, sizeOf } from '../base/index.ts'
import {
  accumulate,
  adamScaling,
  centralize,
  clipNorm,
  clipTensorNorm,
  clipValue,
  lookahead,
  momentum,
  radamScaling,
  skipNotFinite,
  weightDecay,
} from './links/index.ts'
import { eachRun, unitsOf } from './links/units.ts'
import { pieceLength } from './loops/index.ts'
import { optimizer, type Recipe } from './optimizer.ts'
import { optimizers, presetOf, ranger } from './presets/index.ts'
import { stateOf } from './state.ts'
import type { Link, Parameter, Role } from './types.ts'

type Shape = { role: Role; dims: readonly number[]; groups?: number }

const normal = (() => {
  const source = random(1)
  return Float32Array.from({ length: 100_003 }, () => source.normal() / 10)
})()

/** Numbers of the normal distribution, others for each seed. */
const filled = (length: number, seed: number): Float32Array => {
  const start = (7919 * seed) % (normal.length - length)
  return normal.slice(start, start + length)
}
const parametersOf = (shapes: readonly Shape[]): Parameter[] =>
  shapes.map((shape, i) => ({ name: `p${i}`, ...shape, values: filled(sizeOf(shape.dims), i) }))

/** Longer than a piece, by whole runs or not. */
const shapes: readonly Shape[] = [
  { role: 'dense', dims: [150, 257] },
  { role: 'conv', dims: [9, 500, 3, 3] },
  { role: 'dense-in-out', dims: [201, 200] },
  { role: 'conv-transpose', dims: [6, 50, 11, 11], groups: 2 },
  { role: 'dense', dims: [2, pieceLength + 5] },
  { role: 'vector', dims: [2 * pieceLength + 3] },
  { role: 'embedding', dims: [7, 13] },
]

/** Weights, evaluation weights and state after some steps: whole, where somebody listens, or in pieces. */
const trained = (recipe: Recipe, of: readonly Shape[], steps: number, whole: boolean) => {
  const parameters = parametersOf(of)
  const running = recipe.start(parameters, whole ? { onEvent: () => {} } : {})
  for (let t = 1; t <= steps; t++)
    running.step(new Map(parameters.map((p, i) => [p.name, filled(p.values.length, 100 * t + i)])))
  const state = [...stateOf(running).tensors].map(([key, { bytes }]): [string, Uint8Array] => [key, bytes])
  const weights = parameters.map(({ name, values }): [string, Uint8Array] => [name, new Uint8Array(values.buffer)])
  return new Map([...weights, ...state])
}

/** Names of what differs in any bit. */
const differences = (a: ReadonlyMap<string, Uint8Array>, b: ReadonlyMap<string, Uint8Array>) =>
  [...a].flatMap(([name, bytes]) => (Buffer.compare(bytes, b.get(name) ?? new Uint8Array()) === 0 ? [] : [name]))

describe('parameters taken in pieces move as whole ones do, to the last bit', () => {
  const inPieces = Object.keys(optimizers).filter((name) =>
    presetOf(name)
      .make({})
      .links.every(({ grain }) => grain),
  )

  test('many presets can be', () =>
    expect(inPieces).toEqual(expect.arrayContaining(['sgd', 'adam', 'adamw', 'radam', 'ranger', 'lion', 'adopt'])))

  test.each(inPieces)('under %s', (name) => {
    const recipe = presetOf(name).make({
      lr: 0.01,
      ...('weightDecay' in presetOf(name).options && { weightDecay: 0.1 }),
    })
    expect(differences(trained(recipe, shapes, 7, false), trained(recipe, shapes, 7, true))).toEqual([])
  })

  const links = fc.constantFrom<() => Link>(
    () => centralize(),
    () => radamScaling({ warmup: 'skip' }),
    () => adamScaling({ amsgrad: true }),
    () => momentum({ nesterov: true }),
    () => weightDecay({ weightDecay: 0.1 }),
    () => weightDecay({ weightDecay: 0.1, decay: 'after' }),
    () => weightDecay({ weightDecay: 0.1, decay: 'scaled' }),
    () => lookahead({ k: 2, outer: 'nesterov' }),
    () => lookahead({ k: 2, pullback: 'average' }),
    () => clipValue(0.1),
    () => clipNorm(1),
    () => clipTensorNorm(1),
    () => accumulate(2),
    () => skipNotFinite,
  )
  test('under any chain', () => {
    const few = fc.shuffledSubarray([...shapes], { minLength: 1, maxLength: 2 })
    fc.assert(
      fc.property(fc.array(links, { maxLength: 5 }), few, (chain, of) => {
        const recipe = optimizer(
          chain.map((make) => make()),
          { lr: 0.01 },
        )
        expect(differences(trained(recipe, of, 4, false), trained(recipe, of, 4, true))).toEqual([])
      }),
      { numRuns: 50 },
    )
  })
})

describe('without WASM', () => {
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.resetModules()
  })

  test('Ranger moves the same, to the last bit', async () => {
    const small = shapes.slice(0, 6)
    const fast = trained(ranger(), small, 7, false)
    vi.stubGlobal('WebAssembly', undefined)
    vi.resetModules()
    const plain = await import('./presets/index.ts')
    expect(differences(trained(plain.ranger(), small, 7, false), fast)).toEqual([])
  })
})

test('centralization takes from each output unit its mean, whatever the role and shape', () => {
  const dimensions = (rank: number) => fc.array(fc.integer({ min: 1, max: 9 }), { minLength: rank, maxLength: rank })
  const shape = fc.oneof(
    fc.record({ role: fc.constantFrom<Role>('conv', 'dense', 'dense-in-out'), dims: dimensions(2) }),
    fc.record({ role: fc.constantFrom<Role>('dense', 'dense-in-out', 'conv', 'other'), dims: dimensions(3) }),
    dimensions(4).map(([a = 1, ...rest]): Shape => ({ role: 'conv-transpose', dims: [2 * a, ...rest], groups: 2 })),
  )
  fc.assert(
    fc.property(shape, fc.nat(1000), (given, seed) => {
      const [p] = parametersOf([given])
      const gradient = filled(p!.values.length, seed)
      p!.values.fill(0)
      optimizer([centralize()], { lr: 1 })
        .start([p!])
        .step(new Map([['p0', gradient]]))
      const units = unitsOf(p!)!
      const sums = new Map<number, { before: number; after: number; count: number }>()
      eachRun(units, (unit, start, end) => {
        const sum = sums.get(unit) ?? { before: 0, after: 0, count: 0 }
        for (let i = start; i < end; i++) {
          sum.before += gradient[i]!
          sum.after -= p!.values[i]!
          sum.count++
        }
        sums.set(unit, sum)
      })
      eachRun(units, (unit, start, end) => {
        const { before, after, count } = sums.get(unit)!
        expect(Math.abs(after)).toBeLessThan(1e-6 * count)
        for (let i = start; i < end; i++) expect(-p!.values[i]!).toBeCloseTo(gradient[i]! - before / count, 6)
      })
    }),
  )
})
