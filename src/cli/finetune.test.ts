import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { encode } from 'fast-png'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { float32, float32Of, int64, random, type Tensor } from '../base/index.ts'
import { statedClasses, statedPreprocessing } from '../data/index.ts'
import { writeNpz } from '../formats/file.ts'
import { readModel, writeModel } from '../onnx/file.ts'
import { GraphBuilder, type Model, makeGraph, makeModel, makeNode } from '../onnx/index.ts'
import { digits } from '../train/testing/samples.ts'
import { espalier, json, temporary } from './testing/cli.ts'

let folder: string
const at = (...names: string[]) => join(folder, ...names)

/** Convolutions without fixed sides; `body` makes the scores. */
const pictureNet = (channels: number, body: (b: GraphBuilder, features: string) => string): Model => {
  const dice = random(1)
  const graph = makeGraph('net')
  graph.inputs.push({ name: 'image', type: 'float32', dims: ['N', channels, 'H', 'W'] })
  const b = new GraphBuilder(graph)
  const dims = [6, channels, 3, 3]
  b.initializer(
    'conv.weight',
    float32(
      dims,
      Float32Array.from({ length: 54 * channels }, () => 0.2 * dice.normal()),
    ),
  )
  const features = b.op('Relu', [b.op('Conv', ['image', 'conv.weight'], { pads: [1, 1, 1, 1] })])
  graph.outputs.push({ name: body(b, features), type: 'float32' })
  return makeModel(graph)
}

const weight = (b: GraphBuilder, name: string, dims: readonly number[]) => {
  const dice = random(dims.length)
  const size = dims.reduce((a, c) => a * c, 1)
  return b.initializer(
    name,
    float32(
      dims,
      Float32Array.from({ length: size }, () => 0.3 * dice.normal()),
    ),
  )
}

/** Five classes behind a Softmax, whatever the size of the picture. */
const classifier = (channels = 3): Model =>
  pictureNet(channels, (b, features) => {
    const pooled = b.op('Flatten', [b.op('GlobalAveragePool', [features])])
    const scores = b.op('Gemm', [pooled, weight(b, 'fc.weight', [5, 6]), weight(b, 'fc.bias', [5])], { transB: 1 })
    return b.op('Softmax', [scores], { axis: 1 })
  })

const colours = { blue: [30, 40, 220], green: [30, 200, 40], red: [220, 30, 30] }

