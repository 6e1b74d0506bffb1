import { int64, sizeOf, type Tensor, type TensorType } from '../base/index.ts'
import { copyModel, intOf, type Model, type Node, readsOf, removeDead, subgraphsOf } from '../onnx/index.ts'
import { inferredInfos, openProbe, withOutputs } from './probe.ts'
import { passes } from './tensors.ts'
import type { Runtime } from './types.ts'

export type ConstantsOptions = {
  /** A trace's result. With it the shape of any value counts as known, and so does what is computed from shapes. */
  shapes?: ReadonlyMap<string, TensorType>
  /** Initializers that will change, such as weights being trained: what is computed from them is left out. */
  variables?: ReadonlySet<string>
}

/**
 * The contents of every value computed from initializers only, by running just those nodes: targets of Reshape, axes,
 * scales. The initializers themselves are not repeated.
 */
export const constants = async (
  runtime: Runtime,
  model: Model,
  options: ConstantsOptions = {},
): Promise<Map<string, Tensor>> => {
  const { nodes, results } = constantPart(model, options)
  const part = copyModel(model)
  part.graph.inputs = []
  part.graph.nodes = nodes
  for (const [name, tensor] of results) part.graph.initializers.set(name, tensor)

  const names = nodes.flatMap((node) => node.outputs.filter((name) => name !== ''))
  part.graph.outputs = names.map((name) => ({ name, type: 'undefined' }))
  removeDead(part.graph)
  const infos = await inferredInfos(runtime, part, names)
  const wanted = [...infos.values()].filter(({ type }) => passes(type)).map(({ name }) => name)
  if (wanted.length === 0) return results

  const { session, weights } = await openProbe(runtime, withOutputs(part, wanted))
  try {
    const computed = await session.run(weights)
    for (const name of wanted) results.set(name, computed[name]!)
  } finally {
    await session.close()
  }
  return results
}

/** The nodes whose inputs are all known, in order, and what needs no running: shapes already traced. */
const constantPart = (model: Model, { shapes, variables }: ConstantsOptions) => {
  const { graph, irVersion } = model
  // From IR 4 on, an initializer that is also an input is only that input's default.
  const replaceable = new Set(irVersion >= 4 ? graph.inputs.map((input) => input.name) : [])
  const known = new Set(
    [...graph.initializers.keys()].filter((name) => !variables?.has(name) && !replaceable.has(name)),
  )
  const nodes: Node[] = []
  const results = new Map<string, Tensor>()
  for (const node of graph.nodes) {
    const shape = shapeResult(node, shapes)
    if (shape) results.set(node.outputs[0]!, shape)
    else if (isRepeatable(node) && readsOf(node).every((name) => known.has(name))) nodes.push(node)
    else continue
    for (const output of node.outputs) if (output !== '') known.add(output)
  }
  return { nodes, results }
}

/** What a Shape or Size node of a traced value gives. */
const shapeResult = (node: Node, shapes: ConstantsOptions['shapes']): Tensor | undefined => {
  const dims = node.domain === '' ? shapes?.get(node.inputs[0] ?? '')?.dims : undefined
  if (dims === undefined) return undefined
  if (node.opType === 'Size') return int64([], [sizeOf(dims)])
  if (node.opType !== 'Shape') return undefined
  const part = dims.slice(intOf(node, 'start', 0), intOf(node, 'end', dims.length))
  return int64([part.length], part)
}

const random = new Set([
  'RandomNormal',
  'RandomUniform',
  'RandomNormalLike',
  'RandomUniformLike',
  'Multinomial',
  'Bernoulli',
  'Dropout',
])

/** Whether a node gives the same again. Nothing is known of operators outside ONNX's and ONNX Runtime's own domains. */
const isRepeatable = (node: Node): boolean =>
  ['', 'ai.onnx', 'com.microsoft'].includes(node.domain) &&
  !random.has(node.opType) &&
  subgraphsOf(node).every((graph) => graph.nodes.every(isRepeatable))
