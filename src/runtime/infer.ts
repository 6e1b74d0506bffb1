import { own, sizeOf, type TensorType } from '../base/index.ts'
import { copyModel, type Dimension, GraphBuilder, type Model } from '../onnx/index.ts'
import { inferredInfos } from './probe.ts'
import { computedNames, givenTypes, refuseInputs, trace, withShapeOperator } from './trace.ts'
import type { Runtime, Values } from './types.ts'

/**
 * What `trace` gives, without running the graph where the engine knows all shapes before it runs: the cost no longer grows
 * with the batch. What depends on the numbers fed, or on operators whose shapes the engine cannot infer, is traced.
 *
 * The engine lays its memory out by the same inference. Unlike a trace it may accept sizes that do not fit, which running the
 * graph then refuses.
 */
export const infer = async (runtime: Runtime, model: Model, feeds: Values): Promise<Map<string, TensorType>> => {
  const types = await inferKnown(runtime, model, feeds)
  const whole = computedNames(model).every((name) => types.get(name) !== null)
  const known = new Map([...types].flatMap(([name, type]) => (type ? [[name, type] as const] : [])))
  return whole && reshapesFit(model, known) ? known : trace(runtime, model, feeds)
}

/**
 * The types and shapes that the engine knows before the model runs, by name, and null for tensors of which it knows no
 * shape. The model itself is never run; what it computes from constants alone is.
 */
export const inferKnown = async (
  runtime: Runtime,
  model: Model,
  feeds: Values,
): Promise<Map<string, TensorType | null>> => {
  refuseInputs(model)
  const fixed = copyModel(model)
  const types = new Map<string, TensorType | null>(givenTypes(model, feeds))
  const names = computedNames(model)
  for (const input of fixed.graph.inputs) {
    const tensor = own(feeds, input.name)
    if (tensor?.type !== input.type) return new Map([...types, ...names.map((name) => [name, null] as const)])
    input.dims = [...tensor.dims]
  }
  const infos = await shapeInfos(runtime, fixed, names)
  const rankless = [...infos.values()].filter(({ dims }) => dims === undefined).map(({ name }) => name)
  const scalars = await scalarsAmong(runtime, fixed, rankless)
  for (const { name, type, dims } of infos.values()) {
    const sizes = scalars.has(name) ? [] : dims
    types.set(name, sizes && isWhole(sizes) ? { type, dims: sizes } : null)
  }
  return types
}

/** Folding what is computed from shapes lets the engine infer the shapes that depend on it. */
const shapeInfos = (runtime: Runtime, model: Model, names: readonly string[]) =>
  inferredInfos(runtime, model, names, { optimization: 'basic' })

const isWhole = (dims: readonly Dimension[]): dims is number[] => dims.every((dim) => typeof dim === 'number')

/** The scalars among values: the engine tells them from those of unknown rank only by how long their shape is. */
const scalarsAmong = async (runtime: Runtime, model: Model, names: readonly string[]): Promise<Set<string>> => {
  const probe = withShapeOperator(model)
  const b = new GraphBuilder(probe.graph, 'rank')
  const shapes = new Map(names.map((name) => [b.op('Shape', [name]), name]))
  const infos = await shapeInfos(runtime, probe, [...shapes.keys()])
  return new Set([...infos.values()].filter(({ dims }) => dims?.[0] === 0).map(({ name }) => shapes.get(name)!))
}

/** Inference takes a constant target of Reshape at its word, where running would refuse another number of elements. */
const reshapesFit = ({ graph }: Model, types: ReadonlyMap<string, TensorType>): boolean =>
  graph.nodes
    .filter(({ opType, domain }) => opType === 'Reshape' && domain === '')
    .every(({ inputs, outputs }) => {
      const [from, to] = [types.get(inputs[0] ?? ''), types.get(outputs[0] ?? '')]
      return !from || !to || sizeOf(from.dims) === sizeOf(to.dims)
    })
