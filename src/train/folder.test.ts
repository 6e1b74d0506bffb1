import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FormatError, UsageError } from '../base/index.ts'
import { adamw } from '../optim/index.ts'
import { nodeRuntime } from '../runtime/node.ts'
import { type Checkpoint, loadCheckpoint, openJournal, saveCheckpoint } from './folder.ts'
import { bitsOf, smallCnn, smallDigits } from './testing/samples.ts'
import { type TrainState, train } from './trainer.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-folder-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const model = smallCnn()
const settings = { model: 'abc', lr: 0.1, teacher: null }

const stateAfter = async (epochs: number): Promise<TrainState> =>
  (
    await train(model, {
      runtime: nodeRuntime,
      threads: 1,
      data: await smallDigits(40),
      batch: 10,
      epochs,
      recipe: adamw({ lr: 1e-2 }),
    })
  ).state

const checkpointOf = async (): Promise<Checkpoint> =>
  JSON.parse(await readFile(join(folder, 'checkpoint.json'), 'utf8'))

describe('a checkpoint', () => {
  test('comes back as it was', async () => {
    const state = await stateAfter(0.75)
    const path = await saveCheckpoint(folder, state, model, settings)
    expect(path).toBe(join(folder, 'checkpoint.json'))
    const back = await loadCheckpoint(folder, settings)
    expect(back).toMatchObject({ step: 3, loss: state.loss, batches: state.batches })
    expect(bitsOf(back!.weights)).toEqual(bitsOf(state.weights))
    expect(back!.optimizer.scalars).toEqual(state.optimizer.scalars)
    expect([...back!.optimizer.tensors.keys()].sort()).toEqual([...state.optimizer.tensors.keys()].sort())
  })

  test('of a folder without one is none, and of a folder that is not there', async () => {
    expect(await loadCheckpoint(folder, settings)).toBeUndefined()
    expect(await loadCheckpoint(join(folder, 'nowhere'), settings)).toBeUndefined()
  })

  test('takes the place of the one before, and of what a kill left half written; other files stay', async () => {
    await writeFile(join(folder, 'checkpoint-0000001.safetensors.123.0a1b2c3d.tmp'), 'half')
    await writeFile(join(folder, 'checkpoint-notes.txt'), 'mine')
    await saveCheckpoint(folder, await stateAfter(0.5), model, settings)
    await saveCheckpoint(folder, await stateAfter(0.75), model, settings)
    expect((await readdir(folder)).sort()).toEqual([
      'checkpoint-0000003.safetensors',
      'checkpoint-notes.txt',
      'checkpoint.json',
    ])
  })

  test('dying between the tensors and the document leaves the one before whole', async () => {
    await saveCheckpoint(folder, await stateAfter(0.5), model, settings)
    // The later tensors are there, the document still names the earlier ones.
    await writeFile(join(folder, 'checkpoint-0000003.safetensors'), 'whatever')
    expect((await loadCheckpoint(folder, settings))?.step).toBe(2)
  })

  test.each([
    ['other', { ...settings, lr: 0.2 }, 'started with lr 0.1, not 0.2'],
    ['new', { ...settings, batch: 50 }, 'started with batch undefined, not 50'],
    ['null', { ...settings, teacher: 't.onnx' }, 'started with teacher null, not t.onnx'],
  ])('refuses %s settings', async (_, asked, text) => {
    await saveCheckpoint(folder, await stateAfter(0.5), model, settings)
    const error: unknown = await loadCheckpoint(folder, asked).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(UsageError)
    expect(String(error)).toContain(text)
    expect(String(error)).toContain(join(folder, 'checkpoint.json'))
  })

  const damages: [string, (checkpoint: Checkpoint) => Promise<void> | void][] = [
    ['a tensor file that is gone', (c) => rm(join(folder, c.tensors))],
    [
      'a flipped bit in the tensors',
      async (c) => {
        const bytes = await readFile(join(folder, c.tensors))
        bytes[bytes.length - 5]! ^= 1
        await writeFile(join(folder, c.tensors), bytes)
      },
    ],
    [
      'tensors cut short',
      async (c) => {
        const bytes = await readFile(join(folder, c.tensors))
        await writeFile(join(folder, c.tensors), bytes.subarray(0, -100))
      },
    ],
  ]
  test.each(damages)('is refused for %s', async (_, damage) => {
    await saveCheckpoint(folder, await stateAfter(0.5), model, settings)
    const checkpoint = await checkpointOf()
    await damage(checkpoint)
    const error: unknown = await loadCheckpoint(folder, settings).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(FormatError)
    expect(String(error)).toContain(checkpoint.tensors)
  })

  test.each([
    ['cut short', (text: string) => text.slice(0, 50)],
    ['empty', () => ''],
    ['no document', () => '[1, 2]'],
    ['null', () => 'null'],
    ['of another format', (text: string) => text.replace('espalier-checkpoint/1', 'espalier-checkpoint/9')],
    ['without settings', (text: string) => text.replace('"settings"', '"was"')],
    ['without the place in the data', (text: string) => text.replace('"batches"', '"was"')],
    ['without the optimizer', (text: string) => text.replace('"optimizer"', '"was"')],
    ['with a path out of the folder', (text: string) => text.replace('"tensors": "', '"tensors": "../')],
    ['with half a step', (text: string) => text.replace('"step": 2', '"step": 2.5')],
  ])('whose document is %s is refused', async (_, damage) => {
    await saveCheckpoint(folder, await stateAfter(0.5), model, settings)
    const path = join(folder, 'checkpoint.json')
    await writeFile(path, damage(await readFile(path, 'utf8')))
    const error: unknown = await loadCheckpoint(folder, settings).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(FormatError)
    expect(String(error)).toContain(path)
  })
})

describe('a journal', () => {
  const path = () => join(folder, 'metrics.jsonl')
  const lines = async () =>
    (await readFile(path(), 'utf8'))
      .split('\n')
      .filter((line) => line !== '')
      .map((line): { step: number } => JSON.parse(line))

  test('keeps lines in order however fast they come', async () => {
    const journal = openJournal(path())
    for (let step = 1; step <= 500; step++) {
      journal.write({ step })
      if (step % 100 === 0) await journal.flush()
    }
    await journal.flush()
    expect((await lines()).map(({ step }) => step)).toEqual(Array.from({ length: 500 }, (_, i) => i + 1))
    await journal.close()
  })

  test('leaves the file alone until there is a line to write', async () => {
    await writeFile(path(), '{"step":1}\n')
    const journal = openJournal(path())
    await journal.close()
    expect(await readFile(path(), 'utf8')).toBe('{"step":1}\n')
  })

  test('resumed, it forgets what came after the step, and a line a kill cut short', async () => {
    await writeFile(path(), '{"step":1}\n{"step":2,"loss":1}\n{"step":3}\n{"step":2,"late":true}\n{"step":4,"lo')
    const journal = openJournal(path(), 2)
    journal.write({ step: 3 })
    await journal.close()
    expect(await lines()).toEqual([{ step: 1 }, { step: 2, loss: 1 }, { step: 2, late: true }, { step: 3 }])
  })

  test('a new run starts it anew', async () => {
    await writeFile(path(), '{"step":9}\n')
    const journal = openJournal(path())
    journal.write({ step: 1 })
    await journal.close()
    expect(await lines()).toEqual([{ step: 1 }])
  })

  test('says when a line could not be written', async () => {
    await mkdir(path())
    const journal = openJournal(path())
    journal.write({ step: 1 })
    await expect(journal.flush()).rejects.toThrow(`file '${path()}': cannot write: it is a folder`)
    await journal.close()
  })
})
