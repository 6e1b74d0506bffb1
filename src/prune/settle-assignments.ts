import { int64, numbersOf, sizeOf, type Tensor, type TensorType } from '../base/index.ts'
import { type Model, makeNode, type Node, stringOf } from '../onnx/index.ts'

/** What one run says: every value's shape, and the contents of all that follows from shapes. */
export type Look = { readonly shapes: ReadonlyMap<string, TensorType>; readonly known: ReadonlyMap<string, Tensor> }

/** Indices of an axis that are overwritten: all but so many before and after. */
type Span = { readonly before: number; readonly after: number }

/**
 * `x[:, :, 1:, 1:] = u` arrives as a ScatterND that names every element by its indices, a grid computed from sizes, so that
 * every axis seems to be read by index. Where two runs agree on what is overwritten, a box that leaves as many indices before
 * and after it on each axis, it becomes what it means: u with the rest of x around it, axis by axis from the innermost,
 *
 *     rows = Concat(x[1:, :1], u),  y = Concat(x[:1, :], rows).
 *
 * @param made takes the shapes of new values, as the first run would have them
 * @returns the nodes in place of a ScatterND; any other node as itself
 */
export const assignmentApart = (
  { graph }: Model,
  node: Node,
  looks: readonly [Look, Look],
  made: Map<string, TensorType>,
): readonly Node[] => {
  if (node.opType !== 'ScatterND' || node.domain !== '' || stringOf(node, 'reduction', 'none') !== 'none') return [node]
  const box = boxOf(node, looks)
  const [x, , u] = node.inputs as [string, string, string]
  const y = node.outputs[0]!
  const whole = looks[0].shapes.get(y)
  if (!box || !whole) return [node]
  const nodes: Node[] = []
  const constant = (name: string, values: readonly number[]) => {
    graph.initializers.set(name, int64([values.length], values))
    return name
  }
  const isPart = (axis: number) => box[axis]!.before > 0 || box[axis]!.after > 0
  const parts = [...box.keys()].filter(isPart)
  /** x between indices of an axis, and within the box on those before it. */
  const slice = (name: string, axis: number, from: number, to: number, size: number) => {
    const axes = [...parts.filter((other) => other < axis), axis]
    const starts = axes.map((a) => (a === axis ? from : box[a]!.before))
    const ends = axes.map((a) => (a === axis ? to : box[a]!.after === 0 ? toTheEnd : -box[a]!.after))
    const given = [constant(`${name}_starts`, starts), constant(`${name}_ends`, ends), constant(`${name}_axes`, axes)]
    made.set(name, { type: whole.type, dims: dimsWithin(axis, size) })
    nodes.push(makeNode('Slice', [x, ...given], [name], {}, { name }))
    return name
  }
  const within = (axis: number) => whole.dims[axis]! - box[axis]!.before - box[axis]!.after
  const dimsWithin = (axis: number, size: number) =>
    whole.dims.map((dim, other) => (other === axis ? size : other < axis && other < box.length ? within(other) : dim))
  let inner = u
  for (const axis of parts.toReversed()) {
    const { before, after } = box[axis]!
    const name = axis === parts[0] ? y : `${y}_rows_${axis}`
    const around = [
      ...(before > 0 ? [slice(`${y}_before_${axis}`, axis, 0, before, before)] : []),
      inner,
      ...(after > 0 ? [slice(`${y}_after_${axis}`, axis, -after, toTheEnd, after)] : []),
    ]
    if (name !== y) made.set(name, { type: whole.type, dims: dimsWithin(axis, whole.dims[axis]!) })
    nodes.push(makeNode('Concat', around, [name], { axis }, { name }))
    inner = name
  }
  return parts.length === 0 ? [makeNode('Identity', [u], [y], {}, { name: node.name })] : nodes
}

/** An end beyond every axis. */
const toTheEnd = Number.MAX_SAFE_INTEGER

/** What a ScatterND overwrites, if both runs agree that it is the same box. */
const boxOf = (node: Node, looks: readonly [Look, Look]): Span[] | undefined => {
  const [one, other] = looks.map(({ shapes, known }) => {
    const [indices, dims] = [known.get(node.inputs[1] ?? ''), shapes.get(node.inputs[0] ?? '')?.dims]
    return indices && dims && spansOf(indices, dims)
  })
  const agree =
    one && other && one.every(({ before, after }, k) => before === other[k]!.before && after === other[k]!.after)
  return agree ? one : undefined
}

/** The box whose elements are named one after another by indices [n₁, …, n_k, k]: (b₁ + i₁, …, b_k + i_k). */
const spansOf = (indices: Tensor, dims: readonly number[]): Span[] | undefined => {
  const sizes = indices.dims.slice(0, -1)
  const depth = indices.dims.at(-1)
  // Rows alone are carried along by ScatterND's own rule.
  if (depth !== sizes.length || depth < 2 || depth > dims.length || sizeOf(sizes) === 0) return undefined
  const values = numbersOf(indices)
  const first = values.slice(0, depth)
  if (first.some((before, k) => before < 0 || before + sizes[k]! > dims[k]!)) return undefined
  const steps = sizes.map((_, k) => sizeOf(sizes.slice(k + 1)))
  for (let n = 0; n < sizeOf(sizes); n++)
    for (let k = 0; k < depth; k++)
      if (values[n * depth + k] !== first[k]! + (Math.floor(n / steps[k]!) % sizes[k]!)) return undefined
  return first.map((before, k) => ({ before, after: dims[k]! - before - sizes[k]! }))
}
