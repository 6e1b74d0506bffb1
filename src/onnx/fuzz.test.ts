import { deepStrictEqual } from 'node:assert'
import { create, toBinary } from '@bufbuild/protobuf'
import { AttributeProto_AttributeType as AttributeType, ModelProtoSchema } from 'onnx-buf'
import { describe, expect, it } from 'vitest'
import { bool, FormatError, float32, int64, type Random, random } from '../base/index.ts'
import { GraphBuilder } from './builder.ts'
import { decodeModel, encodeModel } from './codec.ts'
import { makeGraph, makeModel } from './graph.ts'
import { subgraph } from './node.ts'
import type { Model } from './types.ts'

/** A small convolutional network. */
const convolutional = (): Uint8Array => {
  const graph = makeGraph('net')
  graph.inputs = [{ name: 'x', type: 'float32', dims: ['N', 1, 8, 8] }]
  const b = new GraphBuilder(graph)
  const weight = b.initializer('conv.weight', float32([4, 1, 3, 3], new Float32Array(36).fill(0.5)))
  const conv = b.op('Conv', ['x', weight], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
  const flat = b.op('Reshape', [b.op('Relu', [conv]), b.ints([0, -1])])
  const dense = b.initializer('fc.weight', float32([256, 3], new Float32Array(768)))
  graph.outputs = [{ name: b.op('MatMul', [flat, dense]), type: 'float32', dims: ['N', 3] }]
  return encodeModel({ ...makeModel(graph), metadata: new Map([['author', 'nobody']]) })
}

/** A choice between two subgraphs that read values from outside. */
const branching = (): Uint8Array => {
  const branch = (opType: string) => {
    const inner = makeGraph(opType)
    const b = new GraphBuilder(inner, opType)
    inner.outputs = [{ name: b.op(opType, ['x', b.scalar(2)]), type: 'float32' }]
    return inner
  }
  const graph = makeGraph('choice')
  graph.inputs = [{ name: 'x', type: 'float32', dims: [2] }]
  const b = new GraphBuilder(graph)
  const condition = b.constant(bool([], [true]))
  const branches = { then_branch: subgraph(branch('Add')), else_branch: subgraph(branch('Mul')) }
  graph.outputs = [{ name: b.op('If', [condition], branches), type: 'float32' }]
  return encodeModel(makeModel(graph))
}

/** Typed fields, strings, sparse data, a function and training information, as other writers store them. */
const elaborate = (): Uint8Array =>
  toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 8n,
      opsetImport: [{ version: 17n }],
      metadataProps: [{ key: 'k', value: 'v' }],
      functions: [
        {
          name: 'f',
          domain: 'own',
          input: ['a'],
          output: ['b'],
          node: [{ opType: 'Relu', input: ['a'], output: ['b'] }],
        },
      ],
      trainingInfo: [{ algorithm: { name: 'step', output: [{ name: 'o' }] } }],
      graph: {
        input: [
          {
            name: 'x',
            type: {
              value: {
                case: 'tensorType',
                value: { elemType: 1, shape: { dim: [{ value: { case: 'dimValue', value: 2n } }] } },
              },
            },
          },
        ],
        output: [{ name: 'y' }],
        initializer: [
          { name: 'f', dims: [4n], dataType: 1, floatData: [1, 2, 3, 4] },
          { name: 'h', dims: [3n], dataType: 10, int32Data: [1, 2, 3] },
          { name: 'i', dims: [2n], dataType: 7, int64Data: [-1n, 2n ** 40n] },
          { name: 's', dims: [2n], dataType: 8, stringData: [new Uint8Array([65]), new Uint8Array([66, 67])] },
        ],
        sparseInitializer: [
          {
            dims: [9n],
            values: { name: 'sp', dims: [1n], dataType: 1, floatData: [1] },
            indices: { dims: [1n], dataType: 7, int64Data: [3n] },
          },
        ],
        node: [
          {
            opType: 'Constant',
            output: ['c'],
            attribute: [{ name: 'value_ints', type: AttributeType.INTS, ints: [1n, 2n, 3n] }],
          },
          {
            opType: 'Constant',
            output: ['d'],
            attribute: [{ name: 'value', type: AttributeType.TENSOR, t: { dims: [1n], dataType: 1, floatData: [1] } }],
          },
          { opType: 'f', domain: 'own', input: ['x'], output: ['y'], docString: 'call' },
        ],
      },
    }),
  )

/** The model, or undefined where the file was refused as it should be. */
const readOrRefused = (bytes: Uint8Array): Model | undefined => {
  try {
    return decodeModel(bytes, { file: 'bad.onnx' })
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    expect(error.message).toMatch(/^file 'bad.onnx'/)
    return undefined
  }
}

/** Milliseconds of work so far, which unlike the clock do not count what else the machine does. */
const cpuTime = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

const huge = [0xff, 0xff, 0xff, 0xff, 0x07]

