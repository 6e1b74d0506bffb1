import { int64, sizeOf } from '../../../base/index.ts'
import { ofRank, type Sketch, type Step } from './sketch.ts'

const few = ({ dims }: { dims: readonly number[] }) => dims.length >= 1 && sizeOf(dims) <= 400

/** An axis behind the batch, and how a node writes it: from the front or from the end. */
const axisOf = (s: Sketch, rank: number): { axis: number; written: number } => {
  const axis = s.below(rank)
  return { axis, written: s.below(2) ? axis + 1 : axis - rank }
}

const transpose: Step = (s) => {
  const x = s.take(ofRank(2))
  if (!x) return
  const perm = [...s.dice.shuffle(Int32Array.from(x.dims.keys()))]
  s.add(
    s.b.op('Transpose', [x.name], { perm: [0, ...perm.map((axis) => axis + 1)] }),
    perm.map((axis) => x.dims[axis]!),
  )
}

export const splitSizes = (s: Sketch, n: number): [number, number] | undefined => {
  const factors = Array.from({ length: n }, (_, i) => i + 1).filter((d) => d > 1 && d < n && n % d === 0)
  const d = factors.length > 0 ? s.pick(factors) : undefined
  return d === undefined ? undefined : [d, n / d]
}

/** The target of a Reshape: numbers, some of them 0 or −1, or sizes asked of the value itself. */
const targetOf = (s: Sketch, x: string, from: readonly number[], to: readonly number[]): string => {
  if (s.below(3) > 0) {
    const sizes = [
      0,
      ...to.map((size, i) =>
        i < from.length && from.slice(0, i + 1).join() === to.slice(0, i + 1).join() && s.below(2) ? 0 : size,
      ),
    ]
    const inferred = s.below(2 * to.length) + 1
    return s.b.ints(sizes.map((size, i) => (i === inferred ? -1 : size)))
  }
  const batch = s.b.op('Gather', [s.b.op('Shape', [x]), s.b.constant(int64([], [0]))])
  const parts = [s.b.op('Unsqueeze', [batch, s.b.ints([0])]), ...to.map((size) => s.b.ints([size]))]
  return s.b.op('Concat', parts, { axis: 0 })
}

const reshape: Step = (s) => {
  const x = s.take(few)
  if (!x) return
  const axis = s.below(x.dims.length)
  const apart = splitSizes(s, x.dims[axis]!)
  const merge = axis + 1 < x.dims.length && (s.below(2) || !apart)
  const to = merge
    ? x.dims.toSpliced(axis, 2, x.dims[axis]! * x.dims[axis + 1]!)
    : apart && x.dims.length < 4
      ? x.dims.toSpliced(axis, 1, ...apart)
      : undefined
  if (to) s.add(s.b.op('Reshape', [x.name, targetOf(s, x.name, x.dims, to)]), to)
}

const flatten: Step = (s) => {
  const x = s.take(few)
  if (x) s.add(s.b.op('Flatten', [x.name]), [sizeOf(x.dims)])
}

const squeeze: Step = (s) => {
  const x = s.take(ofRank(1, 3))
  if (!x) return
  const one = x.dims.indexOf(1)
  if (one >= 0) s.add(s.b.op('Squeeze', [x.name, s.b.ints([one + 1])]), x.dims.toSpliced(one, 1))
  else {
    const at = s.below(x.dims.length + 1)
    s.add(s.b.op('Unsqueeze', [x.name, s.b.ints([at + 1])]), x.dims.toSpliced(at, 0, 1))
  }
}

const concat: Step = (s) => {
  const x = s.take(few)
  if (!x) return
  const { axis, written } = axisOf(s, x.dims.length)
  const y = s.take(({ dims }) => dims.length === x.dims.length && dims.every((n, i) => i === axis || n === x.dims[i]))
  if (!y || x.dims[axis]! + y.dims[axis]! > 12) return
  s.add(s.b.op('Concat', [x.name, y.name], { axis: written }), x.dims.with(axis, x.dims[axis]! + y.dims[axis]!))
}

