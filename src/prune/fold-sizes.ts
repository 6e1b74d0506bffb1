import { bool, type DataType, int32, int64, type Tensor, type TensorType } from '../base/index.ts'
import { type Model, readsOf } from '../onnx/index.ts'
import { operatorOf } from '../operators/index.ts'
import { allFixed } from '../operators/sizes/index.ts'
import type { Sizes } from './follow-sizes.ts'
import { assignmentApart } from './slice-assignments.ts'

/** What folding did. */
export type Folded = {
  /** Values that became initializers: their numbers are sizes, and no index of them may be removed. */
  readonly constants: ReadonlySet<string>
  /** Types and shapes of values that are new, in the traced run. */
  readonly made: ReadonlyMap<string, TensorType>
}

/**
 * Turns what a graph computes from sizes into constants where it is the same in every run. Exporters write
 * `x.view(n, c // 2, …)` as Shape, Gather, Div and Concat even where c never varies; pruning must be able to rewrite those
 * numbers. What depends on a size that varies stays computed. Assignments to a part of a tensor become slices beside it.
 * In place; the graph computes what it did before.
 */
export const foldSizes = (model: Model, sizes: Sizes, traced: ReadonlyMap<string, TensorType>): Folded => {
  const { graph } = model
  const made = new Map<string, TensorType>()
  const constants = new Set<string>()
  const computed = outputsOfSizes(model, sizes)
  const ends = endsOf(model)
  for (const name of graph.nodes.flatMap(({ outputs }) => outputs)) {
    const [elements, dims, type] = [sizes.elements(name), sizes.dims(name), sizes.type(name)]
    if (name === '' || computed.has(name) || !allFixed(elements) || !allFixed(dims)) continue
    const tensor = tensorOf(type, dims, elements)
    if (!tensor) continue
    graph.initializers.set(name, tensor)
    constants.add(name)
  }
  graph.nodes = graph.nodes.flatMap((node) => assignmentApart(model, node, sizes, traced, made))
  dropUnread(model, constants, ends)
  return { constants, made }
}

/** Values that nothing reads. */
const endsOf = ({ graph }: Model): ReadonlySet<string> => {
  const read = new Set([...graph.nodes.flatMap(readsOf), ...graph.outputs.map(({ name }) => name)])
  return new Set(graph.nodes.flatMap(({ outputs }) => outputs.filter((name) => name !== '' && !read.has(name))))
}

/** Graph outputs that are nothing but sizes, and what they are computed from: the engine refuses a graph without nodes. */
const outputsOfSizes = ({ graph }: Model, sizes: Sizes): ReadonlySet<string> => {
  const computed = new Set(graph.outputs.map(({ name }) => name).filter((name) => sizes.elements(name)))
  if (computed.size > 0)
    for (const node of graph.nodes.toReversed())
      if (node.outputs.some((name) => computed.has(name))) for (const name of node.inputs) computed.add(name)
  return computed
}

/** Whole numbers and truth values as a tensor; undefined for other types, and for numbers that a tensor could not hold. */
const tensorOf = (type: DataType, dims: readonly number[], numbers: readonly number[]): Tensor | undefined => {
  if (!numbers.every((n) => Number.isSafeInteger(n))) return undefined
  if (type === 'int64') return int64(dims, numbers)
  if (type === 'int32') return numbers.every((n) => n === (n | 0)) ? int32(dims, Int32Array.from(numbers)) : undefined
  if (type === 'bool')
    return bool(
      dims,
      numbers.map((n) => n !== 0),
    )
  return undefined
}

/** Removes nodes whose outputs became constants, and the arithmetic with sizes that only they read. What was unread before stays. */
const dropUnread = ({ graph }: Model, constants: ReadonlySet<string>, ends: ReadonlySet<string>): void => {
  const read = new Set(graph.outputs.map((output) => output.name))
  graph.nodes = graph.nodes
    .toReversed()
    .filter((node) => {
      const isRead = node.outputs.some((name) => (read.has(name) && !constants.has(name)) || ends.has(name))
      const isArithmetic = node.outputs.every((name) => constants.has(name)) || operatorOf(node)?.sizes !== undefined
      if (!isRead && isArithmetic) return false
      for (const name of readsOf(node)) read.add(name)
      return true
    })
    .reverse()
  for (const name of constants) if (!read.has(name)) graph.initializers.delete(name)
}
