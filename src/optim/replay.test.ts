import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { decodeSafetensors } from '../formats/index.ts'
import { fixture } from '../testing/fixtures.ts'
import { decodeTrace, recipeFor, replay } from './replay/index.ts'

const folder = fixture('optimizer-traces')
const names = readdirSync(folder).filter((name) => name.endsWith('.safetensors'))
const load = (name: string) => decodeTrace(decodeSafetensors(readFileSync(`${folder}/${name}`)), name)
const tolerance = (name: string) => (/^(muon|prodigy|soap)/.test(name) ? 5e-5 : 2e-6)

describe('every recorded trace is replayed from its source and options', () => {
  test('all 38 are there', () => expect(names).toHaveLength(38))

  test.each(names)('%s', (name) => {
    const trace = load(name)
    const { errors, evaluation, worst } = replay(trace)
    expect(errors).toHaveLength(trace.steps.length * trace.parameters.length)
    expect(evaluation).toHaveLength(trace.evaluation.size)
    expect(worst).toBeLessThan(tolerance(name))
  })
})

describe('a source that is not known', () => {
  test('is named', () => expect(() => recipeFor('somebody/else Foo', {})).toThrow(/source 'somebody\/else Foo'/))
  test('of a known family lists what is', () =>
    expect(() => recipeFor('torch.optim.LBFGS 1.13', {})).toThrow(/torch.optim.LBFGS.*known are SGD, Adam/))
  test('option is named', () =>
    expect(() => recipeFor('torch.optim.Adam 1.13', { lr: 1, warp: 2 })).toThrow(/no translation of warp/))
  test('option of a wrong kind is named', () =>
    expect(() => recipeFor('torch.optim.Adam 1.13', { betas: 0.9 })).toThrow(/betas = 0.9 is not a list/))
})
