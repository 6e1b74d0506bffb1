import { bool, type TensorType } from '../base/index.ts'
import { type Graph, intOf, makeNode, type Node, opsetOf } from '../onnx/index.ts'
import { tensorLike } from '../operators/helpers.ts'
import { isFixed } from '../operators/sizes/index.ts'
import type { Cut } from './cut.ts'
import { neededElements } from './needed-elements.ts'
import type { Analysis } from './types.ts'

/**
 * Keeps what a graph computes from sizes as it was: where the size of an axis that loses indices has a part in it, the old
 * size takes its place, since that is what the masked original computes. In place.
 */
export const pinSizes = (graph: Graph, { model, sizes, shapes }: Analysis, cut: Cut): void => {
  if (!graph.nodes.some(readsSizes)) return
  const opset = opsetOf(model)
  const needed = neededElements(model, sizes)
  graph.nodes = graph.nodes.flatMap((node) => {
    const [x = '', y = ''] = [node.inputs[0], node.outputs[0]]
    const dims = sizes.dims(x) ?? []
    const lost = readsSizes(node) ? [...cut.cuts(x, dims.length).keys()] : []
    const elements = needed(y)
    if (lost.length === 0 || (elements !== 'all' && elements.size === 0)) return [node]
    const start = node.opType === 'Shape' ? intOf(node, 'start', 0) : 0
    const first = start < 0 ? start + dims.length : start
    const count = node.opType === 'Shape' ? (shapes.get(y)?.dims[0] ?? 0) : dims.length
    const entries = new Map<number, number>()
    for (const axis of lost) {
      const [i, size] = [axis - first, dims[axis]]
      const isRead = i >= 0 && i < count && (node.opType === 'Size' || elements === 'all' || elements.has(i))
      if (isRead && isFixed(size)) entries.set(i, size)
    }
    if (entries.size === 0) return [node]
    const [read, pinned] = [freshName(graph, `${y}_read`), freshName(graph, `${y}_pinned`)]
    const pins = (from: string, to: string) =>
      withEntries(graph, { from, to, entries, type: 'int64', dims: [count] }, opset)
    if (node.opType === 'Shape') return [{ ...node, outputs: [read] }, ...pins(read, y)]
    return [
      makeNode('Shape', [x], [read], {}, { name: read }),
      ...pins(read, pinned),
      makeNode('ReduceProd', [pinned], [y], { keepdims: 0 }, { name: node.name }),
    ]
  })
}

const readsSizes = ({ opType, domain }: Node) => domain === '' && (opType === 'Shape' || opType === 'Size')

type Edit = TensorType & {
  readonly from: string
  readonly to: string
  readonly entries: ReadonlyMap<number, number>
}

/** Nodes that compute a list with some of its entries replaced by constants. */
export const withEntries = (graph: Graph, { from, to, entries, type, dims }: Edit, opset: number): readonly Node[] => {
  const all = Array.from({ length: dims[0] ?? 0 }, (_, i) => entries.get(i))
  const add = (hint: string, kind: TensorType['type'], values: readonly number[]) => {
    const name = freshName(graph, `${to}_${hint}`)
    const list = [values.length]
    graph.initializers.set(name, kind === 'bool' ? bool(list, values.map(Boolean)) : tensorLike(kind, list, values))
    return name
  }
  const values = add(
    'entries',
    type,
    all.map((entry) => entry ?? 0),
  )
  if (opset >= 9) {
    const fixed = add(
      'fixed',
      'bool',
      all.map((entry) => (entry === undefined ? 0 : 1)),
    )
    return [makeNode('Where', [fixed, values, from], [to], {}, { name: to })]
  }
  const computed = add(
    'computed',
    type,
    all.map((entry) => (entry === undefined ? 1 : 0)),
  )
  const rest = freshName(graph, `${to}_rest`)
  return [
    makeNode('Mul', [from, computed], [rest], {}, { name: rest }),
    makeNode('Add', [rest, values], [to], {}, { name: to }),
  ]
}

export const freshName = (graph: Graph, hint: string): string => {
  const taken = (name: string) =>
    graph.initializers.has(name) || graph.nodes.some((node) => node.outputs.includes(name))
  let name = hint
  for (let i = 1; taken(name); i++) name = `${hint}_${i}`
  return name
}
