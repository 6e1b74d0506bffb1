import {
  inlineFunctions,
  isControl,
  type Known,
  knownOf,
  type Model,
  type Node,
  removeDead,
  unrollControl,
} from '../../onnx/index.ts'
import { loweringOf } from '../../operators/index.ts'
import { constants, infer, type Runtime, type Values } from '../../runtime/index.ts'
import { variesWith } from '../backward.ts'
import { unfuse } from './fused.ts'
import { isGradient, lowerGradient } from './gradient-operator.ts'

export type LowerOptions = {
  readonly runtime: Runtime
  /** One batch, for the shapes of all values; contents do not matter. */
  readonly feeds: Values
  /** Values that will change and whose gradients are asked for: nothing computed from them counts as known. */
  readonly variables: ReadonlySet<string>
}

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
    const special = (node: Node) => isControl(node) || loweringOf(node) !== undefined
    if (!graph.nodes.some(special)) return
    const known = await look(model, options)
    // What was unrolled has no shapes yet.
    const changed = unrollControl(known) || unfuse(known, variesWith(graph.nodes, options.variables))
    removeDead(graph)
    if (!changed) return
  }
}

const look = async (model: Model, { runtime, feeds, variables }: LowerOptions): Promise<Known> => {
  const { graph } = model
  const types = await infer(runtime, model, feeds)
  const computed = await constants(runtime, model, { shapes: types, variables: new Set(variables) })
  const given = new Set(graph.inputs.map(({ name }) => name))
  return knownOf(model, {
    types,
    constant: (name) =>
      computed.get(name) ?? (variables.has(name) || given.has(name) ? undefined : graph.initializers.get(name)),
  })
}
