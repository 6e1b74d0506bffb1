import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeSafetensors, encodeSafetensors } from '../formats/index.ts'
import { accumulate, lookahead, skipNotFinite } from './links/index.ts'
import { optimizer, type Recipe } from './optimizer.ts'
import { optimizers, presetOf, ranger, soap } from './presets/index.ts'
import { flatCosine } from './schedules.ts'
import { type OptimizerState, pruneState, restoreState, stateOf } from './state.ts'
import { gradientsFor, networkOf } from './testing/networks.ts'
import type { Parameter } from './types.ts'

const names = Object.keys(optimizers)

/** Through the file formats a checkpoint uses, and back. */
const throughFiles = ({ tensors, scalars }: OptimizerState): OptimizerState => ({
  tensors: decodeSafetensors(encodeSafetensors(tensors)).tensors,
  scalars: JSON.parse(JSON.stringify(scalars)),
})

const run = (recipe: Recipe, parameters: Parameter[], from: number, to: number, state?: OptimizerState) => {
  const running = recipe.start(parameters)
  if (state) restoreState(running, state)
  for (let t = from; t <= to; t++) {
    const gradients = gradientsFor(parameters, t)
    if (t % 5 === 0) gradients.get('fc.bias')![0] = Number.POSITIVE_INFINITY
    running.step(gradients)
  }
  return running
}

/** Trains on without a stop, and with a stop at a step through files: the weights must be the same to the last bit. */
const resumesAt = (recipe: Recipe, stop: number, total: number) => {
  const whole = networkOf(1)
  const first = run(recipe, whole, 1, total)
  const half = networkOf(1)
  const state = throughFiles(stateOf(run(recipe, half, 1, stop)))
  const rest = half.map((p) => ({ ...p, values: p.values.slice() }))
  const second = run(recipe, rest, stop + 1, total, state)
  expect(rest.map((p) => p.values)).toEqual(whole.map((p) => p.values))
  expect(second.evaluationWeights()).toEqual(first.evaluationWeights())
  expect(stateOf(second)).toEqual(stateOf(first))
}

describe('resuming is exact to the last bit', () => {
  test('for every preset, from any step, with schedule, skipped steps, accumulation and Lookahead around it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.integer({ min: 0, max: 20 }),
        fc.constantFrom(1, 2, 3),
        fc.constantFrom(0, 4, 7),
        (name, stop, every, k) => {
          const { links } = presetOf(name).make({})
          const chain = [
            skipNotFinite,
            ...(every > 1 ? [accumulate(every)] : []),
            ...links,
            ...(k ? [lookahead({ k })] : []),
          ]
          resumesAt(optimizer(chain, { lr: 0.01, schedule: flatCosine(20) }), stop, 21)
        },
      ),
      { numRuns: 120 },
    )
  })

  test.each(names)('%s from the middle of everything', (name) => resumesAt(presetOf(name).make({}), 11, 16))
})

describe('a state that does not fit is refused', () => {
  const state = stateOf(run(ranger(), networkOf(1), 1, 3))

  test('from another optimizer', () => {
    expect(() => restoreState(presetOf('adam').make({}).start(networkOf(1)), state)).toThrow(/links radam, centralize/)
  })

  test('with a parameter missing, named', () => {
    const tensors = new Map(state.tensors)
    tensors.delete('radam:momentum:fc.bias')
    expect(() => restoreState(ranger().start(networkOf(1)), { ...state, tensors })).toThrow(/'fc.bias'.*missing/)
  })

  test('of another shape, and nothing is changed', () => {
    const [first, ...others] = networkOf(1)
    const wider = { ...first!, dims: [8, 3, 3, 3], values: new Float32Array(8 * 27) }
    const running = ranger().start([wider, ...others])
    expect(() => restoreState(running, state)).toThrow(/conv.weight.*has shape \[4, 3, 3, 3\], not \[8, 3, 3, 3\]/)
    expect(running.count).toBe(0)
  })
})

describe("a pruned network's optimizer state", () => {
  const slices = { 'conv.weight': { 0: [0, 2, 3], 1: [0, 2] }, 'fc.bias': { 0: [1, 4] } }
  const keep = (p: Parameter): Parameter => {
    const { 0: rows = range(p.dims[0]!), 1: columns = range(p.dims[1] ?? 1) } =
      (slices as Record<string, Record<number, number[]>>)[p.name] ?? {}
    const inner = p.dims.slice(2).reduce((n, d) => n * d, 1)
    const width = p.dims[1] ?? 1
    const values = rows.flatMap((r) =>
      columns.flatMap((c) => [...p.values.subarray((r * width + c) * inner, (r * width + c + 1) * inner)]),
    )
    const dims = p.dims.length === 1 ? [rows.length] : [rows.length, columns.length, ...p.dims.slice(2)]
    return { ...p, dims, values: Float32Array.from(values) }
  }
  const range = (n: number) => Array.from({ length: n }, (_, i) => i)
  const withoutUnits = (name: string) => ('gc' in presetOf(name).options ? { gc: false } : {})
  const big = networkOf(1)[0]!

  /** Elements go their own ways under these: centralization, norms and matrices ask for whole tensors. */
  const elementwise = names.filter((name) =>
    presetOf(name)
      .make(withoutUnits(name))
      .links.every(({ grain }) => grain?.(big) === 1),
  )

  test('there are many that work element by element', () => {
    expect(elementwise).toEqual(expect.arrayContaining(['sgd', 'adam', 'radam', 'ranger', 'adabelief', 'lion', 'adan']))
  })

  test.each(elementwise)('keeps what its parameters keep: under %s the same as if the rest had never been', (name) => {
    const recipe = presetOf(name).make(withoutUnits(name))
    const whole = networkOf(1)
    const running = run(recipe, whole, 1, 4)
    const small = whole.map(keep)
    const pruned = recipe.start(small)
    restoreState(pruned, pruneState(throughFiles(stateOf(running)), slices))
    // Through a meeting of Lookahead.
    for (let t = 6; t <= 9; t++) {
      const gradients = gradientsFor(whole, t)
      running.step(gradients)
      pruned.step(new Map(whole.map((p) => [p.name, keep({ ...p, values: gradients.get(p.name)! }).values])))
    }
    expect(small.map((p) => p.values)).toEqual(whole.map((p) => keep(p).values))
    const averaged = running.evaluationWeights()
    expect(pruned.evaluationWeights()).toEqual(
      averaged && new Map(whole.map((p) => [p.name, keep({ ...p, values: averaged.get(p.name)! }).values])),
    )
  })

  test('goes on with fresh bases where they have lost their meaning', () => {
    const whole = networkOf(1)
    const state = pruneState(stateOf(run(soap(), whole, 1, 12)), slices)
    const small = whole.map(keep)
    const running = soap().start(small)
    restoreState(running, state)
    running.step(gradientsFor(small, 13))
    const basis = running.links[0]!.slots.get('conv.weight')!.basis0!
    const gram = [0, 1, 2].map((i) => basis[i]! ** 2 + basis[3 + i]! ** 2 + basis[6 + i]! ** 2)
    for (const length of gram) expect(length).toBeCloseTo(1, 5)
    expect(small.every((p) => p.values.every(Number.isFinite))).toBe(true)
  })
})