const split: Step = (s) => {
  const x = s.take(ofRank(1))
  if (!x) return
  const { axis, written } = axisOf(s, x.dims.length)
  const size = x.dims[axis]!
  if (size < 2) return
  const first = 1 + s.below(size - 1)
  const even = size % 2 === 0 && s.below(2)
  const sizes = even ? [size / 2, size / 2] : [first, size - first]
  const inputs = even ? [x.name] : [x.name, s.b.ints(sizes)]
  const attributes = { axis: written, ...(even && s.opset >= 18 ? { num_outputs: 2 } : {}) }
  const [one, two] = s.b.ops('Split', inputs, 2, attributes) as [string, string]
  if (s.below(3) === 0) s.add(s.b.op('Concat', [two, one], { axis: written }), x.dims)
  else for (const [i, part] of [one, two].entries()) s.add(part, x.dims.with(axis, sizes[i]!))
}

const gather: Step = (s) => {
  const x = s.take(ofRank(1))
  if (!x) return
  const { axis, written } = axisOf(s, x.dims.length)
  const size = x.dims[axis]!
  const index = () => s.below(2 * size) - size
  if (s.below(4) === 0 && x.dims.length > 1)
    return s.add(
      s.b.op('Gather', [x.name, s.b.constant(int64([], [index()]))], { axis: written }),
      x.dims.toSpliced(axis, 1),
    )
  const count = 1 + s.below(size + 2)
  s.add(
    s.b.op('Gather', [x.name, s.b.ints(Array.from({ length: count }, index))], { axis: written }),
    x.dims.with(axis, count),
  )
}

const slice: Step = (s) => {
  const x = s.take(ofRank(1))
  if (!x) return
  const { axis, written } = axisOf(s, x.dims.length)
  const size = x.dims[axis]!
  const [start, end, step] = s.pick([
    [0, size - 1, 1],
    [1, 2 ** 31, 1],
    [-2, 2 ** 31, 1],
    [0, 2 ** 31, 2],
    [-1, -(2 ** 31), -1],
    [size - 1, -(2 ** 31), -2],
  ] as const)
  const all = Array.from({ length: size }, (_, i) => i)
  const from = start < 0 ? Math.max(start + size, 0) : start
  const count = step < 0 ? Math.ceil((from + 1) / -step) : Math.ceil((Math.min(end, size) - from) / step)
  if (count < 1 || all.length < 2) return
  const inputs = [x.name, ...[[start], [end], [written], [step]].map((n) => s.b.ints(n))]
  s.add(s.b.op('Slice', inputs), x.dims.with(axis, count))
}

const pad: Step = (s) => {
  const x = s.take(ofRank(1, 3))
  if (!x) return
  const axis = s.below(x.dims.length)
  const mode = s.pick(['constant', 'constant', 'edge', 'reflect'])
  const [before, after] = [s.pick([0, 1, x.dims[axis]! > 2 ? -1 : 0]), s.below(2)]
  if (mode !== 'constant' && (before < 0 || x.dims[axis]! < 2)) return
  const at = (n: number) => [0, ...x.dims.map((_, i) => (i === axis ? n : 0))]
  const inputs = [x.name, s.b.ints([...at(before), ...at(after)])]
  if (mode === 'constant' && s.below(2)) inputs.push(s.b.scalar(s.pick([0, 1])))
  s.add(s.b.op('Pad', inputs, { mode }), x.dims.with(axis, x.dims[axis]! + before + after))
}

const repeat: Step = (s) => {
  const x = s.take((v) => few(v) && sizeOf(v.dims) <= 60)
  if (!x) return
  const axis = s.below(x.dims.length)
  const to = x.dims.with(axis, x.dims[axis]! * 2)
  if (x.dims[axis] === 1 && s.below(2)) s.add(s.b.op('Expand', [x.name, s.b.ints([1, ...to])]), to)
  else s.add(s.b.op('Tile', [x.name, s.b.ints([1, ...x.dims.map((_, i) => (i === axis ? 2 : 1))])]), to)
}

export const shapes = {
  transpose,
  reshape,
  flatten,
  squeeze,
  concat,
  split,
  gather,
  slice,
  pad,
  repeat,
} satisfies Record<string, Step>
