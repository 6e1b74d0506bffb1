import { int64, numbersOf, own, type Tensor, UnsupportedError } from '../base/index.ts'
import { copyModel, liftConstants, type Model } from '../onnx/index.ts'
import { differenceOf, fedInputs, sampleInputs } from '../prune/index.ts'
import { constants, infer, type Runtime, type Values } from '../runtime/index.ts'

/** The batch that a model's file fixes; undefined where it takes any. */
export const fixedBatch = (model: Model): number | undefined => {
  const dim = fedInputs(model)[0]?.dims?.[0]
  return typeof dim === 'number' ? dim : undefined
}

/**
 * A model exported for one size of batch, as PyTorch exports it unless told otherwise, as one that takes any: the batch's
 * axis of inputs and outputs gets a name, and shapes written down that begin with it copy it from what they reshape.
 * That each sample still gets its own answer is tried: two batches at once must give what each gives alone, within a
 * relative 1e-4. A model that takes any batch comes back as it is.
 * @throws UnsupportedError when its nodes are made for that batch alone
 */
export const freeBatch = async (model: Model, runtime: Runtime): Promise<Model> => {
  const batch = fixedBatch(model)
  if (batch === undefined) return model
  const [first, second] = [sampleInputs(model, { seed: 1 }), sampleInputs(model, { seed: 2 })]
  const free = copyModel(model)
  liftConstants(free.graph)
  await freeReshapes(free, batch, runtime, first)
  for (const info of [...fedInputs(free), ...free.graph.outputs])
    if (info.dims?.[0] === batch) info.dims = ['N', ...info.dims.slice(1)]
  free.graph.valueInfo.clear()

  const refusal = (cause?: unknown) =>
    new UnsupportedError(`the model was exported for batches of ${batch}, and its nodes take no others`, {
      remedy: "export it with a free batch, as PyTorch's dynamic_axes={'image': {0: 'N'}} does",
      cause,
    })
  const apart = [await answers(runtime, model, first), await answers(runtime, model, second)] as const
  const together = await answers(runtime, free, joined(first, second)).catch((error: unknown) => {
    throw refusal(error)
  })
  // What a graph gives of the whole batch, such as its own loss, is another number for two.
  const ofSamples = model.graph.outputs.flatMap(({ name, dims }) => (dims?.[0] === batch ? [name] : []))
  for (const name of ofSamples)
    if (!(differenceOf(stacked(apart[0][name]!, apart[1][name]!), own(together, name)) <= 1e-4)) throw refusal()
  return free
}

/** Constant shapes [batch, …] of reshapes whose data begin with the batch too: 0 copies it. */
const freeReshapes = async (model: Model, batch: number, runtime: Runtime, feeds: Values) => {
  const { nodes, initializers } = model.graph
  const types = await infer(runtime, model, feeds)
  const weights = [...initializers].flatMap(([name, { type }]) => (type === 'int64' ? [] : [name]))
  const computed = await constants(runtime, model, { variables: new Set(weights) })
  for (const node of nodes) {
    const [data = '', shape = ''] = node.inputs
    const tensor = initializers.get(shape) ?? computed.get(shape)
    const dims = tensor ? numbersOf(tensor) : []
    const copies = node.opType === 'Reshape' && !node.attributes.has('allowzero')
    if (!copies || dims[0] !== batch || types.get(data)?.dims[0] !== batch) continue
    node.inputs[1] = `${shape}/free`
    initializers.set(node.inputs[1], int64([dims.length], BigInt64Array.from(dims.with(0, 0), BigInt)))
  }
}

const joined = (a: Values, b: Values): Values =>
  Object.fromEntries(Object.entries(a).map(([name, tensor]) => [name, stacked(tensor, b[name]!)]))

const stacked = ({ type, dims: [n = 1, ...dims], bytes }: Tensor, other: Tensor): Tensor => {
  const both = new Uint8Array(bytes.byteLength + other.bytes.byteLength)
  both.set(bytes)
  both.set(other.bytes, bytes.byteLength)
  return { type, dims: [2 * n, ...dims], bytes: both }
}

const answers = async (runtime: Runtime, model: Model, feeds: Values): Promise<Values> => {
  const session = await runtime.open(model)
  return session.run(feeds).finally(() => session.close())
}
