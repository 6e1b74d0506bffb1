import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { decodeSafetensors } from '../formats/index.ts'
import { decodeTrace, replay } from './replay/index.ts'

const folder = '../shared/fixtures/optimizer-traces'
const names = readdirSync(folder).filter((name) => name.endsWith('.safetensors'))
const tolerance = (name: string) => (/^(muon|soap|prodigy)/.test(name) ? 5e-5 : 2e-6)

describe('every recorded trace is replayed from its source and options', () => {
  test('all 38 are there', () => expect(names).toHaveLength(38))

  test.each(names)('%s', (name) => {
    const trace = decodeTrace(decodeSafetensors(readFileSync(`${folder}/${name}`)), name)
    const { errors, evaluation, worst } = replay(trace)
    expect(errors).toHaveLength(trace.steps.length * trace.parameters.length)
    expect(evaluation).toHaveLength(trace.evaluation.size)
    expect(worst).toBeLessThan(tolerance(name))
  })
})
