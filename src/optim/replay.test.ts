import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { decodeSafetensors } from '../formats/index.ts'
import { decodeTrace, recipeFor, replay } from './replay/index.ts'

const folder = '../shared/fixtures/optimizer-traces'
const names = readdirSync(folder).filter((name) => name.endsWith('.safetensors'))
const load = (name: string) => decodeTrace(decodeSafetensors(readFileSync(`${folder}/${name}`)), name)
const tolerance = (name: string) => (/^(muon|prodigy)/.test(name) ? 5e-5 : 2e-6)

describe('every recorded trace is replayed from its source and options', () => {
  test('all 38 are there', () => expect(names).toHaveLength(38))

  test.each(names.filter((name) => !name.startsWith('soap')))('%s', (name) => {
    const trace = load(name)
    const { errors, evaluation, worst } = replay(trace)
    expect(errors).toHaveLength(trace.steps.length * trace.parameters.length)
    expect(evaluation).toHaveLength(trace.evaluation.size)
    expect(worst).toBeLessThan(tolerance(name))
  })

  /**
   * SOAP's first basis is that of G Gᵀ of one gradient. For the 5×7 matrix that has rank 5: its null space is a plane, and
   * which two axes of it an eigensolver returns is its rounding noise. All else is determined.
   */
  test('soap.safetensors, but for the matrix whose first basis is not determined', () => {
    const trace = load('soap.safetensors')
    const determined = replay(trace).errors.filter(({ parameter }) => parameter !== 'fc.weight')
    expect(determined).toHaveLength(20 * 4)
    expect(Math.max(...determined.map(({ error }) => error))).toBeLessThan(5e-5)
  })

  test("soap.safetensors, that matrix too once the one free angle is that of the source's eigensolver", () => {
    const trace = load('soap.safetensors')
    const errorsAt = (angle: number) => {
      const parameters = trace.parameters.map((p) => ({ ...p, values: p.values.slice() }))
      const running = recipeFor(trace.source, trace.options).start(parameters)
      const matrix = parameters.find(({ name }) => name === 'fc.weight')!
      return trace.steps.map(({ gradients, weights }, t) => {
        running.step(gradients)
        if (t === 0) rotateLastTwo(running.links[0]!.slots.get('fc.weight')!.basis1!, 7, angle)
        return distance(matrix.values, weights.get('fc.weight')!)
      })
    }
    // The angle is fitted to step 2 alone; the 18 steps after it are the proof.
    let best = { angle: 0, error: Number.POSITIVE_INFINITY }
    for (let width = Math.PI / 2, n = 0; n < 9; width /= 8, n++)
      for (const angle of Array.from({ length: 33 }, (_, i) => best.angle + ((i - 16) / 16) * width)) {
        const error = errorsAt(angle)[1]!
        if (error < best.error) best = { angle, error }
      }
    expect(Math.max(...errorsAt(best.angle))).toBeLessThan(5e-5)
  })
})

const rotateLastTwo = (basis: Float32Array | Float64Array, n: number, angle: number) => {
  const [c, s] = [Math.cos(angle), Math.sin(angle)]
  for (let row = 0; row < n; row++) {
    const [a, b] = [basis[row * n + n - 2]!, basis[row * n + n - 1]!]
    basis[row * n + n - 2] = c * a - s * b
    basis[row * n + n - 1] = s * a + c * b
  }
}

const distance = (values: Float32Array, reference: Float32Array) =>
  Math.sqrt(
    values.reduce((sum, x, i) => sum + (x - reference[i]!) ** 2, 0) / reference.reduce((sum, x) => sum + x * x, 0),
  )

describe('a source that is not known', () => {
  test('is named', () => expect(() => recipeFor('somebody/else Foo', {})).toThrow(/source 'somebody\/else Foo'/))
  test('of a known family lists what is', () =>
    expect(() => recipeFor('torch.optim.LBFGS 1.13', {})).toThrow(/torch.optim.LBFGS.*known are SGD, Adam/))
  test('option is named', () =>
    expect(() => recipeFor('torch.optim.Adam 1.13', { lr: 1, warp: 2 })).toThrow(/no translation of warp/))
  test('option of a wrong kind is named', () =>
    expect(() => recipeFor('torch.optim.Adam 1.13', { betas: 0.9 })).toThrow(/betas = 0.9 is not a list/))
})
