import type { TensorType } from '../../base/index.ts'
import { copyNode, type Graph, GraphBuilder, type Node } from '../../onnx/index.ts'
import { type SegmentOptions, type Segments, segmentsOf } from './segments.ts'

export type RecomputeOptions = Pick<SegmentOptions, 'fed' | 'types'> & {
  /** The nodes of the forward pass and the loss; all others are the gradient's. */
  readonly forward: ReadonlySet<Node>
}

/**
 * Trades time for memory: the forward pass is cut into segments, only what crosses a cut is kept until the gradient needs
 * it, and the rest of a segment is computed a second time when the gradient comes to it. With √n segments of √n layers the
 * activations take memory as √n, for one more forward pass. Chen, Xu, Zhang, Guestrin: Training Deep Nets with Sublinear
 * Memory Cost, 2016, §4. In place.
 *
 * A second computation reads what the first one read, passed through a `Where` whose condition hangs on a gradient made
 * just before: an engine can neither merge the two nor run the second ahead of time, and not a bit changes.
 */
export const recomputeForward = (graph: Graph, { forward, fed, types }: RecomputeOptions): void => {
  const nodes = graph.nodes.filter((node) => forward.has(node))
  const later = graph.nodes.filter((node) => !forward.has(node))
  const kept = new Set(graph.outputs.map(({ name }) => name))
  const segments = segmentsOf({ nodes, later, kept, fed, types })
  const builder = new GraphBuilder(graph)
  const copies = new Map<string, string>()
  const done = new Set<number>()
  // What hangs on the end of the forward pass, or on a gradient that does.
  const chain = new Set(
    segments.parts.at(-1)?.flatMap(({ outputs }) => outputs.filter((name) => segments.moving.has(name))),
  )
  let token: string | undefined
  graph.nodes = [...nodes]
  for (const node of later) {
    for (const part of new Set(node.inputs.flatMap((name) => segments.again.get(name) ?? []))) {
      if (done.has(part) || token === undefined) continue
      done.add(part)
      const needed = new Set(later.flatMap(({ inputs }) => inputs.filter((name) => segments.again.get(name) === part)))
      for (const [name, copy] of secondTime(part, needed, { segments, builder, types, token })) {
        copies.set(name, copy)
        chain.add(copy)
      }
    }
    node.inputs = node.inputs.map((name) => copies.get(name) ?? name)
    graph.nodes.push(node)
    if (!node.inputs.some((name) => chain.has(name))) continue
    for (const name of node.outputs) chain.add(name)
    token = node.outputs[0]
  }
}

type Making = {
  readonly segments: Segments
  readonly builder: GraphBuilder
  readonly types: ReadonlyMap<string, TensorType>
  /** A value that must be there before anything is made. */
  readonly token: string
}

/** Appends what makes the needed values of a part once more. @returns the new names of all that is made */
const secondTime = (part: number, needed: ReadonlySet<string>, making: Making): ReadonlyMap<string, string> => {
  const { segments, builder, types, token } = making
  const within = (name: string) => segments.again.get(name) === part
  const need = new Set(needed)
  const chosen = [...segments.parts[part]!].reverse().filter((node) => {
    if (!node.outputs.some((name) => need.has(name))) return false
    for (const name of node.inputs) if (within(name)) need.add(name)
    return true
  })
  const first = builder.op('Slice', [
    builder.op('Reshape', [token, builder.ints([-1])]),
    builder.ints([0]),
    builder.ints([1]),
  ])
  const never = builder.op('IsNaN', [builder.op('Cast', [first], { to: 1 })])
  const held = new Map<string, string>()
  const after = (name: string): string => {
    const type = types.get(name)
    if (!segments.moving.has(name) || !type || !passable.has(type.type) || type.dims.length === 0) return name
    const found = held.get(name) ?? builder.op('Where', [never, name, name])
    held.set(name, found)
    return found
  }
  const names = new Map<string, string>()
  for (const node of chosen.reverse()) {
    const copy = copyNode(node)
    copy.name = builder.fresh(`${node.name || node.opType}_again`)
    copy.inputs = node.inputs.map((name) => (name === '' ? '' : (names.get(name) ?? after(name))))
    copy.outputs = node.outputs.map((name) => (name === '' ? '' : builder.fresh(`${name}_again`)))
    for (const [i, name] of node.outputs.entries()) if (name) names.set(name, copy.outputs[i]!)
    builder.graph.nodes.push(copy)
  }
  return names
}

/** Types that `Where` takes in ONNX Runtime. */
const passable = new Set<TensorType['type']>(['float32', 'float64', 'int32', 'int64', 'uint8'])