/** Ways a file is damaged or made to do damage. */
const mutations: ((bytes: Uint8Array, r: Random, other: Uint8Array) => Uint8Array)[] = [
  // A few flipped bits.
  (bytes, r) => {
    const out = bytes.slice()
    for (let i = 0; i <= r.below(4); i++) out[r.below(out.length)]! ^= 1 << r.below(8)
    return out
  },
  // Random bytes.
  (bytes, r) => {
    const out = bytes.slice()
    for (let i = 0; i <= r.below(16); i++) out[r.below(out.length)] = r.below(256)
    return out
  },
  // Cut short.
  (bytes, r) => bytes.slice(0, r.below(bytes.length)),
  // A length or number that claims far more than there is.
  (bytes, r) => {
    const out = bytes.slice()
    out.set(huge.slice(0, Math.min(huge.length, out.length)), r.below(Math.max(1, out.length - huge.length)))
    return out
  },
  // The same, put in between.
  (bytes, r) => {
    const at = r.below(bytes.length)
    return Uint8Array.from([...bytes.slice(0, at), ...huge, ...bytes.slice(at)])
  },
  // A piece of another file in the middle.
  (bytes, r, other) => {
    const [at, from] = [r.below(bytes.length), r.below(other.length)]
    return Uint8Array.from([
      ...bytes.slice(0, at),
      ...other.slice(from, from + r.below(64)),
      ...bytes.slice(at + r.below(8)),
    ])
  },
  // A piece of its own, twice or gone.
  (bytes, r) => {
    const [a, b] = [r.below(bytes.length), r.below(bytes.length)]
    return Uint8Array.from([...bytes.slice(0, a), ...bytes.slice(b)])
  },
]

describe('a damaged or hostile file', () => {
  it('is read or refused with a FormatError, in bounded time: 2 400 mutations', () => {
    const bases = [convolutional(), branching(), elaborate()]
    const r = random(20)
    let refused = 0
    let slowest = 0
    for (let i = 0; i < 2400; i++) {
      const base = bases[i % bases.length]!
      const bytes = mutations[r.below(mutations.length)]!(base, r, bases[r.below(bases.length)]!)
      const start = cpuTime()
      const model = readOrRefused(bytes)
      if (model) deepStrictEqual(decodeModel(encodeModel(model)), model, `mutation ${i}`)
      else refused++
      slowest = Math.max(slowest, cpuTime() - start)
    }
    // Both must happen: many flips land in weights and names and do no harm.
    expect(refused).toBeGreaterThan(1000)
    expect(refused).toBeLessThan(2200)
    // A file of some thousand bytes takes about a millisecond.
    expect(slowest).toBeLessThan(1000)
  })

  const repeated = (times: number, ...bytes: number[]) =>
    Uint8Array.from({ length: times * bytes.length }, (_, i) => bytes[i % bytes.length]!)
  /** A field's bytes: number, then length, then content. */
  const field = (no: number, content: Uint8Array): Uint8Array => {
    const length: number[] = []
    let left = content.length
    for (; left >= 128; left = Math.floor(left / 128)) length.push((left % 128) + 128)
    return Uint8Array.from([no * 8 + 2, ...length, left, ...content])
  }
  const nested = (levels: number): Uint8Array => {
    let graph: Uint8Array = field(2, new Uint8Array([103]))
    for (let i = 0; i < levels; i++) graph = field(1, field(5, field(6, graph)))
    return field(7, graph)
  }

  const hostile: [string, Uint8Array, RegExp][] = [
    ['nothing', new Uint8Array(0), /the file is empty/],
    ['text', new TextEncoder().encode('<!doctype html><html>'), /not an ONNX file|damaged|truncated/],
    ['zeros', new Uint8Array(1000), /not an ONNX file or damaged: no field at byte 0/],
    ['a length past the end', new Uint8Array([0x3a, ...huge]), /claims 2147483647 bytes where 0 are left/],
    ['an endless number', repeated(1000, 0xff), /more than ten bytes/],
    ['graphs within graphs', nested(1000), /nested deeper than 100 levels/],
    ['groups within groups', repeated(100_000, 0xa3, 0x06), /nested deeper than 100 levels/],
    ['a group without an end', new Uint8Array([0xa3, 0x06]), /a group at byte 2 has no end/],
    ['millions of empty nodes', field(7, repeated(4_000_001, 0x0a, 0)), /more than 4000000 messages/],
    ['millions of unknown fields', repeated(4_000_001, 0xa0, 0x06, 0), /more than 4000000 unknown fields/],
    ['a list ending within a number', field(7, field(5, field(4, new Uint8Array(7)))), /ends within a number/],
    ['a field of another kind', new Uint8Array([0x38, 1]), /ModelProto.graph at byte 0 has the form of another kind/],
  ]
  it.each(hostile)('is refused: %s', (_, bytes, message) => {
    const start = cpuTime()
    const read = () => decodeModel(bytes, { file: 'bad.onnx' })
    expect(read).toThrow(FormatError)
    expect(read).toThrow(message)
    expect(cpuTime() - start).toBeLessThan(5000)
  })

  it('as deep as allowed is read', () => {
    const model = decodeModel(branching())
    expect(model.graph.nodes).toHaveLength(1)
    expect(() => decodeModel(nested(30))).toThrow(/without an operator/)
  })

  it('every prefix of a sound file is read or refused', () => {
    const whole = int64([3], [1, 2, 3])
    const model = makeModel(makeGraph('g'))
    model.graph.initializers.set('w', whole)
    const bytes = encodeModel(model)
    for (let length = 0; length < bytes.length; length++)
      expect(() => decodeModel(bytes.slice(0, length))).toThrow(FormatError)
  })
})
