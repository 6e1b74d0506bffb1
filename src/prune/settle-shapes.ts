import { int64, numbersOf, sizeOf, type Tensor, type TensorType } from '../base/index.ts'
import { intOf, type Model, type Node, readsOf } from '../onnx/index.ts'
import { constants, type Runtime, trace, type Values } from '../runtime/index.ts'

/** Sizes and indices, which is what graphs compute from shapes; larger values are data. */
const isSmallInteger = (tensor: Tensor) =>
  (tensor.type === 'int64' || tensor.type === 'int32' || tensor.type === 'bool') && sizeOf(tensor.dims) <= 64

/** What one run says: every value's shape, and the contents of all that follows from shapes. */
type Look = { readonly shapes: ReadonlyMap<string, TensorType>; readonly known: ReadonlyMap<string, Tensor> }

/**
 * Turns what a graph computes from shapes into constants where it is always the same. Exporters write
 * `x.view(n, c // 2, …)` as Shape, Gather, Div and Concat even where c never varies; pruning must be able to rewrite those
 * numbers. Two runs on inputs of different size tell which vary. A Reshape target of which only some sizes vary becomes a
 * constant too when copying (0) and one inferred size (−1) can say them. In place; the graph computes what it did before.
 *
 * @param feeds inputs that differ in every free axis
 */
export const settleShapes = async (
  model: Model,
  runtime: Runtime,
  feeds: readonly [Values, Values],
  first: ReadonlyMap<string, TensorType>,
): Promise<void> => {
  const { graph } = model
  if (!graph.nodes.some((node) => node.opType === 'Shape' || node.opType === 'Size')) return
  const second = await trace(runtime, model, feeds[1]).catch(() => undefined)
  // A model that takes one size only gives no second opinion.
  if (!second) return
  const pure = await constants(runtime, model)
  const look = async (shapes: ReadonlyMap<string, TensorType>): Promise<Look> => ({
    shapes,
    known: await constants(runtime, model, { shapes }),
  })
  const looks = [await look(first), await look(second)] as const

  const settled: string[] = []
  for (const [name, tensor] of looks[0].known) {
    const other = looks[1].known.get(name)
    if (pure.has(name) || !isSmallInteger(tensor) || !other || !sameTensor(tensor, other)) continue
    graph.initializers.set(name, tensor)
    settled.push(name)
  }
  const constant = new Set(settled)
  for (const node of graph.nodes) {
    const target = node.inputs[1] ?? ''
    if (node.opType !== 'Reshape' || node.domain !== '' || constant.has(target) || pure.has(target)) continue
    const sizes = targetOf(node, looks)
    if (!sizes) continue
    const name = `${node.outputs[0]}_target`
    if (graph.initializers.has(name)) continue
    graph.initializers.set(name, int64([sizes.length], sizes))
    node.inputs[1] = name
    node.attributes.delete('allowzero')
  }
  dropUnread(model, constant)
}

const sameTensor = (a: Tensor, b: Tensor) =>
  a.type === b.type && a.dims.join() === b.dims.join() && a.bytes.every((byte, i) => byte === b.bytes[i])

/** A Reshape's target as constants, 0 for sizes copied from the input and −1 for one that varies otherwise. */
const targetOf = (node: Node, looks: readonly [Look, Look]): number[] | undefined => {
  const seen = looks.map(({ shapes, known }) => ({
    target: known.get(node.inputs[1] ?? ''),
    from: shapes.get(node.inputs[0] ?? '')?.dims,
    to: shapes.get(node.outputs[0] ?? '')?.dims,
  }))
  const [a, b] = [seen[0]!, seen[1]!]
  if (!a.target || !b.target || !a.from || !b.from || !a.to || !b.to || intOf(node, 'allowzero', 0) !== 0)
    return undefined
  const [written, to, from] = [numbersOf(a.target), a.to, a.from]
  const sizes = to.map((size, axis) => {
    if (written[axis] === 0) return 0
    if (size === b.to![axis]) return size
    return size === from[axis] && b.to![axis] === b.from![axis] ? 0 : -1
  })
  return sizes.filter((size) => size === -1).length <= 1 ? sizes : undefined
}

/** Removes the nodes whose outputs became constants, and those only they needed. */
const dropUnread = ({ graph }: Model, constant: ReadonlySet<string>): void => {
  const read = new Set(graph.outputs.map((output) => output.name))
  const kept: Node[] = []
  for (const node of graph.nodes.toReversed()) {
    const wasRead = node.outputs.some((name) => read.has(name) && !constant.has(name))
    const shapesOnly = node.outputs.every((name) => constant.has(name)) || isShapeWork(node)
    if (!wasRead && shapesOnly) continue
    kept.push(node)
    for (const name of readsOf(node)) read.add(name)
  }
  graph.nodes = kept.reverse()
  for (const name of constant) if (!read.has(name)) graph.initializers.delete(name)
}

const isShapeWork = ({ opType }: Node) =>
  [
    'Shape',
    'Size',
    'Gather',
    'Slice',
    'Concat',
    'Unsqueeze',
    'Squeeze',
    'Cast',
    'Add',
    'Sub',
    'Mul',
    'Div',
    'Floor',
  ].includes(opType)
