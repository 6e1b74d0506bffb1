import { byteLengthOf, type TensorType } from '../../base/index.ts'
import { type Node, readsOf, subgraphsOf } from '../../onnx/index.ts'

export type SegmentOptions = {
  /** The forward pass and the loss, in order. */
  readonly nodes: readonly Node[]
  /** The gradient's nodes. */
  readonly later: readonly Node[]
  /** Values that are kept whatever happens: the graph's outputs. */
  readonly kept: ReadonlySet<string>
  /** What is fed anew with each batch, weights aside. */
  readonly fed: ReadonlySet<string>
  readonly types: ReadonlyMap<string, TensorType>
}

/** The forward pass in parts. */
export type Segments = {
  /** The nodes of each. */
  readonly parts: readonly (readonly Node[])[]
  /** The part of every value that can be made a second time. */
  readonly again: ReadonlyMap<string, number>
  /** Values that hang on what is fed: all others are made once. */
  readonly moving: ReadonlySet<string>
}

/** Cuts the forward pass where little crosses, so that each part holds about the same share of what the gradient reads. */
export const segmentsOf = ({ nodes, later, kept, fed, types }: SegmentOptions): Segments => {
  const bytesOf = (name: string) => {
    const type = types.get(name)
    return type ? byteLengthOf(type) : 0
  }
  const moving = new Set(fed)
  for (const node of nodes)
    if (readsOf(node).some((name) => moving.has(name))) for (const name of node.outputs) if (name) moving.add(name)
  const lastRead = new Map<string, number>()
  for (const [at, node] of nodes.entries()) for (const name of readsOf(node)) lastRead.set(name, at)
  const made = nodes.flatMap((node, at) => node.outputs.flatMap((name) => (moving.has(name) ? [{ name, at }] : [])))

  const read = new Set(later.flatMap(readsOf))
  const wanted = new Set(made.flatMap(({ name }) => (read.has(name) ? [name] : [])))
  const crossing = new Float64Array(nodes.length)
  for (const { name, at } of made) for (let i = at; i < (lastRead.get(name) ?? at); i++) crossing[i]! += bytesOf(name)

  const total = [...wanted].reduce((sum, name) => sum + bytesOf(name), 0)
  const share = total / Math.max(1, Math.round(Math.sqrt(wanted.size)))
  const ends: number[] = []
  let [held, best] = [0, -1]
  for (const [at, node] of nodes.entries()) {
    for (const name of node.outputs) if (wanted.has(name)) held += bytesOf(name)
    if (held >= share / 2 && (best < 0 || crossing[at]! <= crossing[best]!)) best = at
    if (held < share) continue
    ends.push(best)
    held = 0
    best = -1
  }
  if (ends.at(-1) !== nodes.length - 1) ends.push(nodes.length - 1)

  const again = new Map<string, number>()
  for (const [at, node] of nodes.entries()) {
    const part = ends.findIndex((end) => at <= end)
    // The gradient begins with the last part, whose values are there still.
    if (part === ends.length - 1 || drawsOrHolds(node)) continue
    for (const name of node.outputs)
      if (moving.has(name) && !kept.has(name) && (lastRead.get(name) ?? at) <= ends[part]!) again.set(name, part)
  }
  const parts = ends.map((end, part) => nodes.slice((ends[part - 1] ?? -1) + 1, end + 1))
  return { parts, again, moving }
}

const draws = new Set([
  ...['RandomNormal', 'RandomUniform', 'RandomNormalLike', 'RandomUniformLike', 'Bernoulli', 'Multinomial'],
])

/** A second run of these would give other numbers, or cost too much to follow. */
const drawsOrHolds = (node: Node): boolean =>
  draws.has(node.opType) || (node.opType === 'Dropout' && node.inputs[2] !== undefined) || subgraphsOf(node).length > 0
