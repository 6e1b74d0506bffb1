import { int64, numbersOf, sizeOf, type Tensor, type TensorType } from '../base/index.ts'
import { intOf, type Model, makeNode, type Node, readsOf } from '../onnx/index.ts'
import { constants, dependsOnData, type Runtime, trace, type Values } from '../runtime/index.ts'
import { assignmentApart, type Look } from './settle-assignments.ts'

/** Sizes and indices, which is what graphs compute from shapes; larger values are data. */
const isSmallInteger = (tensor: Tensor) =>
  (tensor.type === 'int64' || tensor.type === 'int32' || tensor.type === 'bool') && sizeOf(tensor.dims) <= 64

/**
 * Turns what a graph computes from shapes into constants where it is always the same. Exporters write
 * `x.view(n, c // 2, …)` as Shape, Gather, Div and Concat even where c never varies; pruning must be able to rewrite those
 * numbers. Two runs on inputs of different size tell which vary. A Reshape target of which only some sizes vary becomes a
 * constant too when copying (0) and one inferred size (−1) can say them; what Expand and ConstantOfShape stretch by a size
 * that varies (a class token, once per image) is left to a Tile of its own, and assignments to a part of a tensor become slices
 * beside it. In place; the graph computes what it did before.
 *
 * @param feeds inputs that differ in every free axis
 * @returns the shapes of values that are new
 */
export const settleShapes = async (
  model: Model,
  runtime: Runtime,
  feeds: readonly [Values, Values],
  first: ReadonlyMap<string, TensorType>,
): Promise<ReadonlyMap<string, TensorType>> => {
  const { graph } = model
  const made = new Map<string, TensorType>()
  if (!graph.nodes.some((node) => node.opType === 'Shape' || node.opType === 'Size')) return made
  const second = await trace(runtime, model, feeds[1]).catch(() => undefined)
  // A model that takes one size only gives no second opinion.
  if (!second) return made
  const pure = await constants(runtime, model)
  const look = async (shapes: ReadonlyMap<string, TensorType>): Promise<Look> => ({
    shapes,
    known: await constants(runtime, model, { shapes }),
  })
  const looks = [await look(first), await look(second)] as const

  const loose = dependsOnData(graph, looks[0].known)
  const settled: string[] = []
  for (const [name, tensor] of looks[0].known) {
    const other = looks[1].known.get(name)
    if (pure.has(name) || loose.has(name) || !isSmallInteger(tensor) || !other || !sameTensor(tensor, other)) continue
    graph.initializers.set(name, tensor)
    settled.push(name)
  }
  const constant = new Set(settled)
  for (const node of graph.nodes) {
    const target = node.inputs[1] ?? ''
    if (node.opType !== 'Reshape' || node.domain !== '' || constant.has(target) || pure.has(target)) continue
    const sizes = node.inputs.some((input) => loose.has(input)) ? undefined : targetOf(node, looks)
    if (!sizes) continue
    const name = `${node.outputs[0]}_target`
    if (graph.initializers.has(name)) continue
    graph.initializers.set(name, int64([sizes.length], sizes))
    node.inputs[1] = name
    node.attributes.delete('allowzero')
  }
  graph.nodes = graph.nodes.flatMap((node) =>
    readsOf(node).some((input) => loose.has(input))
      ? [node]
      : assignmentApart(model, node, looks, made).flatMap((part) => stretchApart(model, part, looks, made, pure)),
  )
  dropUnread(model, constant)
  return made
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

/**
 * Where a size that Expand or ConstantOfShape is given varies from run to run, a constant of the settled sizes with 1 in its
 * place, and a Tile that repeats those axes.
 */
const stretchApart = (
  { graph }: Model,
  node: Node,
  looks: readonly [Look, Look],
  made: Map<string, TensorType>,
  pure: ReadonlyMap<string, Tensor>,
): readonly Node[] => {
  const position = node.opType === 'Expand' ? 1 : node.opType === 'ConstantOfShape' ? 0 : -1
  const shape = node.inputs[position] ?? ''
  if (node.domain !== '' || position < 0 || graph.initializers.has(shape) || pure.has(shape)) return [node]
  const y = node.outputs[0]!
  const [to, other] = looks.map(({ shapes }) => shapes.get(y)?.dims)
  const from = looks.map(({ shapes }) => (position === 1 ? (shapes.get(node.inputs[0]!)?.dims ?? []) : []))
  const type = looks[0].shapes.get(y)?.type
  if (!to || !other || !type || to.length !== other.length) return [node]
  const own = (look: 0 | 1, axis: number) => from[look]![axis - to.length + from[look]!.length] ?? 1
  // 1 leaves an axis of Expand's input as it is, whatever its size.
  const passes = (axis: number) => position === 1 && own(0, axis) === to[axis] && own(1, axis) === other[axis]
  const varies = to.map((size, axis) => !passes(axis) && size !== other[axis])
  const sizes = to.map((size, axis) => (varies[axis] || passes(axis) ? 1 : size))
  if (varies.some((moves, axis) => moves && (own(0, axis) !== 1 || own(1, axis) !== 1))) return [node]

  const settled = `${y}_sizes`
  if (graph.initializers.has(settled)) return [node]
  graph.initializers.set(settled, int64([sizes.length], sizes))
  node.inputs[position] = settled
  if (!varies.includes(true)) return [node]
  const [apart, repeats, mask, ones] = [`${y}_once`, `${y}_repeats`, `${y}_varies`, `${y}_ones`]
  graph.initializers.set(mask, { type: 'bool', dims: [to.length], bytes: Uint8Array.from(varies, Number) })
  graph.initializers.set(ones, int64([to.length], Array(to.length).fill(1)))
  node.outputs[0] = apart
  made.set(apart, { type, dims: to.map((size, axis) => (varies[axis] ? 1 : size)) })
  made.set(repeats, { type: 'int64', dims: [to.length] })
  return [
    node,
    makeNode('Where', [mask, shape, ones], [repeats], {}, { name: repeats }),
    makeNode('Tile', [apart, repeats], [y], {}, { name: y }),
  ]
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
    'Where',
    'Equal',
    'ConstantOfShape',
    'Range',
    'Tile',
    'Expand',
    'Reshape',
  ].includes(opType)
