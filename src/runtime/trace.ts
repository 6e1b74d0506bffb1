import { int64Of, own, type TensorType, UnsupportedError } from '../base/index.ts'
import { GraphBuilder, type Model, type ValueInfo } from '../onnx/index.ts'
import { inferredInfos, openProbe, withOutputs } from './probe.ts'
import { passes } from './tensors.ts'
import type { Runtime, Values } from './types.ts'

/**
 * The type and shape of every value of a model's graph when it runs on `feeds`: inputs, initializers and what its nodes
 * make, in that order. Found by running it once with a `Shape` node behind each value, so exact for any operator the
 * engine runs. Values that are not tensors, and those inside subgraphs, are left out.
 */
export const trace = async (runtime: Runtime, model: Model, feeds: Values): Promise<Map<string, TensorType>> =>
  (await traceInferred(runtime, model, feeds)).types

/** A trace, and what the engine inferred before it ran. */
export type Traced = {
  readonly types: Map<string, TensorType>
  /** A dimension is a number only where it is that number in every run. */
  readonly inferred: ReadonlyMap<string, ValueInfo>
}

/** What `trace` gives, with what the engine infers of every computed value from the file alone. */
export const traceInferred = async (runtime: Runtime, model: Model, feeds: Values): Promise<Traced> => {
  refuseInputs(model)
  const traced = givenTypes(model, feeds)
  const computed = computedNames(model)
  const infos = await inferredInfos(runtime, model, computed)
  const shapes = await shapesOf(runtime, model, feeds, [...infos.keys()])
  for (const [name, { type }] of infos) {
    const dims = shapes.get(name)
    if (dims) traced.set(name, { type, dims })
  }
  return { types: traced, inferred: infos }
}

/** Types of what a model does not compute: what it is fed, and its initializers. */
export const givenTypes = ({ graph }: Model, feeds: Values): Map<string, TensorType> => {
  const types = new Map<string, TensorType>()
  for (const { name } of graph.inputs) {
    const tensor = own(feeds, name)
    if (tensor) types.set(name, { type: tensor.type, dims: tensor.dims })
  }
  for (const [name, { type, dims }] of graph.initializers) if (!types.has(name)) types.set(name, { type, dims })
  return types
}

/** The values a model's nodes make, in their order. */
export const computedNames = ({ graph }: Model): string[] =>
  graph.nodes.flatMap((node) => node.outputs.filter((name) => name !== ''))

/** A copy that may hold `Shape` nodes: a model of other domains only need not import ONNX's own. */
export const withShapeOperator = (model: Model): Model => {
  const copy = withOutputs(model, [])
  if (!copy.opsets.has('') && !copy.opsets.has('ai.onnx')) copy.opsets.set('', 17)
  return copy
}

/** The shapes of values in one run. */
const shapesOf = async (
  runtime: Runtime,
  model: Model,
  feeds: Values,
  names: readonly string[],
): Promise<Map<string, number[]>> => {
  if (names.length === 0) return new Map()
  const probe = withShapeOperator(model)
  const b = new GraphBuilder(probe.graph, 'trace')
  // The engine reaches a graph's ends from the last to the first: so each value's shape is taken, and the value given up,
  // before the values after it are made.
  const shapeNames = [...names]
    .reverse()
    .map((name) => b.op('Shape', [name]))
    .reverse()
  probe.graph.outputs = shapeNames.map((name) => ({ name, type: 'int64' }))
  const { session, weights } = await openProbe(runtime, probe, { shapesOnly: true })
  try {
    const shapes = await session.run({ ...weights, ...feeds })
    return new Map(names.map((name, i) => [name, Array.from(int64Of(shapes[shapeNames[i]!]!), Number)]))
  } finally {
    await session.close()
  }
}

/** An input of a type the engine cannot be given is said at once, by name. */
export const refuseInputs = (model: Model): void => {
  for (const { name, type, extra } of model.graph.inputs)
    if (!model.graph.initializers.has(name) && extra === undefined && !passes(type))
      throw new UnsupportedError(`input '${name}' is ${type}, which ONNX Runtime cannot be given from JavaScript`)
}
