import { attribute, intOf, intsOf } from '../../onnx/index.ts'
import { at, freezeAll, freezeAxes, hasInput, inputOf, outputOf, range } from '../helpers.ts'
import { keptOf, newSize } from '../kept.ts'
import {
  type AxisContext,
  type AxisRef,
  free,
  type NodeContext,
  type Operator,
  type ResizeContext,
  unknown,
} from '../types.ts'

// Attention in one node: a head is a unit. It takes its queries, keys, values and its part of the output with it, `num_heads`
// is rewritten, and √d stays, the size of the others being what it was. A single dimension of all heads cannot go: √d would
// be taken of fewer.

const shared = 'all heads of an attention share it'

/** A stretch of an axis that holds heads side by side. */
type Stretch = { readonly ref: AxisRef; readonly from: number; readonly size: number }

const whole = (c: NodeContext, value: string, axis: number): Stretch => ({
  ref: at(value, axis),
  from: 0,
  size: c.dims(value)[axis]!,
})

/** Ties the blocks of stretches: block h of each is head h. */
const joinHeads = (a: AxisContext, count: number, stretches: readonly Stretch[]): void => {
  const lead = stretches[0]!
  for (const { ref, from, size } of stretches)
    for (let i = 0; i < size; i++) {
      const head = Math.floor((i * count) / size)
      a.joinAt({ ...lead.ref, at: lead.from + (head * lead.size) / count }, { ...ref, at: from + i })
    }
}

/** Axes of what is added to or hidden from the scores: heads where it has them, the rest stays. */
const scoresOf = (a: AxisContext, positions: readonly number[], count: number): Stretch[] =>
  positions.flatMap((position) => {
    if (!hasInput(a.node, position)) return []
    const value = inputOf(a.node, position)
    const own = a.dims(value).length === 4 && a.dims(value)[1] === count && count > 1
    freezeAxes(a, value, shared, own ? [0, 2, 3] : undefined)
    return own ? [whole(a, value, 1)] : []
  })

/** The stretches of a packed axis: [queries | keys | values]. */
const packed = (ref: AxisRef, sizes: readonly number[]): Stretch[] =>
  sizes.map((size, i) => ({ ref, from: sizes.slice(0, i).reduce((sum, s) => sum + s, 0), size }))

const uncached = (a: AxisContext, inputs: readonly number[], outputs: readonly number[]): boolean =>
  inputs.every((i) => !hasInput(a.node, i)) && outputs.every((i) => !a.node.outputs[i])

const cached = 'attention with a cache of past words'
const rotated = 'positions are turned into it inside the node'

const sizesOf = (c: NodeContext): readonly number[] => {
  const third = c.dims(inputOf(c.node, 1))[1]! / 3
  return intsOf(c.node, 'qkv_hidden_sizes', [third, third, third])
}

const batchAndSteps = (a: AxisContext, values: readonly string[]): void => {
  for (const value of values) freezeAxes(a, value, shared, [0, 1])
}

/** How many heads are left, from an axis that holds them side by side. */
const headsLeft = (r: ResizeContext, value: string, axis: number, count: number): number =>
  (newSize(r, value, axis) * count) / r.dims(value)[axis]!

/** Heads that lie side by side: as many as the node says, or as the angles fill. */
const turnedHeads = (c: NodeContext): number => {
  const size = c.dims(inputOf(c.node, 0))[2]!
  return intOf(c.node, 'num_heads', 0) || size / (2 * c.dims(inputOf(c.node, 2))[1]!)
}

/** The products of queries with keys and of weights with values. */
const scoreMacs = (q: readonly number[], total: number, qSize: number, vSize: number): number =>
  q[0]! * q[1]! * total * (qSize + vSize)

