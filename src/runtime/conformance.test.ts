import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { type DataType, EspalierError, float32, float32Of, int64, numbersOf, type Tensor } from '../base/index.ts'
import {
  decodeModel,
  encodeModel,
  type Graph,
  GraphBuilder,
  type Model,
  makeGraph,
  makeModel,
  subgraph,
} from '../onnx/index.ts'
import { fixture } from '../testing/fixtures.ts'
import { constants, measureLatency, type Runtime, sessionCache, trace } from './index.ts'
import { nodeRuntime } from './node.ts'
import { webRuntime } from './web.ts'

const utf8 = new TextEncoder()

/** A model written by hand: inputs as `name: [type, dims]`, and a body that returns its outputs. */
const modelOf = (
  inputs: Record<string, [DataType, (number | string)[]]>,
  body: (b: GraphBuilder, graph: Graph) => Record<string, DataType>,
): Model => {
  const graph = makeGraph('test')
  graph.inputs = Object.entries(inputs).map(([name, [type, dims]]) => ({ name, type, dims }))
  const outputs = body(new GraphBuilder(graph), graph)
  graph.outputs = Object.entries(outputs).map(([name, type]) => ({ name, type }))
  return makeModel(graph)
}

const identity = (type: DataType, dims: (number | string)[]) =>
  modelOf({ x: [type, dims] }, (b) => ({ [b.op('Identity', ['x'])]: type }))

/** x·w with w [2, 4] = 0…7 as an initializer. */
const product = () =>
  modelOf({ x: ['float32', ['N', 2]] }, (b) => {
    const w = b.initializer('w', float32([2, 4], [0, 1, 2, 3, 4, 5, 6, 7]))
    return { [b.op('MatMul', ['x', w], {}, { name: 'product' })]: 'float32' }
  })

const ones = float32([1, 2], [1, 1])
const recorded = (name: string) => new Uint8Array(readFileSync(fixture(`gradients/${name}.onnx`)))
const wave = (dims: number[]) =>
  float32(
    dims,
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i)),
  )

