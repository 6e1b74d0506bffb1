import { create, type DescMessage, equals, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import {
  AttributeProto_AttributeType as AttributeType,
  type GraphProtoSchema,
  ModelProtoSchema,
  TensorProtoSchema,
} from 'onnx-buf'
import { describe, expect, it } from 'vitest'
import { type DataType, dataTypes, float32, float32Of, int64, int64Of, numbersOf, type Tensor } from '../base/index.ts'
import { decodeModel, encodeModel, tensorFromProto, tensorToProto } from './codec.ts'
import { makeGraph, makeModel } from './graph.ts'
import { attribute, float, floats, makeNode } from './node.ts'
import type { Attribute, Graph, Model, ValueInfo } from './types.ts'

/** A message's fields as plain data. */
type Init<S extends DescMessage> = Exclude<MessageInitShape<S>, { $typeName: string }>
type ModelInit = Init<typeof ModelProtoSchema>
type TensorInit = Init<typeof TensorProtoSchema>

const bytesOfModel = (init: ModelInit) => toBinary(ModelProtoSchema, create(ModelProtoSchema, init))
const bytesOfTensor = (init: TensorInit) => toBinary(TensorProtoSchema, create(TensorProtoSchema, init))
const text = (s: string) => new TextEncoder().encode(s)
const floatValue = (name: string) => ({
  name,
  type: { value: { case: 'tensorType' as const, value: { elemType: 1 } } },
})
const again = (model: Model) => decodeModel(encodeModel(model))

/** A sound model: one Identity from x to y, with what is given besides. */
const identity = (more: ModelInit = {}, graph: Init<typeof GraphProtoSchema> = {}): ModelInit => ({
  irVersion: 8n,
  opsetImport: [{ domain: '', version: 17n }],
  ...more,
  graph: {
    name: 'g',
    input: [floatValue('x')],
    output: [floatValue('y')],
    node: [{ opType: 'Identity', input: ['x'], output: ['y'] }],
    ...graph,
  },
})

describe('tensors', () => {
  const stored: [string, TensorInit, DataType, number[]][] = [
    ['float_data', { dataType: 1, floatData: [1.5, -2] }, 'float32', [0, 0, 192, 63, 0, 0, 0, 192]],
    ['int32_data of uint8', { dataType: 2, int32Data: [255, 1] }, 'uint8', [255, 1]],
    ['int32_data of int8', { dataType: 3, int32Data: [-1, 1] }, 'int8', [255, 1]],
    ['int32_data of uint16', { dataType: 4, int32Data: [65535, 1] }, 'uint16', [255, 255, 1, 0]],
    ['int32_data of int16', { dataType: 5, int32Data: [-2, 1] }, 'int16', [254, 255, 1, 0]],
    ['int32_data', { dataType: 6, int32Data: [-2, 1] }, 'int32', [254, 255, 255, 255, 1, 0, 0, 0]],
    ['int32_data of bool', { dataType: 9, int32Data: [1, 0] }, 'bool', [1, 0]],
    ['int32_data of float16', { dataType: 10, int32Data: [0x3c00, 0xc000] }, 'float16', [0, 0x3c, 0, 0xc0]],
    ['int32_data of bfloat16', { dataType: 16, int32Data: [0x3f80, 0xc000] }, 'bfloat16', [0x80, 0x3f, 0, 0xc0]],
    ['double_data', { dataType: 11, doubleData: [1, 0] }, 'float64', [0, 0, 0, 0, 0, 0, 240, 63, ...Array(8).fill(0)]],
    [
      'uint64_data of uint32',
      { dataType: 12, uint64Data: [2n ** 32n - 1n, 1n] },
      'uint32',
      [255, 255, 255, 255, 1, 0, 0, 0],
    ],
    [
      'uint64_data',
      { dataType: 13, uint64Data: [2n ** 64n - 1n, 1n] },
      'uint64',
      [...Array(8).fill(255), 1, ...Array(7).fill(0)],
    ],
    [
      'float_data of complex64',
      { dims: [1n], dataType: 14, floatData: [1, 2] },
      'complex64',
      [0, 0, 128, 63, 0, 0, 0, 64],
    ],
    ['int32_data of float8', { dataType: 17, int32Data: [0x38, 0xb8] }, 'float8e4m3fn', [0x38, 0xb8]],
    ['int32_data of int4', { dims: [3n], dataType: 22, int32Data: [0x21, 0x0f] }, 'int4', [0x21, 0x0f]],
    ['int32_data of uint2', { dims: [5n], dataType: 25, int32Data: [0b11100100, 1] }, 'uint2', [0b11100100, 1]],
  ]
  it.each(stored)('%s becomes bytes, and raw data when written', (_, init, type, bytes) => {
    const tensor = tensorFromProto(bytesOfTensor({ dims: [2n], ...init }))
    expect(tensor.type).toBe(type)
    expect([...tensor.bytes]).toEqual(bytes)
    expect(tensorFromProto(tensorToProto(tensor))).toEqual(tensor)
  })

  it('of every type keep their raw bytes', () => {
    for (const [name, { onnx, bits }] of Object.entries(dataTypes)) {
      if (bits === 0) continue
      const rawData = Uint8Array.from({ length: Math.ceil((3 * bits) / 8) }, (_, i) => i + 1)
      const tensor = tensorFromProto(bytesOfTensor({ dims: [3n], dataType: onnx, rawData }))
      expect([tensor.type, tensor.bytes]).toEqual([name, rawData])
      expect(tensorFromProto(tensorToProto(tensor))).toEqual(tensor)
    }
  })

  it('keep int64 past 2^53', () => {
    const tensor = tensorFromProto(
      bytesOfTensor({ dims: [2n], dataType: 7, int64Data: [2n ** 63n - 1n, -(2n ** 63n)] }),
    )
    expect([...int64Of(tensor)]).toEqual([2n ** 63n - 1n, -(2n ** 63n)])
  })

  it('keep strings, which need not be text', () => {
    const strings = [text('a'), new Uint8Array([0, 255]), new Uint8Array(0)]
    const tensor = tensorFromProto(bytesOfTensor({ dims: [3n], dataType: 8, stringData: strings }))
    expect(tensor.strings).toEqual(strings)
    expect(tensorFromProto(tensorToProto(tensor))).toEqual(tensor)
  })

  it('may be scalars or empty', () => {
    expect(numbersOf(tensorFromProto(bytesOfTensor({ dataType: 1, floatData: [3] })))).toEqual([3])
    const empty = tensorFromProto(bytesOfTensor({ dims: [0n, 2n ** 40n], dataType: 1 }))
    expect([empty.dims, empty.bytes.byteLength]).toEqual([[0, 2 ** 40], 0])
    expect(tensorFromProto(tensorToProto(empty))).toEqual(empty)
  })

  it('are views of the file, at any offset', () => {
    for (const name of ['w', 'ww', 'www', 'wwww']) {
      const model = makeModel(makeGraph('g'))
      model.graph.initializers.set(name, float32([2], [1, 2]))
      const file = Buffer.from(encodeModel(model))
      const { bytes } = decodeModel(file).graph.initializers.get(name)!
      expect(bytes.buffer).toBe(file.buffer)
      expect(Buffer.isBuffer(bytes)).toBe(false)
      expect([...float32Of({ type: 'float32', dims: [2], bytes })]).toEqual([1, 2])
    }
  })

  const wrong: [string, TensorInit, RegExp][] = [
    ['too few bytes', { dims: [2n], dataType: 1, rawData: new Uint8Array(7) }, /takes 8 bytes and has 7/],
    ['too few numbers', { dims: [2n], dataType: 1, floatData: [1] }, /takes 8 bytes and has 4/],
    ['a size past counting', { dims: [2n ** 40n, 2n ** 40n], dataType: 1 }, /no tensor has the shape/],
    ['a size that wraps to zero in 64 bits', { dims: [2n ** 32n, 2n ** 32n], dataType: 1 }, /no tensor has the shape/],
    ['a dimension past counting', { dims: [2n ** 60n], dataType: 1 }, /a dimension is/],
    ['a negative dimension', { dims: [-1n], dataType: 1 }, /a dimension is -1/],
    ['no type', { dims: [1n], rawData: new Uint8Array(4) }, /without an element type/],
    ['too few strings', { dims: [2n], dataType: 8, stringData: [text('a')] }, /string tensor of 2 elements holds 1/],
    ['segments', { dims: [1n], dataType: 1, floatData: [1], segment: { begin: 0n, end: 1n } }, /segments/],
  ]
  it.each(wrong)('with %s are refused', (_, init, message) => {
    expect(() => tensorFromProto(bytesOfTensor(init), { file: 't.pb' })).toThrow(message)
    expect(() =>
      decodeModel(bytesOfModel(identity({}, { initializer: [{ name: 'w', ...init }] })), { file: 'm.onnx' }),
    ).toThrow(/file 'm.onnx', initializer 'w'/)
  })
})

describe('a model', () => {
  it('is what was written', () => {
    const graph = makeGraph('all')
    graph.inputs = [{ name: 'x', type: 'float32', dims: ['N', 3, null] }]
    graph.outputs = [{ name: 'y', type: 'float32' }]
    graph.initializers.set('w', float32([2], [1, 2])).set('empty', float32([0, 4], []))
    const branch: Graph = { ...makeGraph('branch'), outputs: [{ name: 'b', type: 'float32', dims: [] }] }
    branch.initializers.set('w', float32([], [3]))
    branch.nodes.push(makeNode('Identity', ['w'], ['b']))
    const attributes: Record<string, Attribute> = {
      far: { type: 'INT', value: 2n ** 63n - 1n },
      ints: { type: 'INTS', value: [-(2n ** 63n), 0n] },
      none: { type: 'INTS', value: [] },
      half: float(0.5),
      halves: floats([0.5, Number.POSITIVE_INFINITY]),
      word: attribute('äöü'),
      words: { type: 'STRINGS', value: [text('a'), new Uint8Array([255])] },
      tensor: attribute(int64([1], [7])),
      tensors: { type: 'TENSORS', value: [int64([], [1]), float32([1], [2])] },
      graph: { type: 'GRAPH', value: branch },
      graphs: { type: 'GRAPHS', value: [branch, makeGraph('')] },
    }
    graph.nodes.push(makeNode('Odd', ['x', '', 'w'], ['', 'y'], attributes, { domain: 'own' }))
    const model: Model = { ...makeModel(graph), metadata: new Map([['k', 'v']]) }
    expect(again(model)).toEqual(model)
  })

  it('keeps what it does not interpret', () => {
    const doc = { docString: 'd', metadataProps: [{ key: 'k', value: 'v' }] }
    const init = identity(
      {
        ...doc,
        producerName: 'p',
        producerVersion: '1',
        domain: 'd',
        modelVersion: 3n,
        trainingInfo: [{ algorithm: { name: 't', initializer: [{ name: 'i', dataType: 1, floatData: [1] }] } }],
        functions: [
          {
            name: 'f',
            domain: 'own',
            input: ['a'],
            output: ['b'],
            node: [{ opType: 'Relu', input: ['a'], output: ['b'] }],
          },
        ],
        configuration: [{ name: 'c', numDevices: 2 }],
      },
      {
        ...doc,
        initializer: [{ name: 'w', dataType: 1, rawData: new Uint8Array(4), ...doc }],
        sparseInitializer: [
          {
            dims: [4n],
            values: { name: 's', dims: [1n], dataType: 1, floatData: [1] },
            indices: { dims: [1n], dataType: 7, int64Data: [2n] },
          },
        ],
        input: [
          {
            name: 'x',
            ...doc,
            type: {
              denotation: 'IMAGE',
              value: {
                case: 'tensorType',
                value: {
                  elemType: 1,
                  shape: {
                    dim: [
                      { value: { case: 'dimParam', value: 'N' }, denotation: 'BATCH' },
                      { value: { case: undefined } },
                    ],
                  },
                },
              },
            },
          },
          {
            name: 'list',
            type: {
              value: {
                case: 'sequenceType',
                value: { elemType: { value: { case: 'tensorType', value: { elemType: 1 } } } },
              },
            },
          },
        ],
        quantizationAnnotation: [{ tensorName: 'x', quantParameterTensorNames: [{ key: 'SCALE_TENSOR', value: 'w' }] }],
        node: [
          {
            opType: 'Identity',
            input: ['x'],
            output: ['y'],
            overload: 'o',
            ...doc,
            deviceConfigurations: [{ configurationId: 'c', pipelineStage: 1 }],
            attribute: [
              { name: 'a', type: AttributeType.INT, i: 1n, docString: 'd' },
              { name: 'p', type: AttributeType.TYPE_PROTO, tp: { denotation: 'd' } },
              { name: 's', type: AttributeType.SPARSE_TENSOR, sparseTensor: { dims: [3n] } },
              { name: 'r', type: AttributeType.FLOAT, refAttrName: 'outer' },
              { name: 'stray', type: AttributeType.TENSORS, t: { dataType: 1, rawData: new Uint8Array(4) } },
              {
                name: 't',
                type: AttributeType.TENSOR,
                t: { name: 'tn', docString: 'd', dataType: 1, rawData: new Uint8Array(4) },
              },
            ],
          },
        ],
      },
    )
    const bytes = bytesOfModel(init)
    const model = decodeModel(bytes)
    expect(again(model)).toEqual(model)
    expect(model.graph.inputs[0]!.dims).toEqual(['N', null])
    expect(
      equals(ModelProtoSchema, fromBinary(ModelProtoSchema, encodeModel(model)), fromBinary(ModelProtoSchema, bytes)),
    ).toBe(true)
    model.graph.inputs[0]!.dims = [1, 2]
    const written = fromBinary(ModelProtoSchema, encodeModel(model)).graph?.input[0]?.type
    expect(written?.denotation).toBe('IMAGE')
    expect(written?.value.case === 'tensorType' && written.value.value.shape?.dim[0]).toMatchObject({
      denotation: 'BATCH',
      value: { case: 'dimValue', value: 1n },
    })
  })

  it('keeps fields, element types and attribute types of ONNX versions to come', () => {
    const init = identity(
      {},
      { initializer: [{ name: 'w', dims: [3n], dataType: 99, rawData: new Uint8Array([1, 2]) }] },
    )
    const proto = create(ModelProtoSchema, init)
    const unknown = [{ no: 900, wireType: 2, data: new Uint8Array([1, 7]) }]
    for (const part of [
      proto,
      proto.graph!,
      proto.graph!.node[0]!,
      proto.graph!.input[0]!,
      proto.graph!.initializer[0]!,
    ])
      part.$unknown = unknown
    proto.graph!.node[0]!.attribute.push(
      create(ModelProtoSchema, identity({}, { node: [{ attribute: [{ name: 'n' }] }] })).graph!.node[0]!.attribute[0]!,
    )
    proto.graph!.node[0]!.attribute[0]!.$unknown = [{ no: 20, wireType: 0, data: new Uint8Array([77]) }]
    proto.graph!.output.push(
      create(ModelProtoSchema, {
        graph: { output: [{ name: 'w', type: { value: { case: 'tensorType', value: { elemType: 99, shape: {} } } } }] },
      }).graph!.output[0]!,
    )
    const model = decodeModel(toBinary(ModelProtoSchema, proto))
    expect(model.graph.initializers.get('w')).toEqual({ type: 'undefined', dims: [3], bytes: new Uint8Array([1, 2]) })
    expect(again(model)).toEqual(model)
    const written = fromBinary(ModelProtoSchema, encodeModel(model)).graph!
    expect(written.$unknown).toEqual(unknown)
    expect(written.initializer[0]!).toMatchObject({ dataType: 99, $unknown: unknown })
    expect(written.node[0]!.$unknown).toEqual(unknown)
    expect(written.node[0]!.attribute[0]!.$unknown).toHaveLength(1)
    expect(written.output[1]!.type?.value.value).toMatchObject({ elemType: 99 })
  })

  it('has its Constant nodes lifted, also one that is an output', () => {
    const value = (name: string, init: object) => ({ opType: 'Constant', output: [name], attribute: [init] })
    const { graph } = decodeModel(
      bytesOfModel(
        identity(
          {},
          {
            output: [floatValue('t')],
            node: [
              value('t', { name: 'value', type: AttributeType.TENSOR, t: { dims: [1n], dataType: 1, floatData: [5] } }),
              value('f', { name: 'value_float', type: AttributeType.FLOAT, f: 0.5 }),
              value('fs', { name: 'value_floats', type: AttributeType.FLOATS, floats: [1, 2] }),
              value('i', { name: 'value_int', type: AttributeType.INT, i: 2n ** 62n }),
              value('is', { name: 'value_ints', type: AttributeType.INTS, ints: [] }),
              value('s', { name: 'value_string', type: AttributeType.STRING, s: text('a') }),
              value('ss', { name: 'value_strings', type: AttributeType.STRINGS, strings: [text('a'), text('b')] }),
              value('new', {
                name: 'value',
                type: AttributeType.TENSOR,
                t: { dims: [1n], dataType: 99, rawData: new Uint8Array(1) },
              }),
              value('sparse', { name: 'sparse_value', type: AttributeType.SPARSE_TENSOR, sparseTensor: {} }),
            ],
          },
        ),
      ),
    )
    expect(graph.nodes.map((node) => node.outputs[0])).toEqual(['new', 'sparse'])
    const shapes = Array.from(graph.initializers, ([name, { type, dims }]) => [name, type, dims])
    expect(shapes).toEqual([
      ['t', 'float32', [1]],
      ['f', 'float32', []],
      ['fs', 'float32', [2]],
      ['i', 'int64', []],
      ['is', 'int64', [0]],
      ['s', 'string', []],
      ['ss', 'string', [2]],
    ])
    expect(int64Of(graph.initializers.get('i')!)[0]).toBe(2n ** 62n)
  })

  it('does not ask to be fed its initializers, and still lists them', () => {
    const listed = (irVersion: bigint) =>
      bytesOfModel(
        identity(
          { irVersion },
          {
            input: [floatValue('w'), floatValue('x')],
            initializer: [{ name: 'w', dims: [2n], dataType: 1, floatData: [1, 2] }],
            node: [{ opType: 'Add', input: ['x', 'w'], output: ['y'] }],
          },
        ),
      )
    for (const [version, defaults] of [
      [3n, undefined],
      [8n, ['w']],
    ] as const) {
      const model = decodeModel(listed(version))
      expect(model.graph.inputs.map(({ name }) => name)).toEqual(['x'])
      expect(model.graph.defaults).toEqual(defaults)
      expect(again(model)).toEqual(model)
      const names = fromBinary(ModelProtoSchema, encodeModel(model)).graph?.input.map(({ name }) => name)
      expect(names).toEqual(['x', 'w'])
    }
  })

  it('reads ai.onnx as the default domain, and attributes without a type as before IR version 2', () => {
    const model = decodeModel(
      bytesOfModel(
        identity(
          { opsetImport: [{ domain: 'ai.onnx', version: 13n }] },
          {
            node: [
              { opType: 'Elu', domain: 'ai.onnx', input: ['x'], output: ['y'], attribute: [{ name: 'alpha', f: 2 }] },
            ],
          },
        ),
      ),
    )
    expect(model.opsets.get('')).toBe(13)
    expect(model.graph.nodes[0]).toMatchObject({ domain: '', attributes: new Map([['alpha', float(2)]]) })
  })

  it('has its nodes put in order', () => {
    const node = (input: string, output: string) => ({ opType: 'Relu', input: [input], output: [output] })
    const sorted = decodeModel(bytesOfModel(identity({}, { node: [node('b', 'y'), node('a', 'b'), node('x', 'a')] })))
    expect(sorted.graph.nodes.map(({ outputs }) => outputs[0])).toEqual(['a', 'b', 'y'])
  })

  const relu = (input: string, output: string) => ({ opType: 'Relu', input: [input], output: [output] })
  const wrong: [string, ModelInit, RegExp][] = [
    ['no graph', { irVersion: 8n }, /it has no graph/],
    ['a cycle', identity({}, { node: [relu('b', 'a'), relu('a', 'b'), relu('x', 'y')] }), /part of a cycle/],
    [
      'a value from nowhere',
      identity({}, { node: [relu('z', 'y')] }),
      /node 'y', operator 'Relu': it reads 'z', which nothing makes/,
    ],
    ['an output from nowhere', identity({}, { output: [floatValue('q')] }), /value 'q': nothing makes this output/],
    ['a value made twice', identity({}, { node: [relu('x', 'y'), relu('x', 'y')] }), /two values are named 'y'/],
    [
      'two initializers of one name',
      identity({}, { initializer: [1, 2].map(() => ({ name: 'w', dataType: 1, floatData: [1] })) }),
      /two initializers/,
    ],
    ['a node without operator', identity({}, { node: [{ input: ['x'], output: ['y'] }] }), /without an operator/],
    ['an attribute without a name', identity({}, { node: [{ ...relu('x', 'y'), attribute: [{}] }] }), /without a name/],
    [
      'an attribute twice',
      identity({}, { node: [{ ...relu('x', 'y'), attribute: [{ name: 'a' }, { name: 'a' }] }] }),
      /two attributes 'a'/,
    ],
    ['a huge version', identity({ irVersion: 2n ** 60n }), /ir_version is/],
    [
      'data elsewhere',
      identity(
        {},
        {
          initializer: [
            { name: 'w', dataType: 1, dataLocation: 1, externalData: [{ key: 'location', value: 'w.bin' }] },
          ],
        },
      ),
      /another file, 'w.bin'.*readModel/,
    ],
  ]
  it.each(wrong)('with %s is refused', (_, init, message) => {
    expect(() => decodeModel(bytesOfModel(init), { file: 'm.onnx' })).toThrow(message)
    expect(() => decodeModel(bytesOfModel(init), { file: 'm.onnx' })).toThrow(/^file 'm.onnx'/)
  })

  it('of any small form is what was written', () => {
    fc.assert(
      fc.property(anyModel, (model) => {
        expect(again(model)).toEqual(model)
      }),
      { numRuns: 200 },
    )
  })
})

/** Small models of every kind: names, shapes, element types and attributes by chance; sound, if senseless. */
const anyTensor: fc.Arbitrary<Tensor> = fc
  .record({
    type: fc.constantFrom<DataType>(
      'float32',
      'int64',
      'bool',
      'float16',
      'int4',
      'uint2',
      'complex128',
      'float8e5m2',
      'string',
    ),
    dims: fc.array(fc.nat(3), { maxLength: 3 }),
  })
  .chain(({ type, dims }): fc.Arbitrary<Tensor> => {
    const size = dims.reduce((n, dim) => n * dim, 1)
    const bytes = (length: number) =>
      fc.uint8Array({ minLength: length, maxLength: length }).map((b) => new Uint8Array(b))
    if (type !== 'string')
      return bytes(Math.ceil((size * dataTypes[type].bits) / 8)).map((b) => ({ type, dims, bytes: b }))
    return fc
      .array(bytes(2), { minLength: size, maxLength: size })
      .map((strings) => ({ type, dims, bytes: new Uint8Array(0), strings }))
  })

const anyAttribute: fc.Arbitrary<Attribute> = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value): Attribute => ({ type: 'INT', value })),
  fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })).map((value): Attribute => ({ type: 'INTS', value })),
  fc.float().map((value): Attribute => ({ type: 'FLOAT', value })),
  fc.array(fc.float()).map((value): Attribute => ({ type: 'FLOATS', value })),
  fc.string({ unit: 'grapheme' }).map((value) => attribute(value)),
  anyTensor.map((value): Attribute => ({ type: 'TENSOR', value })),
)