export const heads = {
  Attention: {
    gradient: unknown,
    axes: (a) => {
      if (!uncached(a, [4, 6], [1])) return freezeAll(a, cached)
      if (intOf(a.node, 'do_rotary', 0)) return freezeAll(a, rotated)
      const [x, w, y] = [inputOf(a.node, 0), inputOf(a.node, 1), outputOf(a.node, 0)]
      const [count, sizes] = [intOf(a.node, 'num_heads', 1), sizesOf(a)]
      batchAndSteps(a, [x, y])
      a.join(at(x, 2), at(w, 0))
      const biases = hasInput(a.node, 2) ? packed(at(inputOf(a.node, 2), 0), sizes) : []
      const scores = scoresOf(a, [3, 5], count)
      joinHeads(a, count, [whole(a, y, 2), ...packed(at(w, 1), sizes), ...biases, ...scores])
    },
    macs: (m) => {
      const [x, w] = [m.dims(inputOf(m.node, 0)), m.dims(inputOf(m.node, 1))]
      const value = m.dims(outputOf(m.node, 0))[2]!
      return x[0]! * x[1]! * w[0]! * w[1]! + scoreMacs(x, x[1]!, (w[1]! - value) / 2, value)
    },
    resize: (r) => {
      const [w, y] = [inputOf(r.node, 1), outputOf(r.node, 0)]
      const kept = keptOf(r, w, 1)
      const sizes = packed(at(w, 1), sizesOf(r)).map(
        ({ from, size }) => kept.filter((i) => i >= from && i < from + size).length,
      )
      r.node.attributes.set('num_heads', attribute(headsLeft(r, y, 2, intOf(r.node, 'num_heads', 1))))
      if (r.node.attributes.has('qkv_hidden_sizes')) r.node.attributes.set('qkv_hidden_sizes', attribute(sizes))
    },
  },

  MultiHeadAttention: {
    gradient: unknown,
    axes: (a) => {
      if (!uncached(a, [6, 7, 8, 9], [1, 2, 3])) return freezeAll(a, cached)
      const parts = [0, 1, 2].filter((i) => hasInput(a.node, i)).map((i) => inputOf(a.node, i))
      if (parts.length < 3 || parts.some((name) => a.dims(name).length !== 3))
        return freezeAll(a, 'queries, keys and values are packed in one')
      const [count, y] = [intOf(a.node, 'num_heads', 1), outputOf(a.node, 0)]
      batchAndSteps(a, [...parts, y])
      const sizes = parts.map((name) => a.dims(name)[2]!)
      const biases = hasInput(a.node, 3) ? packed(at(inputOf(a.node, 3), 0), sizes) : []
      const scores = scoresOf(a, [4, 5], count)
      joinHeads(a, count, [whole(a, y, 2), ...parts.map((name) => whole(a, name, 2)), ...biases, ...scores])
    },
    macs: (m) => {
      const [q, k, v] = [0, 1, 2].map((i) => m.dims(m.node.inputs[i] ?? ''))
      return q?.length === 3 && k?.length === 3 && v?.length === 3 ? scoreMacs(q, k[1]!, q[2]!, v[2]!) : 0
    },
    resize: (r) => {
      const count = intOf(r.node, 'num_heads', 1)
      r.node.attributes.set('num_heads', attribute(headsLeft(r, outputOf(r.node, 0), 2, count)))
    },
  },

  GroupQueryAttention: {
    gradient: unknown,
    // A key and value head goes together with the query heads that share it.
    axes: (a) => {
      if ([1, 2].some((i) => !hasInput(a.node, i))) return freezeAll(a, 'queries, keys and values are packed in one')
      if (a.node.inputs.slice(9).some((name) => name !== '')) return freezeAll(a, 'a bias of scores or sinks')
      const [q, k, v, y] = [inputOf(a.node, 0), inputOf(a.node, 1), inputOf(a.node, 2), outputOf(a.node, 0)]
      batchAndSteps(a, [q, k, v, y])
      for (const i of range(5, 9)) if (hasInput(a.node, i)) freezeAxes(a, inputOf(a.node, i), shared)
      const caches = [...[3, 4].map((i) => a.node.inputs[i]), ...[1, 2].map((i) => a.node.outputs[i])]
      const given = caches.filter((name): name is string => Boolean(name))
      for (const cache of given) freezeAxes(a, cache, shared, [0, 2, 3])
      const count = intOf(a.node, 'kv_num_heads', 1)
      const stretches = [...[y, q, k, v].map((name) => whole(a, name, 2)), ...given.map((name) => whole(a, name, 1))]
      joinHeads(a, count, stretches)
    },
    macs: (m) => {
      const [q, k] = [m.dims(inputOf(m.node, 0)), m.dims(m.node.outputs[1] ?? '')]
      return q.length === 3 && k.length === 4 ? scoreMacs(q, k[2]!, q[2]!, q[2]!) : 0
    },
    resize: (r) => {
      const y = outputOf(r.node, 0)
      for (const name of ['num_heads', 'kv_num_heads'])
        r.node.attributes.set(name, attribute(headsLeft(r, y, 2, intOf(r.node, name, 1))))
    },
  },

  RotaryEmbedding: {
    gradient: unknown,
    // Pairs of features are turned together, so a head stays whole; positions and angles are the same for all.
    axes: (a) => {
      const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
      for (const i of range(1, 4)) if (hasInput(a.node, i)) freezeAxes(a, inputOf(a.node, i), shared)
      if (a.dims(x).length === 4) {
        a.join(at(x, 1), at(y, 1))
        for (const value of [x, y]) freezeAxes(a, value, 'pairs of features are turned together', [0, 2, 3])
        return
      }
      batchAndSteps(a, [x, y])
      joinHeads(a, turnedHeads(a), [whole(a, y, 2), whole(a, x, 2)])
    },
    macs: free,
    resize: (r) => {
      const x = inputOf(r.node, 0)
      const count = intOf(r.node, 'num_heads', 0)
      if (count > 0)
        r.node.attributes.set('num_heads', attribute(headsLeft(r, x, r.dims(x).length === 4 ? 1 : 2, count)))
    },
  },
} satisfies Record<string, Operator>
