import { int64 } from '../../../base/index.ts'
import { ofRank, type Step } from './sketch.ts'

const reductions = [
  ...['ReduceSum', 'ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceL1', 'ReduceL2'],
  ...['ReduceSumSquare', 'ReduceLogSumExp'],
]

const reduce: Step = (s) => {
  const x = s.take(ofRank(1))
  if (!x) return
  const op = s.pick(reductions)
  const [axis, keepdims] = [s.below(x.dims.length), x.dims.length === 1 ? 1 : s.below(2)]
  const axes = [s.below(2) ? axis + 1 : axis - x.dims.length]
  const asInput = op === 'ReduceSum' || s.opset >= 18
  const y = s.b.op(op, asInput ? [x.name, s.b.ints(axes)] : [x.name], { keepdims, ...(asInput ? {} : { axes }) })
  s.add(y, keepdims ? x.dims.with(axis, 1) : x.dims.toSpliced(axis, 1))
}

/** Operators that mix or compare along an axis. */
const along: Step = (s) => {
  const x = s.take(ofRank(1))
  if (!x) return
  const axis = s.below(x.dims.length)
  const size = x.dims[axis]!
  const kinds: (() => void)[] = [
    () => s.add(s.b.op(s.pick(['Softmax', 'LogSoftmax', 'Hardmax']), [x.name], { axis: axis + 1 }), x.dims),
    () =>
      s.add(
        s.b.op('CumSum', [x.name, s.b.constant(int64([], [axis + 1]))], { exclusive: s.below(2), reverse: s.below(2) }),
        x.dims,
      ),
    () =>
      s.add(
        s.b.ops('TopK', [x.name, s.b.ints([Math.ceil(size / 2)])], 2, { axis: axis + 1 })[0]!,
        x.dims.with(axis, Math.ceil(size / 2)),
      ),
    () => {
      const found = s.b.op(s.pick(['ArgMax', 'ArgMin']), [x.name], { axis: axis + 1, keepdims: 1 })
      s.add(s.b.op('Cast', [found], { to: 1 }), x.dims.with(axis, 1))
    },
    () => {
      if (x.dims.length >= 2) s.add(s.b.op('Trilu', [x.name], { upper: s.below(2) }), x.dims)
    },
  ]
  s.pick(kinds)()
}

/** A product of two computed values, of one with itself, or with itself turned. */
const product: Step = (s) => {
  const x = s.take(ofRank(2, 3))
  if (!x) return
  const [rows, columns] = x.dims.slice(-2) as [number, number]
  const front = x.dims.slice(0, -2)
  const turn = (name: string) =>
    s.b.op('Transpose', [name], { perm: [...front.map((_, i) => i), front.length, front.length + 2, front.length + 1] })
  const y = s.take(
    ({ dims }) => dims.length === x.dims.length && dims.slice(0, -2).join() === front.join() && dims.at(-1) === columns,
  )
  if (rows === columns && s.below(3) === 0) s.add(s.b.op('MatMul', [x.name, x.name]), x.dims)
  else if (s.below(3) === 0) s.add(s.b.op('MatMul', [turn(x.name), x.name]), [...front, columns, columns])
  else if (y) s.add(s.b.op('MatMul', [x.name, turn(y.name)]), [...front, rows, y.dims.at(-2)!])
}

const einsum: Step = (s) => {
  const x = s.take(ofRank(2, 2))
  if (!x) return
  const [i, j] = x.dims as [number, number]
  const y = s.take(({ dims }) => dims.length === 2 && dims[0] === i && dims[1] === j)!
  const k = 2 + s.below(3)
  const kinds: (() => void)[] = [
    () => s.add(s.b.op('Einsum', [x.name, y.name], { equation: 'nij,nkj->nik' }), [i, i]),
    () => s.add(s.b.op('Einsum', [x.name, y.name], { equation: 'nij,nij->ni' }), [i]),
    () => s.add(s.b.op('Einsum', [x.name, s.weight([j, k])], { equation: '...j,jk->...k' }), [i, k]),
    () => s.add(s.b.op('Einsum', [x.name, s.weight([i, j])], { equation: 'nij,ij->nj' }), [j]),
    () => s.add(s.b.op('Einsum', [x.name, s.weight([j, k]), s.weight([k])], { equation: 'nij,jk,k->nik' }), [i, k]),
    () => s.add(s.b.op('Einsum', [x.name], { equation: 'nij->nj' }), [j]),
    () => {
      if (i === j) s.add(s.b.op('Einsum', [x.name, x.name], { equation: 'nij,njk->nik' }), [i, i])
    },
    () => {
      if (i === j) s.add(s.b.op('Einsum', [x.name], { equation: 'nii->ni' }), [i])
    },
  ]
  s.pick(kinds)()
}

const attention: Step = (s) => {
  const x = s.take(ofRank(2, 2))
  if (!x) return
  const [steps, size] = x.dims as [number, number]
  const [heads, each] = [2, 2 + s.below(2)]
  const project = () => {
    const y = s.b.op('MatMul', [x.name, s.weight([size, heads * each])])
    return s.b.op('Transpose', [s.b.op('Reshape', [y, s.b.ints([0, 0, heads, each])])], { perm: [0, 2, 1, 3] })
  }
  const [q, k, v] = [project(), project(), project()]
  const scores = s.b.op('MatMul', [q, s.b.op('Transpose', [k], { perm: [0, 1, 3, 2] })])
  const weights = s.below(4) === 0 ? scores : s.b.op('Softmax', [scores], { axis: -1 })
  const mixed = s.b.op('Transpose', [s.b.op('MatMul', [weights, v])], { perm: [0, 2, 1, 3] })
  s.add(s.b.op('Reshape', [mixed, s.b.ints([0, 0, heads * each])]), [steps, heads * each])
}

/** Elements and rows written or read by fixed places. */
const placed: Step = (s) => {
  const x = s.take(ofRank(1, 2))
  if (!x) return
  const size = x.dims.at(-1)!
  const kinds: (() => void)[] = [
    () => {
      const picks = Array.from({ length: size }, () => s.below(size))
      const shape = x.dims.map((_, i) => (i === x.dims.length - 1 ? size : 1))
      const places = s.b.op('Expand', [s.b.constant(int64([1, ...shape], picks)), s.b.op('Shape', [x.name])])
      s.add(s.b.op('GatherElements', [x.name, places], { axis: -1 }), x.dims)
    },
    () => {
      const rows = [...new Set(Array.from({ length: 2 }, () => s.below(size)))]
      const w = s.weight([size])
      const written = s.b.op('ScatterND', [w, s.b.constant(int64([rows.length, 1], rows)), s.weight([rows.length])])
      s.add(s.b.op('Add', [x.name, written]), x.dims)
    },
  ]
  s.pick(kinds)()
}

export const sums = { reduce, along, product, einsum, attention, placed } satisfies Record<string, Step>