describe.each([nodeRuntime, webRuntime])('the $name runtime', (runtime: Runtime) => {
  beforeAll(async () => {
    // The first session sets the web engine's threads.
    await (await runtime.open(product(), { threads: 2 })).close()
  })

  const through = async (tensor: Tensor): Promise<Tensor> => {
    const session = await runtime.open(identity(tensor.type, [...tensor.dims]))
    const { Identity_out } = await session.run({ x: tensor })
    await session.close()
    return Identity_out!
  }

  test.each<[DataType, number]>([
    ['float32', 4],
    ['float64', 8],
    ['float16', 2],
    ['int8', 1],
    ['uint8', 1],
    ['int16', 2],
    ['uint16', 2],
    ['int32', 4],
    ['uint32', 4],
    ['int64', 8],
    ['uint64', 8],
    ['bool', 1],
  ])('%s passes unchanged, aligned or not', async (type, width) => {
    const bytes = Uint8Array.from({ length: 3 * width }, (_, i) => (type === 'bool' ? i % 2 : 40 + i))
    const padded = new Uint8Array(3 * width + 1)
    padded.set(bytes, 1)
    for (const at of [bytes, padded.subarray(1)])
      expect(await through({ type, dims: [3], bytes: at })).toEqual({ type, dims: [3], bytes })
  })

  test('memory shared between threads is taken too', async () => {
    const bytes = new Uint8Array(new SharedArrayBuffer(8))
    bytes.set([1, 2, 3])
    expect(numbersOf(await through({ type: 'uint8', dims: [8], bytes }))).toEqual([1, 2, 3, 0, 0, 0, 0, 0])
  })

  test('strings, scalars and empty tensors pass', async () => {
    const strings = ['a', 'é日', ''].map((text) => utf8.encode(text))
    const text = await through({ type: 'string', dims: [3], bytes: new Uint8Array(0), strings })
    expect(text.strings).toEqual(strings)
    expect(await through(int64([], [7]))).toEqual(int64([], [7]))
    expect(await through(float32([0, 3], []))).toEqual(float32([0, 3], []))
  })

  test.each([
    [[0xff], /not UTF-8/],
    [[65, 0, 66], /NUL/],
  ])('strings the engine would damage are refused: %j', async (bytes, message) => {
    const strings = [Uint8Array.from(bytes)]
    await expect(through({ type: 'string', dims: [1], bytes: new Uint8Array(0), strings })).rejects.toThrow(message)
  })

  test('types the engine cannot pass are refused by name', async () => {
    const cast = modelOf({ x: ['float32', [2]] }, (b) => ({ [b.op('Cast', ['x'], { to: 16 })]: 'bfloat16' }))
    await expect(runtime.open(cast)).rejects.toThrow(/bfloat16.*cast it to float32/)
  })

  test('a model, its bytes, and weights handed over as they are give the same', async () => {
    const w = wave([64, 64])
    const model = modelOf({ x: ['float32', ['N', 64]] }, (b) => ({
      [b.op('MatMul', ['x', b.initializer('w', w)])]: 'float32',
    }))
    const x = wave([3, 64])
    const results = []
    for (const source of [model, encodeModel(model)]) {
      const session = await runtime.open(source)
      results.push(await session.run({ x }))
      await session.close()
    }
    expect(results[0]).toEqual(results[1])
    expect(results[0]!.MatMul_out!.dims).toEqual([3, 64])
    expect(float32Of(results[0]!.MatMul_out!)[0]).toBeCloseTo(
      Array.from({ length: 64 }, (_, k) => Math.sin(k) * Math.sin(64 * k)).reduce((a, b) => a + b),
      4,
    )
  })

  test('a file is opened by its path', async () => {
    const session = await runtime.open({ path: fixture('gradients/mlp.onnx') })
    expect(session.outputs.length).toBe(1)
    await session.close()
  })

  test('inputs and outputs are described', async () => {
    const session = await runtime.open(product())
    expect(session.inputs).toEqual(['x'])
    expect(session.outputs).toEqual(['MatMul_out'])
    expect(session.valueInfo.get('x')).toEqual({ name: 'x', type: 'float32', dims: ['N', 2] })
    expect(session.valueInfo.get('MatMul_out')).toEqual({ name: 'MatMul_out', type: 'float32', dims: ['N', 4] })
    await session.close()
  })

  test('only the outputs asked for come back', async () => {
    const model = modelOf({ x: ['float32', ['N']] }, (b) => ({
      [b.op('Neg', ['x'])]: 'float32',
      [b.op('Abs', ['x'])]: 'float32',
    }))
    const session = await runtime.open(model)
    const x = float32([2], [-1, 2])
    expect(await session.run({ x }, ['Abs_out'])).toEqual({ Abs_out: float32([2], [1, 2]) })
    expect(Object.keys(await session.run({ x }))).toEqual(['Neg_out', 'Abs_out'])
    expect(await session.run({ x }, [])).toEqual({})
    await expect(session.run({ x }, ['y'])).rejects.toThrow(/no output 'y'; its outputs are 'Neg_out', 'Abs_out'/)
    await session.close()
  })

  test('outputs belong to the caller', async () => {
    const session = await runtime.open(product())
    const first = float32Of((await session.run({ x: ones })).MatMul_out!)
    first.fill(0)
    const second = float32Of((await session.run({ x: ones })).MatMul_out!)
    await session.close()
    expect([...second]).toEqual([4, 6, 8, 10])
    expect([...first]).toEqual([0, 0, 0, 0])
  })

  test.each<[string, Record<string, Tensor>, RegExp]>([
    ['missing', {}, /input 'x' is missing; it takes float32 \[N, 2\]/],
    ['unknown', { x: ones, z: ones }, /no input 'z'; its inputs are 'x'/],
    ['of the wrong type', { x: int64([1, 2], [1, 2]) }, /'x' takes float32 \[N, 2\] and was given int64/],
    [
      'of the wrong shape',
      { x: float32([1, 3], [1, 2, 3]) },
      /'x' takes float32 \[N, 2\] and was given shape \[1, 3\]/,
    ],
    ['of the wrong rank', { x: float32([2], [1, 2]) }, /given shape \[2\]/],
    ['too short', { x: { type: 'float32', dims: [1, 2], bytes: new Uint8Array(4) } }, /4 bytes where .* takes 8/],
  ])('a feed %s is said by name before the engine runs', async (_, feeds, message) => {
    const session = await runtime.open(product())
    await expect(session.run(feeds)).rejects.toThrow(message)
    expect(float32Of((await session.run({ x: ones })).MatMul_out!)[0]).toBe(4)
    await session.close()
  })

  test('an error while running names the node and its operator', async () => {
    const model = modelOf({ x: ['float32', ['N']] }, (b) => ({
      [b.op('Gather', ['x', b.ints([9])], {}, { name: 'pick' })]: 'float32',
    }))
    const session = await runtime.open(model)
    const error = await session.run({ x: wave([2]) }).catch((thrown: unknown) => thrown)
    await session.close()
    expect(error).toBeInstanceOf(EspalierError)
    expect(String(error)).toMatch(
      /node 'pick', operator 'Gather': ONNX Runtime could not run the model: indices element out of data bounds/,
    )
  })

  test("the engine's own source lines are left out of its errors", async () => {
    const model = modelOf({ x: ['float32', ['N']], y: ['float32', ['M']] }, (b) => ({
      [b.op('Add', ['x', 'y'])]: 'float32',
    }))
    const session = await runtime.open(model)
    const running = session.run({ x: wave([2]), y: wave([3]) })
    await expect(running).rejects.toThrow(/the model: axis == 1 .* by a dimension other than 1\. 2 by 3$/)
    await session.close()
  })

  test.each<[string, () => Model | Uint8Array, object]>([
    ['an unknown operator', () => unary('Wobble'), { operator: 'Wobble' }],
    ['a type no kernel takes', () => unary('Sin', 'int32'), { node: 'it', operator: 'Sin' }],
    ['a missing value', () => unary('Sin', 'float32', 'nowhere'), { value: 'nowhere' }],
    ['bytes that are no model', () => new Uint8Array(10).fill(7), {}],
  ])('opening %s fails with one line', async (_, source, place) => {
    const error = await runtime.open(source()).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(EspalierError)
    expect(error).toMatchObject({ place })
    expect(String(error)).not.toMatch(/onnxruntime_src|\n|ERROR_CODE|\.cc:/)
  })

  test('two runs at once on one session each get their own answer', async () => {
    const session = await runtime.open(product())
    const inputs = [1, 2, 3, 4, 5].map((x) => float32([1, 2], [x, 0]))
    const results = await Promise.all(inputs.map((x) => session.run({ x })))
    expect(results.map((result) => float32Of(result.MatMul_out!)[1])).toEqual([1, 2, 3, 4, 5])
    await session.close()
  })

  test('closing waits for runs under way, may be repeated, and ends the session', async () => {
    const session = await runtime.open(product())
    const under = session.run({ x: ones })
    await session.close()
    await session.close()
    expect(float32Of((await under).MatMul_out!)[0]).toBe(4)
    await expect(session.run({ x: ones })).rejects.toThrow('the session is closed; open the model again')
  })

  test.each([0, 1.5, -1])('%d threads are refused', async (threads) => {
    await expect(runtime.open(product(), { threads })).rejects.toThrow(/threads must be/)
  })

  test('trace gives every value of a real network', async () => {
    const model = decodeModel(recorded('resnet-eval'))
    const traced = await trace(runtime, model, { x: wave([2, 3, 16, 16]) })
    expect(traced.get('x')).toEqual({ type: 'float32', dims: [2, 3, 16, 16] })
    expect(traced.get('/stem/Conv_output_0')).toEqual({ type: 'float32', dims: [2, 8, 16, 16] })
    expect(traced.get('y')).toEqual({ type: 'float32', dims: [2, 10] })
    for (const name of model.graph.initializers.keys()) expect(traced.has(name)).toBe(true)
    for (const node of model.graph.nodes) for (const name of node.outputs) expect(traced.has(name)).toBe(true)
  })

  test('trace: types of every kind, optional outputs, sequences, subgraphs, nothing at all', async () => {
    const model = modelOf({ x: ['float32', ['N', 2]], p: ['bool', []] }, (b, graph) => {
      const branch = (op: string) => {
        const inner = makeGraph(op)
        const out = new GraphBuilder(inner, op).op(op, ['x'])
        inner.outputs = [{ name: out, type: 'float32' }]
        return subgraph(inner)
      }
      b.op('Cast', ['x'], { to: 16 })
      b.op('SequenceConstruct', ['x'])
      b.op('If', ['p'], { then_branch: branch('Neg'), else_branch: branch('Abs') })
      b.op('Slice', ['x', b.ints([0]), b.constant(int64([1], [0])), b.ints([1])])
      const [kept] = b.ops('Dropout', ['x'], 2)
      b.op('Greater', [kept!, b.scalar(0)])
      graph.nodes.at(-2)!.outputs[0] = kept!
      return { [b.op('Sin', [kept!])]: 'float32' }
    })
    const traced = await trace(runtime, model, {
      x: float32([3, 2], [1, 2, 3, 4, 5, 6]),
      p: { type: 'bool', dims: [], bytes: Uint8Array.of(1) },
    })
    const float = { type: 'float32', dims: [3, 2] }
    expect(traced.get('Cast_out')).toEqual({ type: 'bfloat16', dims: [3, 2] })
    expect(traced.has('SequenceConstruct_out')).toBe(false)
    expect(traced.get('If_out')).toEqual(float)
    expect(traced.has('Neg/Neg_out')).toBe(false)
    expect(traced.get('Slice_out')).toEqual({ type: 'float32', dims: [3, 0] })
    expect(traced.get('Dropout_out1')).toEqual({ type: 'bool', dims: [3, 2] })
    expect(traced.get('Greater_out')).toEqual({ type: 'bool', dims: [3, 2] })
    expect(traced.get('p')).toEqual({ type: 'bool', dims: [] })
    expect(traced.get('Sin_out')).toEqual(float)
  })

  test('a graph without nodes has only its initializers to trace', async () => {
    const graph = makeGraph('constant')
    graph.initializers.set('c', ones)
    graph.outputs = [{ name: 'c', type: 'float32' }]
    expect([...(await trace(runtime, makeModel(graph), {}))]).toEqual([['c', { type: 'float32', dims: [1, 2] }]])
    expect(await constants(runtime, makeModel(graph))).toEqual(new Map())
  })

  test('constants: what follows from initializers, and from traced shapes when they are given', async () => {
    const model = modelOf({ x: ['float32', ['N', 2, 3]] }, (b) => {
      const shape = b.op('Shape', ['x'])
      const batch = b.op('Gather', [shape, b.ints([0])])
      const target = b.op('Concat', [batch, b.ints([-1], 'rest')], { axis: 0 })
      const scale = b.op('Add', [b.initializer('a', float32([2], [1, 2])), b.initializer('b', float32([2], [3, 4]))])
      b.op('RandomNormal', [], { shape: [2] })
      return { [b.op('Mul', [scale, scale])]: 'float32', [b.op('Reshape', ['x', target])]: 'float32' }
    })
    const alone = await constants(runtime, model)
    expect([...alone.keys()].sort()).toEqual(['Add_out', 'Mul_out'])
    expect(numbersOf(alone.get('Mul_out')!)).toEqual([16, 36])
    expect(await constants(runtime, model, { variables: new Set(['a']) })).toEqual(new Map())

    const shapes = await trace(runtime, model, { x: wave([5, 2, 3]) })
    const all = await constants(runtime, model, { shapes })
    expect(numbersOf(all.get('Shape_out')!)).toEqual([5, 2, 3])
    expect(numbersOf(all.get('Concat_out')!)).toEqual([5, -1])
    expect(all.has('Reshape_out')).toBe(false)
  })

  test('cache: one session per key, the least used closed past the limit, all closed at once', async () => {
    let built = 0
    const build = () => {
      built++
      return product()
    }
    const cache = sessionCache(runtime, { limit: 2 })
    const [a, again] = await Promise.all([cache.open('a', build), cache.open('a', build)])
    expect(again).toBe(a)
    const b = await cache.open('b', build)
    await cache.open('a', build)
    await cache.open('c', build)
    expect([built, cache.size]).toEqual([3, 2])
    await expect(b.run({ x: ones })).rejects.toThrow('closed')
    expect(float32Of((await a.run({ x: ones })).MatMul_out!)[0]).toBe(4)
    await expect(cache.open('bad', () => new Uint8Array(3).fill(9))).rejects.toThrow(EspalierError)
    await cache.close()
    await expect(a.run({ x: ones })).rejects.toThrow('closed')
    expect(cache.size).toBe(0)
  })

  test('latency is measured over the runs asked for', async () => {
    const session = await runtime.open(product())
    const { min, median, p90, runs } = await measureLatency(session, { x: ones }, { warmup: 1, runs: 5 })
    await session.close()
    expect(runs).toBe(5)
    expect(min).toBeGreaterThan(0)
    expect(median).toBeGreaterThanOrEqual(min)
    expect(p90).toBeGreaterThanOrEqual(median)
  })
})

const unary = (op: string, type: DataType = 'float32', input = 'x') =>
  modelOf({ x: [type, [2]] }, (b) => ({ [b.op(op, [input], {}, { name: 'it' })]: type }))

test.each(['resnet-eval', 'inception'])('both engines trace %s alike and give the same outputs', async (name) => {
  const model = decodeModel(recorded(name))
  const dims = model.graph.inputs[0]!.dims!.map((dim) => (typeof dim === 'number' ? dim : 2))
  const x = wave(dims)
  const input = model.graph.inputs[0]!.name
  const [native, web] = await Promise.all([nodeRuntime, webRuntime].map((r) => trace(r, model, { [input]: x })))
  expect(native).toEqual(web)
  const outputs = await Promise.all(
    [nodeRuntime, webRuntime].map(async (runtime) => {
      const session = await runtime.open(model)
      const [output] = Object.values(await session.run({ [input]: x }))
      await session.close()
      return float32Of(output!)
    }),
  )
  outputs[0]!.forEach((value, i) => {
    expect(outputs[1]![i]).toBeCloseTo(value, 5)
  })
})
