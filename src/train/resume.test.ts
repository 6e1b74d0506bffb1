import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Dataset, randomShift } from '../data/index.ts'
import { encodeModel, type Model } from '../onnx/index.ts'
import { optimizerNamed, parseSchedule } from '../optim/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { loadCheckpoint, saveCheckpoint } from './folder.ts'
import { bitsOf, smallCnn, smallDigits, smallResnet } from './testing/samples.ts'
import { type TrainResult, type TrainState, train } from './trainer.ts'

/** A run as a script would start it twice: everything about it is made anew each time. */
type Run = {
  optimizer: string
  network: 'cnn' | 'resnet'
  augment: boolean
  batch: number
  epochs: number
  seed: number
}

const samples = 70
let data: Dataset
let folder: string

beforeAll(async () => {
  data = await smallDigits(samples)
  folder = await mkdtemp(join(tmpdir(), 'espalier-resume-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const modelOf = ({ network, seed }: Run): Model => (network === 'cnn' ? smallCnn(seed) : smallResnet(seed))
const settings = { test: 'resume' }

/** Through the files of a checkpoint and back. */
const throughFiles = async (state: TrainState, model: Model): Promise<TrainState> => {
  await saveCheckpoint(folder, state, model, settings)
  const found = await loadCheckpoint(folder, settings)
  if (!found) throw new Error('the checkpoint was not found')
  return found
}

const start = (run: Run, more: { resume?: TrainState; save?: (state: TrainState) => Promise<string> } = {}) => {
  const { optimizer, augment, batch, epochs, seed } = run
  const stepsPerEpoch = Math.ceil(samples / batch)
  return train(modelOf(run), {
    runtime: nodeRuntime,
    threads: 1,
    data,
    batch,
    epochs,
    seed,
    checkpointEvery: 1,
    recipe: optimizerNamed(optimizer, {
      lr: 3e-3,
      schedule: parseSchedule('warmup:2+cosine', { steps: Math.ceil(epochs * stepsPerEpoch), stepsPerEpoch }),
    }),
    ...(augment && { augment: { with: randomShift(1), seed } }),
    ...more,
  })
}

/** What must not depend on where a run was cut. */
const outcome = ({ model, state, loss }: TrainResult) => ({
  loss,
  step: state.step,
  weights: bitsOf(state.weights),
  batches: state.batches,
  optimizer: state.optimizer.scalars,
  model: Buffer.from(encodeModel(model)).toString('base64'),
})

/** Every checkpoint of an unbroken run, its end, and what is left of a run from each of them. */
const resumesFromEverywhere = async (run: Run, stops: 'all' | number) => {
  const states: TrainState[] = []
  const whole = outcome(await start(run, { save: async (state) => `${states.push(state)}` }))
  expect(states.map(({ step }) => step)).toEqual(Array.from({ length: whole.step }, (_, i) => i + 1))
  for (const state of stops === 'all' ? states : [states[stops % states.length]!]) {
    const resume = await throughFiles(state, modelOf(run))
    const rest = await start(run, { resume })
    expect(outcome(rest), `resumed at step ${state.step} of ${JSON.stringify(run)}`).toEqual(whole)
  }
}

describe('a run resumed from a checkpoint ends on the same weights to the last bit', () => {
  test.each(['ranger', 'adamw', 'schedule-free-adamw', 'muon'])('%s, from every step', async (optimizer) => {
    // Eight steps: past Lookahead's k, through an epoch's smaller last batch and one shuffle.
    await resumesFromEverywhere({ optimizer, network: 'cnn', augment: false, batch: 20, epochs: 2, seed: 3 }, 'all')
  })

  test('with batch normalization and changed images, from every step', async () => {
    await resumesFromEverywhere(
      { optimizer: 'ranger', network: 'resnet', augment: true, batch: 32, epochs: 2.4, seed: 5 },
      'all',
    )
  })

  test('whatever the run and wherever it stops', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          optimizer: fc.constantFrom('ranger', 'adamw', 'schedule-free-adamw', 'muon', 'sgd', 'lion'),
          network: fc.constantFrom('cnn' as const, 'resnet' as const),
          augment: fc.boolean(),
          batch: fc.integer({ min: 9, max: 80 }),
          epochs: fc.constantFrom(0.5, 1, 2),
          seed: fc.nat(1000),
        }),
        fc.nat(100),
        (run, stop) => resumesFromEverywhere(run, stop),
      ),
      { numRuns: 12 },
    )
  })

  test('twice broken is no worse than once', async () => {
    const run: Run = { optimizer: 'ranger', network: 'cnn', augment: true, batch: 16, epochs: 2, seed: 1 }
    const whole = outcome(await start(run))
    let state: TrainState | undefined
    for (const stop of [2, 5, 6, 9]) {
      const cut = new Error('killed')
      await start(run, {
        ...(state && { resume: state }),
        save: async (reached) => {
          if (reached.step < stop) return ''
          state = await throughFiles(reached, modelOf(run))
          throw cut
        },
      }).catch((error: unknown) => expect(error).toBe(cut))
    }
    expect(state?.step).toBe(9)
    expect(outcome(await start(run, { resume: state! }))).toEqual(whole)
  })
})

test('a checkpoint of a run that was done is its end: nothing is trained or saved again', async () => {
  const run: Run = { optimizer: 'adamw', network: 'cnn', augment: false, batch: 20, epochs: 1, seed: 3 }
  const saved: number[] = []
  const whole = await start(run)
  const resume = await throughFiles(whole.state, modelOf(run))
  const before = await readFile(join(folder, 'checkpoint.json'))
  const again = await start(run, { resume, save: async ({ step }) => `${saved.push(step)}` })
  expect(outcome(again)).toEqual(outcome(whole))
  expect(saved).toEqual([])
  expect(await readFile(join(folder, 'checkpoint.json'))).toEqual(before)
})
