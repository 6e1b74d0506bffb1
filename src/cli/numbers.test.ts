import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { float32, float32Of, int64, random, type Tensor } from '../base/index.ts'
import { statedSampling } from '../data/index.ts'
import { writeNpz, writeSafetensors } from '../formats/file.ts'
import { buildModel, linear } from '../nn/index.ts'
import { readModel, writeModel } from '../onnx/file.ts'
import { GraphBuilder, type Model, makeNode } from '../onnx/index.ts'
import { espalier, json, temporary } from './testing/cli.ts'

let folder: string
const at = (...names: string[]) => join(folder, ...names)

/** Dense layers from 3 numbers to so many. */
const dense = (to: number, after?: 'Sigmoid' | 'Softmax'): Model => {
  const model = buildModel('dense', { dims: [3] }, { seed: 1 }, (net, input) =>
    linear(net, 'fc', linear(net, 'hidden', input, { to: 8 }), { to, output: 'answer' }),
  )
  if (after) {
    const [output] = model.graph.outputs
    model.graph.outputs = [{ ...output!, name: new GraphBuilder(model.graph).op(after, ['answer']) }]
  }
  return model
}

const count = 60
const dice = random(5)
const inputs = Float32Array.from({ length: 3 * count }, () => dice.normal())
/** 2a − b + ½c, and whatever `also` makes of it and a. */
const rows = (also: (sum: number, a: number) => readonly number[]): number[] =>
  Array.from({ length: count }, (_, i) => {
    const [a = 0, b = 0, c = 0] = inputs.subarray(3 * i, 3 * i + 3)
    return also(2 * a - b + 0.5 * c, a)
  }).flat()

