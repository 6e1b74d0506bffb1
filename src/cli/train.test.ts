import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { dataset } from '../data/index.ts'
import { readModel } from '../onnx/file.ts'
import { digits } from '../train/testing/samples.ts'
import { espalier, json, spawned, temporary, writeDigits, writeIdx, writeNetwork } from './testing/cli.ts'

let folder: string
const at = (...names: string[]) => join(folder, ...names)
const bytesOf = (...names: string[]) => readFile(at(...names))

/** Twelve steps of ten images: two rounds of Lookahead. */
const small = ['--data', 'idx:data', '--batch', '10', '--epochs', '1', '--threads', '1']

beforeAll(async () => {
  folder = await temporary()
  await writeDigits(folder)
  await writeNetwork(folder, 'lenet-300-100', 4)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const lines = async (...names: string[]): Promise<{ type: string; step: number; loss: number; accuracy?: number }[]> =>
  (await bytesOf(...names))
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

describe('a run', () => {
  test('prints as the article does, and leaves a model, its metrics and a checkpoint', async () => {
    const args = ['train', 'lenet-300-100', ...small, '--evaluate-every', '5', '--out', 'run']
    const { code, stdout, stderr } = await espalier(folder, args)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('training 6 tensors of lenet-300-100, 266 610 weights in 3 layers:')
    expect(stdout).toContain('  fc2  Gemm: weight [100, 300], bias [100]')
    expect(stdout).toContain('120 samples to train on, 40 to test on; channels first, value / 255')
    expect(stdout).toMatch(/^Epoch: 0 \| step 5 \| train loss: \d\.\d{4} \| test accuracy: \d+\.\d\d %$/m)
    expect(stdout).toMatch(/^run\/model\.onnx: 12 steps, test accuracy \d+\.\d\d % on 40 samples$/m)
    expect((await readdir(at('run'))).sort()).toEqual([
      'checkpoint-0000012.safetensors',
      'checkpoint.json',
      'metrics.jsonl',
      'model.onnx',
      'report.html',
      'run.json',
    ])
    const page = (await bytesOf('run', 'report.html')).toString()
    expect(page).toMatch(/<h1>\d+\.\d\d\u202f% right after 12 steps<\/h1>/)
    expect(page.replace(/<[^>]*>/g, '')).toContain('lenet-300-100 --data idx:data --out run --batch 10 --threads 1')
    for (const title of ['Loss', 'Accuracy', 'Learning rate']) expect(page).toContain(`<figcaption>${title}`)
    const metrics = await lines('run', 'metrics.jsonl')
    expect(metrics.filter(({ type }) => type === 'step').map(({ step }) => step)).toEqual(
      Array.from({ length: 12 }, (_, i) => i + 1),
    )
    expect(metrics.filter(({ type }) => type === 'evaluation').map(({ step }) => step)).toEqual([5, 10, 12])
  })

  test('--json is one document; the same seed gives the same file, another seed another', async () => {
    const run = (out: string, ...more: string[]) =>
      json<{ model: string; steps: number; accuracy: number; settings: { lr: number } }>(folder, [
        ...['train', 'lenet-300-100', ...small, '--out', out],
        ...more,
      ])
    const document = await run('a')
    expect(document).toMatchObject({ model: 'a/model.onnx', steps: 12, settings: { lr: 1e-3, optimizer: 'ranger' } })
    expect(JSON.parse((await bytesOf('a', 'run.json')).toString())).toEqual(document)
    await run('b')
    expect((await bytesOf('a', 'model.onnx')).equals(await bytesOf('b', 'model.onnx'))).toBe(true)
    await run('c', '--seed', '1')
    expect((await bytesOf('a', 'model.onnx')).equals(await bytesOf('c', 'model.onnx'))).toBe(false)
  })

  test('starts from an ONNX file, freezes, and takes other optimizers, schedules and losses', async () => {
    const start = await readModel(at('lenet-300-100.onnx'))
    await json(folder, [
      ...['train', 'lenet-300-100.onnx', ...small, '--out', 'frozen', '--freeze', 'fc1*', '--freeze', 'fc2.bias'],
      ...['--optimizer', 'adamw', '--schedule', 'warmup:3+cosine', '--weight-decay', '0.01'],
    ])
    const end = await readModel(at('frozen', 'model.onnx'))
    const moved = [...start.graph.initializers].filter(
      ([name, { bytes }]) => Buffer.compare(bytes, end.graph.initializers.get(name)!.bytes) !== 0,
    )
    expect(moved.map(([name]) => name).sort()).toEqual(['fc2.weight', 'fc3.bias', 'fc3.weight'])

    const { loss } = await json<{ loss: number }>(folder, [
      ...[
        'train',
        'lenet-300-100.onnx',
        ...small,
        '--out',
        'mse',
        '--loss',
        'mse',
        '--optimizer',
        'sgd',
        '--lr',
        '0.1',
      ],
    ])
    expect(loss).toBeGreaterThan(0)
    expect(loss).toBeLessThan(0.12)
    await json(folder, ['train', 'lenet-300-100', ...small, '--out', 'taught', '--teacher', 'frozen/model.onnx'])
  })

  test('--resume goes on from a checkpoint to the very same model, metrics and document', async () => {
    const args = ['train', 'lenet-300-100', ...small, '--epochs', '2', '--checkpoint-every', '5', '--out']
    const whole = await json<object>(folder, [...args, 'whole'])
    // A disk that fills up stops the second run between two checkpoints.
    const { code, stderr } = await spawned(folder, [...args, 'cut'], { fileLimit: 2500 })
    expect(code, stderr).toBe(1)
    expect(stderr).toContain('cannot write')
    expect(await readdir(at('cut'))).not.toContain('model.onnx')
    const again = await json<object>(folder, [...args, 'cut', '--resume'])
    expect(again).toEqual({ ...whole, model: 'cut/model.onnx' })
    expect((await bytesOf('cut', 'model.onnx')).equals(await bytesOf('whole', 'model.onnx'))).toBe(true)

    // Once more, when everything is done: nothing changes.
    const metrics = await bytesOf('whole', 'metrics.jsonl')
    expect(await json<object>(folder, [...args, 'whole', '--resume'])).toEqual(whole)
    expect((await bytesOf('whole', 'metrics.jsonl')).equals(metrics)).toBe(true)
  })

  test('--resume where there is nothing to resume starts from the beginning', async () => {
    const { code, stdout } = await espalier(folder, ['train', 'lenet-300-100', ...small, '--out', 'fresh', '--resume'])
    expect(code).toBe(0)
    expect(stdout).toContain('no checkpoint in fresh: starting from the beginning')
  })
})

describe('a loss that is no number', () => {
  test('ends the run with the step and the last good checkpoint, which stays', async () => {
    const args = ['train', 'lenet-300-100', ...small, '--optimizer', 'sgd', '--checkpoint-every', '1', '--out', 'nan']
    const { code, stderr } = await espalier(folder, [...args, '--lr', '1e4', '--epochs', '3'])
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^espalier: the (loss is \S+ at|weights are no longer finite after) step \d+; use a smaller learning rate .*the last good checkpoint is nan\/checkpoint\.json\n$/,
    )
    const { step, tensors } = JSON.parse((await bytesOf('nan', 'checkpoint.json')).toString())
    const found = Number(/step (\d+)/.exec(stderr)?.[1])
    expect([found - 1, found - 2]).toContain(step)
    expect(await readdir(at('nan'))).toContain(tensors)
    expect(await readdir(at('nan'))).not.toContain('model.onnx')
    // Resuming comes to the same end.
    const again = await espalier(folder, [...args, '--lr', '1e4', '--epochs', '3', '--resume'])
    expect(again.code).toBe(1)
    expect(again.stderr).toContain(`step ${found}`)
  })
})

describe('what cannot be done', () => {
  beforeAll(async () => {
    await mkdir(at('old'))
    await writeFile(at('old', 'model.onnx'), 'old model')
    await writeFile(at('old', 'metrics.jsonl'), '{"step":1}\n')
    const some = await digits(24)
    const labels = Array.from({ length: 24 }, (_, i) => i % 12)
    await writeIdx(
      at('twelve'),
      { ...dataset({ ...some, labels, classes: 12, inputs: some.inputs.slice(0, 24 * 784) }) },
      12,
    )
    await mkdir(at('half'))
    await writeFile(
      at('half', 'train-images-idx3-ubyte'),
      (await bytesOf('data', 'train-images-idx3-ubyte')).subarray(0, 5000),
    )
    await writeFile(at('half', 'train-labels-idx1-ubyte'), await bytesOf('data', 'train-labels-idx1-ubyte'))
    await writeFile(at('half', 't10k-images-idx3-ubyte'), await bytesOf('data', 't10k-images-idx3-ubyte'))
    await writeFile(at('half', 't10k-labels-idx1-ubyte'), await bytesOf('data', 't10k-labels-idx1-ubyte'))
    await writeFile(at('table.csv'), 'a,b\n1,2\n')
  })

  test.each<[string, number, readonly string[], readonly string[]]>([
    ['no data', 2, ['lenet-300-100'], ['--data is missing', 'mnist']],
    ['data of no kind', 2, ['lenet-300-100', '--data', 'mnits'], ["'mnits' names no data", 'idx:DIR']],
    ['a folder that is not there', 1, ['lenet-300-100', '--data', 'idx:nowhere'], ["file 'nowhere'", 'cannot read']],
    ['a folder without images', 1, ['lenet-300-100', '--data', 'idx:old'], ["file 'old'", 'train images']],
    ['half a file of images', 1, ['lenet-300-100', '--data', 'idx:half'], ['half/train-images-idx3-ubyte']],
    ['a table without labels', 1, ['lenet-300-100', '--data', 'csv:table.csv'], ['table.csv']],
    ['an npz file that is not there', 1, ['lenet-300-100', '--data', 'npz:none.npz'], ['none.npz']],
    ['images of another size', 2, ['resnet-20', '--data', 'idx:data'], ['[1, 28, 28]', '[3, 32, 32]']],
    ['labels past the outputs', 2, ['lenet-300-100', '--data', 'idx:twelve'], ['12 classes', 'tells 10 apart']],
    ['a network there is not', 2, ['alexnet', '--data', 'idx:data'], ["'alexnet'", 'seed-cnn']],
    ['a rate that is no number', 2, ['lenet-300-100', '--data', 'idx:data', '--lr', 'NaN'], ['--lr NaN', 'number']],
    ['a rate below 0', 2, ['lenet-300-100', '--data', 'idx:data', '--lr=-1'], ['--lr -1', 'above 0']],
    ['an infinite rate', 2, ['lenet-300-100', '--data', 'idx:data', '--lr', 'Infinity'], ['--lr Infinity']],
    ['a flag without its value', 2, ['lenet-300-100', '--data', 'idx:data', '--lr'], ['--lr']],
    [
      'an optimizer there is not',
      2,
      ['lenet-300-100', '--data', 'idx:data', '--optimizer', 'best'],
      ['best', 'ranger'],
    ],
    ['a schedule there is not', 2, ['lenet-300-100', '--data', 'idx:data', '--schedule', 'wave'], ['wave', 'cosine']],
    ['a loss there is not', 2, ['lenet-300-100', '--data', 'idx:data', '--loss', 'hinge'], ['--loss hinge', 'mse']],
    ['a batch of none', 2, ['lenet-300-100', '--data', 'idx:data', '--batch', '0'], ['--batch 0', 'at least 1']],
    ['half a batch', 2, ['lenet-300-100', '--data', 'idx:data', '--batch', '2.5'], ['--batch 2.5', 'whole']],
    ['no epochs', 2, ['lenet-300-100', '--data', 'idx:data', '--epochs', '0'], ['--epochs 0', 'above 0']],
    ['freezing everything', 2, ['lenet-300-100', '--data', 'idx:data', '--freeze', '*'], ['nothing is left to train']],
    [
      'freezing what is not there',
      2,
      ['lenet-300-100', '--data', 'idx:data', '--freeze', 'conv1*'],
      ['conv1*', 'fc1.weight'],
    ],
    ['a teacher there is not', 1, ['lenet-300-100', '--data', 'idx:data', '--teacher', 'no.onnx'], ['no.onnx']],
    [
      'a teacher and another loss',
      2,
      ['lenet-300-100', '--data', 'idx:data', '--teacher', 'lenet-300-100.onnx', '--loss', 'mse'],
      ['--teacher', '--loss'],
    ],
    ['a flag of another command', 2, ['lenet-300-100', '--data', 'idx:data', '--ratio', '0.5'], ['--ratio']],
  ])('%s: one line, and what was in the folder stays', async (_, code, args, texts) => {
    const { code: found, stdout, stderr } = await espalier(folder, ['train', ...args, '--out', 'old', '--json'])
    expect(stderr.trim().split('\n'), stderr).toHaveLength(1)
    for (const text of texts) expect(stderr).toContain(text)
    expect(found, stderr).toBe(code)
    expect(stdout).toBe('')
    expect((await readdir(at('old'))).sort()).toEqual(['metrics.jsonl', 'model.onnx'])
    expect((await bytesOf('old', 'model.onnx')).toString()).toBe('old model')
    expect((await bytesOf('old', 'metrics.jsonl')).toString()).toBe('{"step":1}\n')
  })

  test('a file in place of the folder', async () => {
    for (const out of ['table.csv', 'table.csv/run']) {
      const { code, stderr } = await espalier(folder, ['train', 'lenet-300-100', ...small, '--out', out])
      expect([code, stderr.includes(out)], stderr).toEqual([1, true])
    }
    expect((await bytesOf('table.csv')).toString()).toBe('a,b\n1,2\n')
    expect((await espalier(folder, ['train', 'lenet-300-100', ...small])).stderr).toContain('--out is missing')
  })

  test('resuming with other settings, or a damaged checkpoint', async () => {
    const args = ['train', 'lenet-300-100', ...small, '--out', 'settled']
    await json(folder, args)
    const before = await bytesOf('settled', 'model.onnx')
    const resumed = async (code: number, more: readonly string[], ...texts: string[]) => {
      const found = await espalier(folder, [...args, '--resume', ...more])
      for (const text of texts) expect(found.stderr).toContain(text)
      expect(found.code).toBe(code)
      expect((await bytesOf('settled', 'model.onnx')).equals(before)).toBe(true)
    }
    await resumed(2, ['--lr', '0.1'], 'checkpoint.json', 'lr 0.001, not 0.1')
    await resumed(2, ['--optimizer', 'adamw'], 'optimizer ranger, not adamw')
    await resumed(2, ['--epochs', '3'], 'epochs 1, not 3')
    const tensors = await bytesOf('settled', 'checkpoint-0000012.safetensors')
    await writeFile(at('settled', 'checkpoint-0000012.safetensors'), tensors.subarray(0, -1))
    await resumed(1, [], 'checkpoint-0000012.safetensors', 'missing or damaged')
    await writeFile(at('settled', 'checkpoint.json'), '{"format":')
    await resumed(1, [], 'checkpoint.json', 'no checkpoint')
  })
})