const anyValue = (name: string): fc.Arbitrary<ValueInfo> =>
  fc.oneof(
    fc.record({
      name: fc.constant(name),
      type: fc.constantFrom<DataType>('float32', 'int64', 'string', 'bfloat16'),
      dims: fc.array(fc.oneof(fc.nat(), fc.string({ minLength: 1 }), fc.constant(null)), { maxLength: 4 }),
    }),
    fc.constant<ValueInfo>({ name, type: 'float32' }),
  )

const anyModel: fc.Arbitrary<Model> = fc
  .record({
    names: fc.uniqueArray(fc.string({ minLength: 1, unit: 'grapheme' }), { minLength: 3, maxLength: 8 }),
    tensors: fc.array(anyTensor, { maxLength: 3 }),
    attributes: fc.dictionary(fc.string({ minLength: 1 }), anyAttribute, { maxKeys: 3 }),
    opset: fc.integer({ min: 7, max: 21 }),
    input: anyValue('input'),
    output: anyValue('output'),
  })
  .map(({ names, tensors, attributes, opset, input, output }) => {
    const graph = makeGraph('any')
    graph.inputs = [{ ...input, name: `in ${names[0]}` }]
    for (const [i, tensor] of tensors.entries()) graph.initializers.set(`w${i} ${names[i]}`, tensor)
    let last = `in ${names[0]}`
    for (const name of names) {
      graph.nodes.push(
        makeNode('Any', [last, '', ...graph.initializers.keys()], [`out ${name}`], attributes, { domain: 'x' }),
      )
      last = `out ${name}`
    }
    graph.outputs = [{ ...output, name: last }]
    graph.valueInfo.set(last, { name: last, type: 'float32' })
    return makeModel(graph, { opset })
  })