beforeAll(async () => {
  folder = await temporary()
  const x = float32([count, 3], inputs)
  const save = (name: string, y: Tensor) =>
    writeSafetensors(
      at(name),
      new Map([
        ['x', x],
        ['y', y],
      ]),
    )
  await save(
    'one.safetensors',
    float32(
      [count],
      rows((sum) => [sum]),
    ),
  )
  await writeNpz(
    at('one.npz'),
    new Map([
      ['x', x],
      [
        'y',
        float32(
          [count, 1],
          rows((sum) => [sum]),
        ),
      ],
    ]),
  )
  await save(
    'whole.safetensors',
    int64(
      [count],
      rows((sum) => [Math.round(10 * sum)]),
    ),
  )
  await save(
    'two.safetensors',
    float32(
      [count, 2],
      rows((sum, a) => [sum, -a]),
    ),
  )
  await save(
    'tags.safetensors',
    int64(
      [count, 3],
      rows((sum, a) => [Number(sum > 0), Number(a > 0), Number(a < 0.5)]),
    ),
  )
  await save(
    'shares.safetensors',
    float32(
      [count, 2],
      rows((sum) => [1 / (1 + Math.exp(-sum)), 1 / (1 + Math.exp(sum))]),
    ),
  )
  const lines = rows((sum, a) => [sum, a]).map((_, i, all) =>
    i % 2 ? '' : `${[...inputs.subarray(1.5 * i, 1.5 * i + 3)]},${all[i]},${all[i + 1]}`,
  )
  await writeFile(at('two.csv'), `a,b,c,target_sum,target_a\n${lines.filter(Boolean).join('\n')}\n`)
  await writeModel(at('one.onnx'), dense(1))
  await writeModel(at('two.onnx'), dense(2))
  await writeModel(at('tags.onnx'), dense(3, 'Sigmoid'))
  await writeModel(at('shares.onnx'), dense(2, 'Softmax'))
  const own = dense(2)
  const b = new GraphBuilder(own.graph)
  own.graph.inputs.push({ name: 'wanted', type: 'float32', dims: ['N', 2] })
  const off = b.op('Sub', ['answer', 'wanted'])
  own.graph.nodes.push(makeNode('ReduceMean', [b.op('Mul', [off, off])], ['cost'], { keepdims: 0 }))
  await writeModel(at('own.onnx'), own)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

type Run = { accuracy: number | null; testLoss?: number; meanError?: number; explained?: number; settings: object }

const rate = ['--optimizer', 'adamw', '--lr', '0.03', '--threads', '1']
const trained = (model: string, data: string, ...more: string[]) => [
  ...['train', model, '--data', data, '--batch', '12', '--epochs', '30', '--evaluate-every', '0', ...rate, ...more],
]

describe('numbers to meet', () => {
  test.each([
    ['one.onnx', 'safetensors:one.safetensors', ['--loss', 'mse']],
    ['one.onnx', 'npz:one.npz', ['--loss', 'mse']],
    ['one.onnx', 'safetensors:whole.safetensors', ['--loss', 'huber', '--delta', '50', '--lr', '0.3']],
    ['two.onnx', 'safetensors:two.safetensors', ['--loss', 'huber']],
    ['two.onnx', 'csv:two.csv', ['--loss', 'mse']],
    ['one.onnx', 'csv:two.csv', ['--loss', 'mse', '--new-head']],
  ])('%s learns %s with %j', async (model, data, more) => {
    const run = await json<Run>(folder, trained(model, data, ...more, '--out', 'run', '--overwrite'))
    expect(run.accuracy).toBeNull()
    expect(run.explained).toBeGreaterThan(0.95)
  })

  test('a graph that makes its own loss is fed them', async () => {
    const { code, stdout, stderr } = await espalier(
      folder,
      trained('own.onnx', 'safetensors:two.safetensors', '--loss', 'output:cost', '--out', 'own'),
    )
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).not.toContain('accuracy')
    expect(Number(/test loss: ([\d.e-]+)/.exec(stdout)?.[1])).toBeLessThan(0.1)
  })

  test('what is printed, and that compare and prune go on with it', async () => {
    const { stdout, stderr } = await espalier(
      folder,
      trained('two.onnx', 'safetensors:two.safetensors', '--loss', 'mse', '--seed', '4', '--out', 'kept'),
    )
    expect(stderr).toBe('')
    expect(stdout).toMatch(/test loss: [\d.e-]+ \| mean error: [\d.e-]+ \| explained: \d+\.\d\d %/)
    expect(stdout).toMatch(/test loss [\d.e-]+, mean error [\d.e-]+, explained \d+\.\d\d % on 12 samples/)
    const model = await readModel(at('kept/model.onnx'))
    expect(statedSampling(model)).toEqual({ loss: 'mse', splitSeed: 4 })
    const run: Run = JSON.parse(await readFile(at('kept/run.json'), 'utf8'))
    const args = ['--data', 'safetensors:two.safetensors']
    type Compared = { stages: { accuracy: number | null; meanError: number; loss: number }[] }
    const { stages } = await json<Compared>(folder, ['compare', 'kept/model.onnx', 'kept/model.onnx', ...args])
    // The same samples were set aside.
    expect(stages[0]?.loss).toBeCloseTo(run.testLoss!, 6)
    expect(stages[0]?.meanError).toBeCloseTo(run.meanError!, 6)
    await json(folder, [
      'prune',
      'kept/model.onnx',
      '--ratio',
      '0.25',
      ...args,
      '--retrain',
      '20',
      ...rate,
      '--out',
      'small.onnx',
    ])
    expect(statedSampling(await readModel(at('small.onnx')))).toEqual({ loss: 'mse', splitSeed: 4 })
    const { stdout: table } = await espalier(folder, ['compare', 'kept/model.onnx', 'small.onnx', ...args])
    expect(table).toContain('mean error')
    expect(table).not.toContain('accuracy')
  })

  test('several answers, each yes or no', async () => {
    const args = trained('tags.onnx', 'safetensors:tags.safetensors', '--loss', 'bce', '--class-weights', '1,2,1')
    const run = await json<Run>(folder, [...args, '--label-smoothing', '0.05', '--out', 'tags'])
    expect(run.accuracy).toBeGreaterThan(0.9)
    const data = ['--data', 'safetensors:tags.safetensors']
    const { stages } = await json<{ stages: Run[] }>(folder, ['compare', 'tags/model.onnx', 'tags/model.onnx', ...data])
    expect(stages[0]?.accuracy).toBeCloseTo(run.accuracy!, 6)
  })

  test('a share for each class', async () => {
    const args = trained('shares.onnx', 'safetensors:shares.safetensors', '--loss', 'kl')
    const run = await json<Run & { loss: number }>(folder, [...args, '--out', 'shares'])
    expect(run.accuracy).toBeGreaterThan(0.9)
    expect(run.loss).toBeLessThan(0.02)
  })

  test('a resumed run goes on to the same weights', async () => {
    const args = trained('one.onnx', 'safetensors:one.safetensors', '--loss', 'mse', '--seed', '2', '--split-seed', '9')
    await json(folder, [...args, '--out', 'whole'])
    await json(folder, [...args, '--out', 'again'])
    await json(folder, [...args, '--out', 'again', '--resume'])
    const weights = async (name: string) =>
      float32Of((await readModel(at(name, 'model.onnx'))).graph.initializers.get('fc.weight')!)
    expect(await weights('again')).toEqual(await weights('whole'))
    expect(statedSampling(await readModel(at('again/model.onnx')))).toEqual({ loss: 'mse', splitSeed: 9 })
    const other = await espalier(folder, [...args, '--split-seed', '8', '--out', 'again', '--resume'])
    expect(other.stderr).toContain('started with split-seed 9, not 8')
  })
})

describe('what does not fit is said before anything runs', () => {
  test.each<[string, readonly string[], readonly string[]]>([
    ['numbers for a loss of classes', ['one.onnx', 'safetensors:one.safetensors'], ['label of sample', '--loss']],
    ['rows for a loss of classes', ['two.onnx', 'safetensors:two.safetensors'], ['[60, 2]', '--loss mse']],
    [
      'too many numbers',
      ['one.onnx', 'csv:two.csv', '--loss', 'mse'],
      ['two.csv', 'shape [2]', 'gives [1]', '--new-head'],
    ],
    ['no shares', ['two.onnx', 'safetensors:two.safetensors', '--loss', 'kl'], ['sample', 'add up to 1']],
    [
      'a teacher of numbers',
      ['two.onnx', 'safetensors:two.safetensors', '--loss', 'mse', '--teacher', 'two.onnx'],
      ['--teacher'],
    ],
    [
      'balanced weights of numbers',
      ['tags.onnx', 'safetensors:tags.safetensors', '--loss', 'bce', '--class-weights', 'balanced'],
      ['balanced', 'a list'],
    ],
  ])('%s', async (_, [model = '', data = '', ...more], texts) => {
    const { code, stderr } = await espalier(folder, ['train', model, '--data', data, ...more, '--out', 'refused'])
    expect(code, stderr).not.toBe(0)
    for (const text of texts) expect(stderr).toContain(text)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })
})
