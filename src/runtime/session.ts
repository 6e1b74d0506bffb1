import type * as Ort from 'onnxruntime-common'
import { byteLengthOf, EspalierError, own, type Tensor, UnsupportedError, UsageError } from '../base/index.ts'
import { modelChunks } from '../onnx/encode.ts'
import type { Model, ValueInfo } from '../onnx/index.ts'
import { engineError } from './errors.ts'
import { type Names, withOwnNames } from './names.ts'
import { type Engine, fromEngine, toEngine } from './tensors.ts'
import type { ModelSource, Provider, Runtime, Session, SessionOptions, Values } from './types.ts'

/** What sets one of ONNX Runtime's JavaScript engines apart. */
export type EngineSource = {
  readonly name: Runtime['name']
  /** The execution provider its sessions run on; the engine would else try others first. */
  readonly provider: () => Promise<Provider>
  /** Called whenever a session is opened. */
  readonly load: (options: SessionOptions) => Promise<Engine>
}

export const runtimeOver = ({ name, provider, load }: EngineSource): Runtime => ({
  name,
  provider,
  async open(source, options = {}) {
    const { threads } = options
    if (threads !== undefined && !(Number.isInteger(threads) && threads > 0))
      throw new UsageError(`threads must be a whole number above 0, not ${threads}`)
    const engine = await load(options)
    const settings: Ort.InferenceSession.SessionOptions = {
      ...quiet,
      executionProviders: [await provider()],
      graphOptimizationLevel: options.optimization ?? 'all',
      ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
      ...(options.memoryPattern === undefined ? {} : { enableMemPattern: options.memoryPattern }),
    }
    const { model, names } = withOwnNames(source)
    return sessionOf(engine, await create(engine, model, settings), names)
  },
})

/** Only fatal errors are logged: the engine's warnings would go straight to stderr, and its errors are thrown anyway. */
const quiet = { logSeverityLevel: 4 } as const

const create = async (
  engine: Engine,
  source: ModelSource,
  settings: Ort.InferenceSession.SessionOptions,
): Promise<Ort.InferenceSession> => {
  try {
    if ('path' in source) return await engine.InferenceSession.create(source.path, settings)
    if (source instanceof Uint8Array) return await engine.InferenceSession.create(source, settings)
    const { bytes, weights } = inPieces(source)
    return await engine.InferenceSession.create(bytes, { ...settings, externalData: weights })
  } catch (error) {
    throw engineError(error, 'open the model')
  }
}

/**
 * A model's bytes without its large initializers, which the engine reads from where they are as if they were files beside
 * it: no second copy is made to hand them over, and protobuf's limit of 2 GiB does not apply.
 */
const inPieces = (model: Model) => {
  const weights: { path: string; data: Uint8Array }[] = []
  const { parts } = modelChunks(model, (tensor, name) => {
    const length = tensor.bytes.byteLength
    if (length < 4096 || model.graph.initializers.get(name) !== tensor) return undefined
    const path = `weights-${weights.length}`
    weights.push({ path, data: tensor.bytes })
    return { location: path, offset: 0, length }
  })
  return { bytes: joinedBytes(parts), weights }
}

const joinedBytes = (parts: readonly Uint8Array[]): Uint8Array => {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.byteLength
  }
  return bytes
}