beforeAll(async () => {
  folder = await temporary()
  await writeModel(at('net.onnx'), classifier())
  const fixed = classifier()
  fixed.graph.inputs[0]!.dims = ['N', 3, 8, 8]
  await writeModel(at('fixed.onnx'), fixed)
  await writeModel(
    at('pixels.onnx'),
    pictureNet(1, (b, x) => b.op('Conv', [x, weight(b, 'head.weight', [2, 6, 1, 1])])),
  )
  const dice = random(7)
  for (const [name, rgb] of Object.entries(colours)) {
    await mkdir(at('colours', name), { recursive: true })
    for (let i = 0; i < 10; i++) {
      const [width, height] = [8 + 4 * (i % 2), 8]
      const data = Uint8Array.from({ length: width * height * 3 }, (_, k) => rgb[k % 3]! + dice.below(30))
      await writeFile(at('colours', name, `${i}.png`), encode({ width, height, channels: 3, data }))
    }
  }
  const { inputs } = await digits(20)
  for (const part of ['images', 'masks']) await mkdir(at('strokes', part), { recursive: true })
  for (let i = 0; i < 20; i++) {
    const data = Uint8Array.from(inputs.subarray(i * 784, (i + 1) * 784))
    const mask = data.map((value) => (value > 127 ? 1 : value > 60 ? 255 : 0))
    await writeFile(at('strokes/images', `${i}.png`), encode({ width: 28, height: 28, channels: 1, data }))
    await writeFile(at('strokes/masks', `${i}.png`), encode({ width: 28, height: 28, channels: 1, data: mask }))
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

type Run = {
  accuracy: number
  loss: number
  classes: string[]
  preprocessing: object
  trained: string[]
  leftOut: { name: string; reason: string }[]
}

const base = ['--data', 'images:colours', '--size', '8', '--batch', '8', '--optimizer', 'adamw', '--threads', '1']
const fine = [...base, '--new-head', '--lr', '0.05']

describe('fine-tuning on a folder of pictures', () => {
  test('a new head, trained on scores before the Softmax; what was done is in the file, and compare does the same', async () => {
    const { code, stdout, stderr } = await espalier(folder, [
      ...[
        'train',
        'net.onnx',
        ...fine,
        '--epochs',
        '12',
        '--mean',
        '0.5',
        '--std',
        '0.25',
        '--crop',
        '0.75',
        '--out',
        'run',
      ],
    ])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('training 3 tensors of net.onnx')
    expect(stdout).toContain('5 → 3 classes, fc.weight and fc.bias drawn anew')
    expect(stdout).toContain('8 × 8 (cover, the middle 75 %), RGB, channels first, (value / 255 − 0.5) / 0.25')
    const run: Run = JSON.parse(await readFile(at('run/run.json'), 'utf8'))
    expect(run.accuracy).toBe(1)
    expect(run.classes).toEqual(['blue', 'green', 'red'])
    const model = await readModel(at('run/model.onnx'))
    expect(statedPreprocessing(model)).toEqual(run.preprocessing)
    expect(statedClasses(model)).toEqual(run.classes)
    const { stages } = await json<{ stages: { accuracy: number; loss: number }[] }>(folder, [
      ...['compare', 'run/model.onnx', 'run/model.onnx', '--data', 'images:colours'],
    ])
    expect(stages.map(({ accuracy }) => accuracy)).toEqual([1, 1])
    expect(stages[0]!.loss).toBeLessThan(0.5)
    // Trained on, it goes by what its file states.
    const again = await json<Run>(folder, ['train', 'run/model.onnx', '--data', 'images:colours', '--out', 'again'])
    expect(again.preprocessing).toEqual(run.preprocessing)
  })

  test('a file exported for one sample at a time trains on batches, and a teacher so exported teaches', async () => {
    const single = classifier()
    single.graph.inputs[0]!.dims = [1, 3, 'H', 'W']
    single.graph.outputs[0]!.dims = [1, 5]
    await writeModel(at('single.onnx'), single)
    const said = await espalier(folder, ['train', 'single.onnx', ...fine, '--epochs', '12', '--out', 'single'])
    expect(said.stdout).toContain('exported for batches of 1: the trained file takes any')
    expect(said.stdout).toMatch(/step 36 .* test accuracy: 100.00 %/)
    expect((await readModel(at('single/model.onnx'))).graph.inputs[0]!.dims).toEqual(['N', 3, 'H', 'W'])
    // What was trained with a free batch, fixed again.
    const trained = await readModel(at('single/model.onnx'))
    trained.graph.inputs[0]!.dims = [1, 3, 'H', 'W']
    trained.graph.outputs[0]!.dims = [1, 3]
    await writeModel(at('fixed-again.onnx'), trained)
    for (const args of [
      ['compare', 'fixed-again.onnx', 'single/model.onnx', '--data', 'images:colours'],
      ['train', 'net.onnx', ...fine, '--teacher', 'fixed-again.onnx', '--out', 'taught'],
      [
        'prune',
        'fixed-again.onnx',
        '--data',
        'images:colours',
        '--ratio',
        '0.34',
        '--retrain',
        '1',
        '--verify',
        '--out',
        'fixed-small.onnx',
      ],
    ])
      expect(await espalier(folder, args), args[0]).toMatchObject({ code: 0, stderr: '' })
  })

  test('layers stay as asked, and the reason is told', async () => {
    const run = await json<Run>(folder, ['train', 'net.onnx', ...fine, '--freeze', 'conv', '--out', 'frozen'])
    expect(run.trained).toEqual(['fc.weight', 'fc.bias'])
    expect(run.leftOut).toEqual([{ name: 'conv.weight', reason: 'frozen by --freeze' }])
    const bytes = async (path: string) => (await readModel(at(path))).graph.initializers.get('conv.weight')!.bytes
    expect(Buffer.compare(await bytes('frozen/model.onnx'), await bytes('net.onnx'))).toBe(0)
  })

  test('gathered gradients are those of the larger batch', async () => {
    const weights = async (out: string, ...more: string[]) => {
      await json(folder, ['train', 'net.onnx', ...fine, '--optimizer', 'sgd', '--out', out, ...more])
      return float32Of((await readModel(at(out, 'model.onnx'))).graph.initializers.get('conv.weight')!)
    }
    const whole = await weights('whole', '--batch', '12')
    const parts = await weights('parts', '--batch', '4', '--accumulate', '3')
    expect(Math.max(...whole.map((value, i) => Math.abs(value - parts[i]!)))).toBeLessThan(1e-6)
    const apart = await weights('apart', '--batch', '4')
    expect(Math.max(...whole.map((value, i) => Math.abs(value - apart[i]!)))).toBeGreaterThan(1e-4)
    const anew = await weights('anew', '--batch', '12', '--recompute')
    expect(Math.max(...whole.map((value, i) => Math.abs(value - anew[i]!)))).toBeLessThan(1e-6)
  })

  test('pictures keep their sizes', async () => {
    const args = ['train', 'net.onnx', ...fine, '--size', 'vary', '--epochs', '12', '--out', 'varied']
    const run = await json<Run>(folder, args)
    expect(run.accuracy).toBe(1)
    expect(run.preprocessing).toMatchObject({ multiple: 1 })
  })

  test.each([
    [['--loss', 'bce', '--class-weights', 'balanced']],
    [['--loss', 'mse']],
    [['--loss', 'huber', '--delta', '0.5', '--bn', 'frozen']],
    [['--label-smoothing', '0.1', '--class-weights', '1,2,0.5', '--clip-norm', '1']],
    [['--clip-value', '0.1', '--clip-adaptive', '0.05']],
    [['--teacher', 'frozen/model.onnx', '--temperature', '2', '--teacher-share', '0.5']],
    [['--teacher', 'frozen/model.onnx', '--loss', 'kl']],
  ])('with %j', async (more) => {
    const run = await json<Run>(folder, ['train', 'net.onnx', ...fine, ...more, '--out', 'more', '--overwrite'])
    expect(Number.isFinite(run.loss)).toBe(true)
  })
})

test('a class for each pixel: accuracy and mean IoU, what is ignored does not count', async () => {
  const args = [
    'train',
    'pixels.onnx',
    '--data',
    'images:strokes',
    '--ignore-index',
    '255',
    '--batch',
    '4',
    '--epochs',
    '8',
  ]
  const { code, stdout, stderr } = await espalier(folder, [
    ...[...args, '--optimizer', 'adamw', '--lr', '0.02', '--threads', '1', '--out', 'strokes-run'],
  ])
  expect([code, stderr]).toEqual([0, ''])
  const [, accuracy, iou] = /step 32 .* test accuracy: ([\d.]+) % \| mean IoU: ([\d.]+) %/.exec(stdout) ?? []
  expect(Number(accuracy)).toBeGreaterThan(97)
  expect(Number(iou)).toBeGreaterThan(85)
})

describe('pictures and masks changed at random', () => {
  const args = ['train', 'pixels.onnx', '--data', 'images:strokes', '--batch', '4', '--threads', '1', '--lr', '0.02']
  const augment = ['--augment', 'flip', '--augment', 'shift:2']

  test('learn, and a resumed run must ask for the same', async () => {
    const wanted = [...args, '--optimizer', 'adamw', '--epochs', '8', '--ignore-index', '255', '--out', 'moved']
    const run = await json<Run>(folder, [...wanted, ...augment])
    expect(run.accuracy).toBeGreaterThan(0.95)
    const other = await espalier(folder, [...wanted, '--augment', 'flip', '--resume'])
    expect(other.stderr).toContain('started with augment flip shift:2, not flip')
  })

  test('pixels from outside must not count', async () => {
    await mkdir(at('plain'), { recursive: true })
    const [x, y] = [new Uint8Array(8 * 36), new BigInt64Array(8 * 36)]
    await writeNpz(
      at('plain.npz'),
      new Map<string, Tensor>([
        ['x', { type: 'uint8', dims: [8, 1, 6, 6], bytes: x }],
        ['y', int64([8, 6, 6], y.fill(1n))],
      ]),
    )
    const plain = [
      'train',
      'pixels.onnx',
      '--data',
      'npz:plain.npz',
      '--epochs',
      '1',
      '--batch',
      '2',
      '--overwrite',
      '--out',
      'plain',
    ]
    expect((await espalier(folder, [...plain, '--augment', 'flip'])).code).toBe(0)
    const { stderr } = await espalier(folder, [...plain, ...augment])
    expect(stderr).toContain('--ignore-index')
  })
})

describe('retraining takes what training does', () => {
  const small = ['--ratio', '0.34', '--retrain', '1', '--batch', '4', '--threads', '1', '--out', 'small.onnx']

  test('samples with an ignored label, other pictures, and augmentation', async () => {
    const args = ['prune', 'pixels.onnx', '--data', 'images:strokes', ...small]
    expect((await espalier(folder, args)).stderr).toContain('--ignore-index')
    const more = ['--ignore-index', '255', '--augment', 'shift:1', '--size', '20', '--mean', '0.5']
    expect(await espalier(folder, [...args, ...more])).toMatchObject({ code: 0, stderr: '' })
    const stated = statedPreprocessing(await readModel(at('small.onnx')))
    expect(stated).toMatchObject({ size: [20, 20], normalise: { mean: [0.5] } })
    const compared = await json<{ stages: Run[] }>(folder, [
      ...['compare', 'small.onnx', 'small.onnx', '--data', 'images:strokes', '--ignore-index', '255'],
    ])
    expect(compared.stages).toHaveLength(2)
  })

  test.each([
    [['--label-smoothing', '0.1', '--class-weights', 'balanced', '--clip-norm', '1']],
    [['--loss', 'bce', '--class-weights', '1,2,0.5', '--accumulate', '2', '--bn', 'frozen']],
    [['--teacher', 'run/model.onnx', '--temperature', '2', '--freeze', 'fc.bias', '--recompute']],
  ])('%j', async (more) => {
    const args = ['prune', 'run/model.onnx', '--data', 'images:colours', ...small, ...more]
    expect(await espalier(folder, args)).toMatchObject({ code: 0, stderr: '' })
  })

  test('data with more classes than the network tells apart is refused', async () => {
    const args = ['prune', 'pixels.onnx', '--data', 'images:colours', '--size', '8', '--channels', 'grey', ...small]
    expect((await espalier(folder, args)).stderr).toContain('train --new-head')
  })
})

describe('BatchNormalization', () => {
  const args = ['train', 'normed.onnx', ...base, '--new-head', '--lr', '0.01', '--seed', '3']
  const of = async (path: string) => {
    const { initializers } = (await readModel(at(path))).graph
    return ['bn.mean', 'bn.var', 'bn.scale'].map((name) => [...float32Of(initializers.get(name)!)])
  }

  beforeAll(() =>
    writeModel(
      at('normed.onnx'),
      pictureNet(3, (b, features) => {
        const vector = (name: string, value: number) =>
          b.initializer(name, float32([6], new Float32Array(6).fill(value)))
        const parameters = [vector('bn.scale', 1), vector('bn.bias', 0), vector('bn.mean', 0), vector('bn.var', 1)]
        const normed = b.op('BatchNormalization', [features, ...parameters])
        return b.op('Gemm', [b.op('Flatten', [b.op('GlobalAveragePool', [normed])]), weight(b, 'fc.weight', [6, 5])])
      }),
    ),
  )

  test('by the batches, or by the running statistics, which then stay; it is said which', async () => {
    const [mean, variance, scale] = await of('normed.onnx')
    const followed = await espalier(folder, [...args, '--out', 'followed'])
    expect(followed.stdout).toContain('not trained: bn.mean bn.var (a running statistic, which follows the batches)')
    expect(
      (await of('followed/model.onnx')).map((values, i) =>
        values.every((v, c) => v !== [mean, variance, scale][i]![c]),
      ),
    ).toEqual([true, true, true])
    const frozen = await espalier(folder, [...args, '--bn', 'frozen', '--out', 'kept'])
    expect(frozen.stdout).toContain('not trained: bn.mean bn.var (a running statistic, which stays)')
    const kept = await of('kept/model.onnx')
    expect(kept.slice(0, 2)).toEqual([mean, variance])
    expect(kept[2]).not.toEqual(scale)
  })

  test('--recalibrate gives the statistics of all samples for the weights at the end', async () => {
    // With nothing before it trained, the layer's input stays: its statistics are those of the samples, known from one batch.
    const head = [...args, '--train-only', 'fc.weight', '--recalibrate', '--epochs', '1']
    expect((await espalier(folder, [...head, '--bn', 'frozen', '--batch', '24', '--out', 'whole-batch'])).code).toBe(0)
    expect((await espalier(folder, [...head, '--batch', '5', '--out', 'small-batches'])).code).toBe(0)
    const [whole, parts] = [await of('whole-batch/model.onnx'), await of('small-batches/model.onnx')]
    for (const [i, values] of whole.entries())
      for (const [c, value] of values.entries()) expect(Math.abs(value - parts[i]![c]!)).toBeLessThan(1e-4)
    expect(whole[0]).not.toEqual(new Array(6).fill(0))
  })
})

describe('a graph that makes its own loss', () => {
  const args = ['--data', 'images:colours', '--size', '8', '--batch', '8', '--optimizer', 'adamw', '--lr', '0.05']
  const own = ['train', 'own.onnx', ...args, '--threads', '1', '--loss', 'output:cost']

  beforeAll(() =>
    // Cross-entropy of labels that are fed, written in the graph; and how far a picture is from its copy.
    Promise.all([
      writeModel(
        at('own.onnx'),
        pictureNet(3, (b, features) => {
          b.graph.inputs.push({ name: 'label', type: 'int64', dims: ['N'] })
          const pooled = b.op('Flatten', [b.op('GlobalAveragePool', [features])])
          const scores = b.op('Gemm', [pooled, weight(b, 'fc.weight', [3, 6])], { transB: 1 })
          b.graph.nodes.push(makeNode('SoftmaxCrossEntropyLoss', [scores, 'label'], ['cost']))
          return scores
        }),
      ),
      writeModel(
        at('copy.onnx'),
        pictureNet(3, (b, features) => {
          const again = b.op('Conv', [features, weight(b, 'back.weight', [3, 6, 1, 1])])
          const off = b.op('Sub', [again, 'image'])
          b.graph.nodes.push(makeNode('ReduceMean', [b.op('Mul', [off, off])], ['cost'], { keepdims: 0 }))
          return again
        }),
      ),
    ]),
  )

  test('is fed the labels; the loss and the scores are told, and compare goes on with both', async () => {
    const { code, stdout, stderr } = await espalier(folder, [...own, '--epochs', '12', '--out', 'own', '--recalibrate'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/step 36 \| train loss: [\d.]+ \| test accuracy: 100.00 %/)
    const { stages } = await json<{ stages: Run[] }>(folder, [
      ...['compare', 'own/model.onnx', 'own/model.onnx', '--data', 'images:colours'],
    ])
    expect(stages[0]!.accuracy).toBe(1)
    expect(stages[0]!.loss).toBeLessThan(0.5)
    // What was never trained here is judged by the same.
    const before = await json<{ stages: Run[] }>(folder, [
      ...['compare', 'own.onnx', 'own/model.onnx', '--data', 'images:colours', '--size', '8'],
    ])
    expect(before.stages[1]!.loss).toBeLessThan(before.stages[0]!.loss)
    const other = await espalier(folder, [
      'compare',
      'own/model.onnx',
      'net.onnx',
      '--data',
      'images:colours',
      '--size',
      '8',
    ])
    expect(other.stderr).toContain("makes no value 'cost'")
    const smaller = ['prune', 'own/model.onnx', '--data', 'images:colours', '--ratio', '0.34', '--retrain', '1']
    expect(await espalier(folder, [...smaller, '--out', 'own-small.onnx'])).toMatchObject({ code: 0, stderr: '' })
  })

  test('that needs no labels has its loss told, and no accuracy', async () => {
    const { stdout } = await espalier(folder, ['train', 'copy.onnx', ...own.slice(2), '--epochs', '4', '--out', 'copy'])
    expect(stdout).not.toContain('accuracy')
    expect(Number(/step 12 .* test loss: ([\d.]+)/.exec(stdout)?.[1])).toBeLessThan(0.05)
    expect(
      (await json<Run>(folder, ['train', 'copy.onnx', ...own.slice(2), '--out', 'copy', '--overwrite'])).accuracy,
    ).toBeNull()
    const compared = await espalier(folder, [
      'compare',
      'copy/model.onnx',
      'copy/model.onnx',
      '--data',
      'images:colours',
    ])
    expect(compared).toMatchObject({ code: 0, stderr: '' })
    expect(compared.stdout).not.toContain('accuracy')
  })

  test.each<[string, readonly string[], readonly string[]]>([
    ['no loss named', [...own.slice(0, -2)], ['2 inputs', 'label (int64)', '--loss output:NAME']],
    ['a value of many numbers', [...own.slice(0, -1), 'output:Gemm_out'], ['single number']],
    [
      'an option of another loss',
      [...own, '--label-smoothing', '0.1'],
      ['--label-smoothing has no effect without --loss cross-entropy'],
    ],
  ])('%s', async (_, asked, texts) => {
    const { code, stderr } = await espalier(folder, [...asked, '--out', 'refused'])
    expect(code).not.toBe(0)
    for (const text of texts) expect(stderr).toContain(text)
  })
})

describe('what cannot be done is said before anything runs', () => {
  test.each<[string, readonly string[], readonly string[], string?]>([
    ['another number of classes', base, ['3 classes', 'tells 5 apart', '--new-head']],
    ['fewer classes than the data has', [...fine, '--classes', '2'], ['3 folders of classes', 'more than 2']],
    ['weights for other classes', [...fine, '--class-weights', '1,2'], ['2 class weights for 3 classes']],
    ['a file of weights that is not there', [...fine, '--class-weights', 'none.txt'], ['none.txt']],
    [
      'a loss with another’s option',
      [...fine, '--loss', 'mse', '--label-smoothing', '0.1'],
      ['--label-smoothing has no effect without --loss cross-entropy'],
    ],
    ['a teacher’s loss without one', [...fine, '--loss', 'kl'], ['--loss kl needs --teacher']],
    ['a loss the graph does not make', [...fine, '--loss', 'output:cost'], ["no value 'cost'"]],
    ['grey pictures for a colour network', [...fine, '--channels', 'grey'], ['3 channels, not 1', '--channels rgb']],
    [
      'pictures of several sizes',
      ['--data', 'images:colours', '--new-head'],
      ['12 × 8 where others are 8 × 8', '--size'],
    ],
    ['a size that is none', [...fine, '--size', 'big'], ['--size big', 'vary']],
    ['a size that the model does not take', [...fine, '--size', '24'], ['--size 24', '8 × 8 alone'], 'fixed.onnx'],
    ['sizes that vary where none can', [...fine, '--size', 'vary'], ['--size vary', '8 × 8 alone'], 'fixed.onnx'],
    ['a teacher of other classes', [...fine, '--teacher', 'net.onnx'], ['teacher gives 5 scores and the model 3']],
    ['a teacher of other pictures', [...fine, '--teacher', 'pixels.onnx'], ['teacher cannot take the samples', '1, H']],
    [
      'a teacher of samples prepared otherwise',
      [...fine, '--teacher', 'run/model.onnx'],
      ['prepared otherwise', '--range 0..1 --mean 0.5 --std 0.25 --layout nchw --channels rgb'],
    ],
    [
      'a teacher of the same colours in another order',
      [...fine, '--mean', '0.5', '--std', '0.25', '--channels', 'bgr', '--teacher', 'run/model.onnx'],
      ['prepared otherwise', '--channels rgb'],
    ],
    [
      'a share without a teacher',
      [...fine, '--teacher-share', '0.5'],
      ['--teacher-share has no effect without --teacher'],
    ],
    [
      'a share where the teacher has all',
      [...fine, '--teacher', 'frozen/model.onnx', '--loss', 'kl', '--teacher-share', '0.5'],
      ['--teacher-share has no effect with --loss kl'],
    ],
    [
      'a temperature without a teacher',
      [...fine, '--temperature', '2'],
      ['--temperature has no effect without --teacher or --loss kl'],
    ],
    ['a value that looks like a flag', [...fine, '--ignore-index', '-1'], ['--ignore-index=-1']],
    [
      'a pattern for what is not trained',
      [...fine, '--freeze', 'bn.m*'],
      ["'bn.mean' is not trained anyway (a running statistic)"],
      'normed.onnx',
    ],
    [
      'a pattern for nothing',
      [...fine, '--train-only', 'fc2*'],
      ["'fc2*' matches no", 'conv.weight, fc.weight, fc.bias'],
    ],
    ['a mean that is none', [...fine, '--mean', 'a,b'], ['--mean a,b']],
    ['a mean for other channels', [...fine, '--mean', '1,2'], ['mean has 2 numbers for 3 channels']],
  ])('%s', async (_, args, texts, model = 'net.onnx') => {
    const { code, stdout, stderr } = await espalier(folder, ['train', model, ...args, '--out', 'refused'])
    expect([code === 0, stdout.includes('Epoch')], stderr).toEqual([false, false])
    for (const text of texts) expect(stderr).toContain(text)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  test('an unreadable picture is named; an unmarked label of a mask too', async () => {
    await mkdir(at('bad/a'), { recursive: true })
    await mkdir(at('bad/b'), { recursive: true })
    for (const name of ['a/1.png', 'b/1.png', 'b/2.png'])
      await writeFile(at('bad', name), await readFile(at('colours/red/0.png')))
    await writeFile(at('bad/a/2.png'), 'no picture')
    const { stderr } = await espalier(folder, ['train', 'net.onnx', '--data', 'images:bad', '--new-head', '--out', 'x'])
    expect(stderr).toContain('bad/a/2.png')
    const masks = await espalier(folder, [
      'train',
      'pixels.onnx',
      '--data',
      'images:strokes',
      '--classes',
      '2',
      '--out',
      'x',
    ])
    expect(masks.stderr).toContain('255')
    expect(masks.stderr).toContain('--ignore-index')
  })
})
