import { int64, numbersOf, sizeOf, type Tensor, type TensorType } from '../base/index.ts'
import { type Graph, intOf, type Model, makeNode, type Node, stringOf } from '../onnx/index.ts'
import { allFixed, isFixed, leastOf, minus, plus, product, type Size, sameSize } from '../operators/sizes/index.ts'
import type { Sizes } from './follow-sizes.ts'

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
  sizes: Sizes,
  traced: ReadonlyMap<string, TensorType>,
  made: Map<string, TensorType>,
): readonly Node[] => {
  if (node.opType !== 'ScatterND' || node.domain !== '' || stringOf(node, 'reduction', 'none') !== 'none') return [node]
  const box = boxOf(node, graph, sizes)
  const [x, , u] = node.inputs as [string, string, string]
  const y = node.outputs[0]!
  const whole = traced.get(y)
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

/** The box that a ScatterND overwrites in every run. */
const boxOf = (node: Node, graph: Graph, sizes: Sizes): Span[] | undefined => {
  const indices = node.inputs[1] ?? ''
  const [dims, places] = [sizes.dims(node.inputs[0] ?? ''), sizes.dims(indices)]
  const tensor = graph.initializers.get(indices)
  if (tensor) return allFixed(dims) ? spansOf(tensor, dims) : undefined
  const ramps = gridOf(indices, graph, sizes)
  if (!dims || !places || !ramps || ramps.length !== places.length - 1 || ramps.length > dims.length) return undefined
  const spans = ramps.map(({ axis, start }, k): Span | undefined => {
    const after = minus(minus(dims[k]!, places[k]!), start)
    return axis === k && isFixed(start) && start >= 0 && isFixed(after) && after >= 0
      ? { before: start, after }
      : undefined
  })
  return spans.length >= 2 && spans.every((span) => span !== undefined) ? spans : undefined
}

/** Numbers that count up by 1 along one axis, and are the same along all others. */
type Ramp = { readonly axis: number; readonly start: Size }

/** The ramps that a grid of indices lays side by side along its last axis. */
const gridOf = (value: string, graph: Graph, sizes: Sizes): Ramp[] | undefined => {
  const node = makerOf(graph, value)
  const rank = sizes.dims(value)?.length
  if (node?.opType !== 'Concat' || rank === undefined || frontAxis(intOf(node, 'axis', 0), rank) !== rank - 1)
    return undefined
  const ramps = node.inputs.map((input) => (sizes.dims(input)?.at(-1) === 1 ? rampOf(input, graph, sizes) : undefined))
  return ramps.every((ramp) => ramp !== undefined) ? ramps : undefined
}

const rampOf = (value: string, graph: Graph, sizes: Sizes): Ramp | undefined => {
  const dims = sizes.dims(value)
  if (!dims) return undefined
  const tensor = graph.initializers.get(value)
  if (tensor) return rampIn(tensor)
  const node = makerOf(graph, value)
  const x = node?.inputs[0] ?? ''
  const number = (input: number): Size | undefined => sizes.elements(node?.inputs[input] ?? '')?.[0]
  const from = sizes.dims(x)
  if (node?.domain !== '' || !from) return undefined
  if (node.opType === 'Range') {
    const start = number(0)
    return start !== undefined && number(2) === 1 ? { axis: 0, start } : undefined
  }
  if (node.opType === 'Add' || node.opType === 'Sub') {
    const [inner, by] = [rampOf(x, graph, sizes), number(1)]
    if (!inner || by === undefined || product(sizes.dims(node.inputs[1]!) ?? [0]) !== 1) return undefined
    return {
      axis: inner.axis + dims.length - from.length,
      start: node.opType === 'Add' ? plus(inner.start, by) : minus(inner.start, by),
    }
  }
  if (node.opType === 'Slice') {
    const inner = rampOf(x, graph, sizes)
    const [start, step] = [number(1), node.inputs[4] ? number(4) : 1]
    return inner && from.length === 1 && start !== undefined && leastOf(start) >= 0 && step === 1
      ? { axis: 0, start: plus(inner.start, start) }
      : undefined
  }
  if (node.opType === 'Identity' || node.opType === 'Cast') return rampOf(x, graph, sizes)
  if (node.opType === 'Expand') {
    const inner = rampOf(x, graph, sizes)
    const axis = inner && inner.axis + dims.length - from.length
    // Copies of one number do not count up.
    return axis !== undefined && sameSize(from[inner!.axis]!, dims[axis]!) ? { axis, start: inner!.start } : undefined
  }
  if (node.opType === 'Reshape' || node.opType === 'Unsqueeze' || node.opType === 'Squeeze') {
    const inner = rampOf(x, graph, sizes)
    const long = dims.flatMap((size, axis) => (size === 1 ? [] : [axis]))
    const [axis = 0] = long
    const alone = inner && from.every((size, other) => other === inner.axis || size === 1)
    return alone && long.length <= 1 && (long.length === 0 || sameSize(dims[axis]!, from[inner.axis]!))
      ? { axis, start: inner.start }
      : movedAxis(inner, from, dims)
  }
  return undefined
}

/** Axes of size 1 come and go in front of, behind and between the others, which stay in order. */
const movedAxis = (ramp: Ramp | undefined, from: readonly Size[], to: readonly Size[]): Ramp | undefined => {
  const long = (dims: readonly Size[]) => [...dims.keys()].filter((axis) => dims[axis] !== 1)
  const [before, after] = [long(from), long(to)]
  const kept = before.length === after.length && before.every((axis, i) => sameSize(from[axis]!, to[after[i]!]!))
  const place = ramp ? before.indexOf(ramp.axis) : -1
  return ramp && kept && place >= 0 ? { axis: after[place]!, start: ramp.start } : undefined
}

/** A list of numbers that counts up by 1. */
const rampIn = (tensor: Tensor): Ramp | undefined => {
  const long = tensor.dims.flatMap((size, axis) => (size === 1 ? [] : [axis]))
  if (long.length > 1 || (tensor.type !== 'int64' && tensor.type !== 'int32')) return undefined
  const values = numbersOf(tensor)
  return values.every((value, i) => value === values[0]! + i)
    ? { axis: long[0] ?? 0, start: values[0] ?? 0 }
    : undefined
}

const makerOf = (graph: Graph, value: string): Node | undefined =>
  graph.nodes.find(({ outputs }) => outputs.includes(value))

const frontAxis = (axis: number, rank: number) => (axis < 0 ? axis + rank : axis)

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