const sessionOf = (engine: Engine, native: Ort.InferenceSession, names: Names): Session => {
  const infos = (list: readonly Ort.InferenceSession.ValueMetadata[]) =>
    new Map(list.map(infoOf).map((info) => [names.ours(info.name), { ...info, name: names.ours(info.name) }]))
  const [inputs, outputs] = [infos(native.inputMetadata), infos(native.outputMetadata)]
  const running = new Set<Promise<unknown>>()
  let closing: Promise<void> | undefined

  const run = async (feeds: Values, fetches?: readonly string[]): Promise<Values> => {
    if (closing) throw new EspalierError('the session is closed', { remedy: 'open the model again' })
    checkFeeds(feeds, inputs)
    const wanted = fetches ?? [...outputs.values()].filter(isTensor).map((output) => output.name)
    checkFetches(wanted, outputs)
    if (wanted.length === 0) return {}
    const given = Object.entries(feeds).map(([name, tensor]) => [names.theirs(name), toEngine(engine, name, tensor)])
    const work = native.run(Object.fromEntries(given), wanted.map(names.theirs), quiet)
    running.add(work)
    try {
      const results = await work
      return Object.fromEntries(wanted.map((name) => [name, fromEngine(names.theirs(name), results)]))
    } catch (error) {
      throw engineError(error, 'run the model')
    } finally {
      running.delete(work)
    }
  }

  return {
    inputs: [...inputs.keys()],
    outputs: [...outputs.keys()],
    valueInfo: new Map([...inputs, ...outputs]),
    run,
    close() {
      closing ??= Promise.allSettled(running).then(() => native.release())
      return closing
    },
  }
}

/** The web engine's −1 for a dimension of any size, unsigned. */
const free = 2 ** 32 - 1

const infoOf = (value: Ort.InferenceSession.ValueMetadata): ValueInfo => {
  if (!value.isTensor) return { name: value.name, type: 'undefined' }
  const dims = value.shape.map((dim) => (dim === '' || dim === free ? null : dim))
  return { name: value.name, type: value.type, ...(dims.length > 0 ? { dims } : {}) }
}

const isTensor = (value: ValueInfo) => value.type !== 'undefined'

const checkFetches = (fetches: readonly string[], outputs: ReadonlyMap<string, ValueInfo>): void => {
  for (const name of fetches) {
    const output = outputs.get(name)
    if (!output) throw new UsageError(`the model has no output '${name}'; its outputs are ${list(outputs.keys())}`)
    if (!isTensor(output))
      throw new UnsupportedError(`output '${name}' is not a tensor, and only tensors can be fetched`)
  }
}

/** Says what is wrong with the feeds in this library's words, before the engine sees them. */
const checkFeeds = (feeds: Values, inputs: ReadonlyMap<string, ValueInfo>): void => {
  for (const name of Object.keys(feeds))
    if (!inputs.has(name))
      throw new UsageError(`the model has no input '${name}'; its inputs are ${list(inputs.keys())}`)
  for (const input of inputs.values()) {
    const tensor = own(feeds, input.name)
    if (tensor === undefined) throw new UsageError(`input '${input.name}' is missing; it takes ${typeText(input)}`)
    checkFeed(tensor, input)
  }
}

const checkFeed = (tensor: Tensor, input: ValueInfo): void => {
  if (!isTensor(input))
    throw new UnsupportedError(`input '${input.name}' takes a sequence, map or optional, and only tensors can be fed`)
  if (tensor.type !== input.type)
    throw new UsageError(`input '${input.name}' takes ${typeText(input)} and was given ${tensor.type}`)
  const given = `[${tensor.dims.join(', ')}]`
  const fits =
    input.dims === undefined ||
    (input.dims.length === tensor.dims.length &&
      input.dims.every((dim, axis) => typeof dim !== 'number' || dim === tensor.dims[axis]))
  if (!fits) throw new UsageError(`input '${input.name}' takes ${typeText(input)} and was given shape ${given}`)
  if (tensor.type !== 'string' && tensor.bytes.byteLength !== byteLengthOf(tensor))
    throw new UsageError(
      `input '${input.name}' has ${tensor.bytes.byteLength} bytes where ${tensor.type} ${given} takes ${byteLengthOf(tensor)}`,
    )
}

const typeText = ({ type, dims }: ValueInfo): string =>
  dims === undefined ? type : `${type} [${dims.map((dim) => dim ?? '?').join(', ')}]`

const list = (names: Iterable<string>): string => [...names].map((name) => `'${name}'`).join(', ') || 'none'
