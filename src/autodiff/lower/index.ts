import { GraphBuilder, inlineFunctions, type Model, type Node, opsetOf, removeDead } from '../../onnx/index.ts'
import { loweringOf } from '../../operators/index.ts'
import { constants, infer, type Runtime, type Values } from '../../runtime/index.ts'
import { variesWith } from '../backward.ts'
import { control } from './control.ts'
import { unfuse } from './fused.ts'
import { isGradient, lowerGradient } from './gradient-operator.ts'
import { followSequences, sequenceOperators } from './sequences.ts'
import type { Known } from './types.ts'

export type LowerOptions = {
  readonly runtime: Runtime
  /** One batch, for the shapes of all values; contents do not matter. */
  readonly feeds: Values
  /** Values that will change and whose gradients are asked for: nothing computed from them counts as known. */
  readonly variables: ReadonlySet<string>
}

const isControl = (node: Node) => node.domain === '' && node.opType in control
const isSequence = (node: Node) => node.domain === '' && sequenceOperators.has(node.opType)

/**
 * Writes a graph in operators whose gradients are rows of the table: branches whose condition is known before it runs, loops
 * whose number of steps is, sequences and optionals followed to their tensors, the model's own functions, fused operators,
 * and ONNX's Gradient. In place; what cannot be written so stays, and is no obstacle where no gradient passes.
 */
export const lower = async (model: Model, options: LowerOptions): Promise<void> => {
  const { graph } = model
  inlineFunctions(model)
  for (;;) {
    if (graph.nodes.some(isGradient)) {
      await lowerGradient(model, options.runtime, options.feeds)
      continue
    }
    const special = (node: Node) => isControl(node) || isSequence(node) || loweringOf(node) !== undefined
    if (!graph.nodes.some(special)) return
    const known = await look(model, options)
    let changed = false
    graph.nodes = graph.nodes.flatMap((node) => {
      const nodes = isControl(node) ? control[node.opType]!(node, known) : undefined
      changed ||= nodes !== undefined
      return nodes ?? [node]
    })
    // What an unrolled loop made has no traced shape yet.
    if (!changed) changed = followSequences(known)
    if (!changed) changed = unfuse(known, variesWith(graph.nodes, options.variables))
    removeDead(graph)
    if (!changed) return
  }
}

const look = async (model: Model, { runtime, feeds, variables }: LowerOptions): Promise<Known> => {
  const { graph } = model
  const types = await infer(runtime, model, feeds)
  const computed = await constants(runtime, model, { shapes: types, variables: new Set(variables) })
  const given = new Set(graph.inputs.map(({ name }) => name))
  const builder = new GraphBuilder(graph, 'lowered')
  return {
    graph,
    opset: opsetOf(model),
    fresh: (hint) => builder.fresh(hint),
    types,
    constant: (name) =>
      computed.get(name) ?? (variables.has(name) || given.has(name) ? undefined : graph.initializers.get(name)),
    add: (tensor) => builder.constant(tensor),
  }
}
