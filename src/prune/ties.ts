import { dataTypes, type TensorType } from '../base/index.ts'
import { copyModel, type Model, type Node, readsOf } from '../onnx/index.ts'
import { type Runtime, trace, type Values } from '../runtime/index.ts'
import { isFloating } from './importance/weights.ts'

/** Operators whose number of results depends on the data. */
const counting = new Set(['NonZero', 'NonMaxSuppression', 'Unique', 'Compress', 'If', 'Loop'])

/** Steps from a real number to a whole one that stay in a floating type. */
const rounding = new Set(['Floor', 'Ceil', 'Round', 'Sign'])

const sizes = new Set(['Shape', 'Size'])

/**
 * Functions without parameters whose results crowd near a bound, where the engine's approximation is good to an absolute
 * 1e-7 only (Sigmoid, of large negative numbers): equal arguments prove equal results better than the results do.
 */
const bounded = new Set(['Sigmoid', 'HardSigmoid', 'Softmax', 'Tanh'])

/** What the two models computed when they were made to choose alike. */
export type AlikeRun = {
  /** The masked model's outputs, and the real numbers it chose by. */
  readonly expected: Values
  /** The same of the pruned model, given the masked one's choices. */
  readonly actual: Values
  /** The values it was given. */
  readonly choices: readonly string[]
}

/**
 * Runs both models again where their outputs seem to differ, and compares what tells. Where a network turns real numbers into whole ones (the best k, boxes above a
 * threshold, a rounding), numbers that differ in their last bit may be chosen differently, and all that follows differs in
 * full. So the pruned model is given what the masked one chose, and the numbers both choose by are compared along with the
 * outputs: if those agree the choices were ties, and what follows can be compared. An output that is a sigmoid or the like is
 * compared by its argument.
 *
 * @returns undefined when there is nothing else to compare
 */
export const runAlike = async (
  runtime: Runtime,
  masked: Model,
  pruned: Model,
  feeds: Values,
): Promise<AlikeRun | undefined> => {
  const [before, after] = [await trace(runtime, masked, feeds), await trace(runtime, pruned, feeds)]
  const made = new Map(pruned.graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)))
  const dims = (types: ReadonlyMap<string, TensorType>, name: string) => types.get(name)?.dims.join()
  const choices = [...made].flatMap(([name, node]) =>
    isChoice(node, name, after) && (counting.has(node.opType) || dims(before, name) === dims(after, name))
      ? [name]
      : [],
  )
  const reasons = choices.flatMap((name) =>
    readsOf(made.get(name)!).filter((input) => made.has(input) && isReal(after, input) && before.has(input)),
  )
  const named = masked.graph.outputs.map(({ name }) => name)
  const outputs = named.filter((name) => !choices.includes(name)).map((name) => argumentOf(made, name))
  if (choices.length === 0 && outputs.every((name) => named.includes(name))) return undefined
  const compared = [...new Set([...outputs, ...reasons])]

  const expected = await runFor(runtime, masked, [...compared, ...choices], before, feeds)
  const given = Object.fromEntries(choices.map((name) => [name, expected[name]!]))
  const actual = await runFor(runtime, withInputs(pruned, choices, after), compared, after, { ...feeds, ...given })
  return { expected: Object.fromEntries(compared.map((name) => [name, expected[name]!])), actual, choices }
}

/** What a bounded function at the end of a network is applied to; any other output is itself. */
const argumentOf = (made: ReadonlyMap<string, Node>, name: string): string => {
  const node = made.get(name)
  return node && bounded.has(node.opType) && made.has(node.inputs[0]!) ? node.inputs[0]! : name
}

const isReal = (types: ReadonlyMap<string, TensorType>, name: string): boolean => {
  const type = types.get(name)
  return type !== undefined && isFloating(type)
}

const isChoice = (node: Node, output: string, types: ReadonlyMap<string, TensorType>): boolean => {
  if (sizes.has(node.opType) || !readsOf(node).some((name) => isReal(types, name))) return false
  const type = types.get(output)?.type
  return type !== undefined && (rounding.has(node.opType) || !isFloating({ type })) && dataTypes[type].bits >= 8
}

const runFor = async (
  runtime: Runtime,
  model: Model,
  names: readonly string[],
  types: ReadonlyMap<string, TensorType>,
  feeds: Values,
): Promise<Values> => {
  const probe = copyModel(model)
  probe.graph.outputs = names.map((name) => ({ name, type: types.get(name)?.type ?? 'undefined' }))
  const session = await runtime.open(probe)
  try {
    return await session.run(feeds)
  } finally {
    await session.close()
  }
}

/** The model with some values given instead of computed. */
const withInputs = (model: Model, names: readonly string[], types: ReadonlyMap<string, TensorType>): Model => {
  const open = copyModel(model)
  const given = new Set(names)
  for (const node of open.graph.nodes)
    node.outputs = node.outputs.map((name) => (given.has(name) ? `${name}_own_choice` : name))
  for (const name of names) {
    const { type, dims } = types.get(name)!
    open.graph.inputs.push({ name, type, dims: dims.map(() => null) })
  }
  return open
}
