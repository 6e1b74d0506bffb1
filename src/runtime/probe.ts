import type { Tensor } from '../base/index.ts'
import { copyModel, type Model, type ValueInfo } from '../onnx/index.ts'
import { decideSizes } from './data-sizes.ts'
import { untransferableType } from './errors.ts'
import type { Runtime, Session, SessionOptions, Values } from './types.ts'

/** A session opened once to learn something about a model, and the weights it must be fed. */
type Probe = { readonly session: Session; readonly weights: Values }

type ProbeOptions = Pick<SessionOptions, 'optimization'> & { readonly shapesOnly?: boolean }

/**
 * Opens a model for a single run. Large float32 initializers become inputs, fed from the memory they are in: nothing is
 * written or copied for them, and no size limit of the file format applies. Where an operator insists on a constant, the
 * model is opened as it is. Where only shapes are asked for, zeros that take no memory stand in for the weights.
 */
export const openProbe = async (
  runtime: Runtime,
  model: Model,
  { shapesOnly = false, optimization = 'disabled' }: ProbeOptions = {},
): Promise<Probe> => {
  const openPlain = (one: Model) => runtime.open(one, { optimization })
  const { fed, weights } = withWeightsFed(model, shapesOnly)
  if (Object.keys(weights).length === 0) return { session: await openPlain(model), weights: {} }
  try {
    return { session: await openPlain(fed), weights }
  } catch (error) {
    if (untransferableType(error) !== undefined) throw error
    return { session: await openPlain(model), weights: {} }
  }
}

/** Small float initializers stay: scales, epsilons and the like are what operators want constant. */
const isLarge = (tensor: Tensor) => tensor.type === 'float32' && tensor.bytes.byteLength > 4096

const withWeightsFed = (model: Model, shapesOnly: boolean): { fed: Model; weights: Values } => {
  const fed = copyModel(model)
  const large = [...fed.graph.initializers].filter(([, tensor]) => isLarge(tensor))
  const names = large.map(([name]) => name)
  const stands = shapesOnly && !decideSizes(names, model.graph)
  // Memory never written to is the system's one page of zeros.
  const zeros = new Uint8Array(stands ? Math.max(0, ...large.map(([, { bytes }]) => bytes.byteLength)) : 0)
  const { inputs, initializers } = fed.graph
  const declared = new Set(inputs.map((input) => input.name))
  const weights = new Map<string, Tensor>()
  for (const [name, tensor] of large) {
    weights.set(name, stands ? { ...tensor, bytes: zeros.subarray(0, tensor.bytes.byteLength) } : tensor)
    initializers.delete(name)
    if (!declared.has(name)) inputs.push({ name, type: tensor.type, dims: [...tensor.dims] })
  }
  return { fed, weights: Object.fromEntries(weights) }
}

/** A copy that computes only the named values, of whatever type the engine infers. */
export const withOutputs = (model: Model, names: readonly string[]): Model => {
  const copy = copyModel(model)
  copy.graph.valueInfo = new Map()
  copy.graph.outputs = names.map((name) => ({ name, type: 'undefined' }))
  return copy
}

/**
 * The element types of values, and their dimensions as far as the engine infers them; values that are not tensors are left
 * out. A type the engine cannot pass to JavaScript makes it refuse the model with that type's number, so halving the names
 * finds whose it is, and no more is known of it.
 */
export const inferredInfos = async (
  runtime: Runtime,
  model: Model,
  names: readonly string[],
  options: ProbeOptions = {},
): Promise<Map<string, ValueInfo>> => {
  const infos = new Map<string, ValueInfo>()
  const look = async (some: readonly string[]): Promise<void> => {
    if (some.length === 0) return
    try {
      const { session } = await openProbe(runtime, withOutputs(model, some), options)
      for (const name of some) {
        const info = session.valueInfo.get(name)
        if (info !== undefined && info.type !== 'undefined') infos.set(name, info)
      }
      await session.close()
    } catch (error) {
      const type = untransferableType(error)
      if (type === undefined) throw error
      if (some.length === 1) for (const name of some) infos.set(name, { name, type })
      else for (const half of [some.slice(0, some.length >> 1), some.slice(some.length >> 1)]) await look(half)
    }
  }
  await look(names)
  return infos
}
