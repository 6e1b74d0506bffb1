import { int64 } from '../base/index.ts'
import { attribute, intOf } from '../onnx/index.ts'
import {
  at,
  filled,
  freezeAxes,
  frontAxis,
  gradOf,
  hasInput,
  inputOf,
  joinAxes,
  outputOf,
  range,
  slice,
  split,
  varies,
} from './helpers.ts'
import { keptOf } from './kept.ts'
import { concatSizes, splitSizes } from './sizes/moves.ts'
import {
  type AxisContext,
  type AxisRule,
  free,
  type GradientRule,
  type NodeContext,
  type Operator,
  type ResizeRule,
} from './types.ts'

const others = (rank: number, axis: number) => range(0, rank).filter((other) => other !== axis)

/** Index i of one axis is index i + offset of the other, for `size` indices. */
const joinSegment = (a: AxisContext, part: string, whole: string, axis: number, offset: number): void => {
  for (const i of range(0, a.dims(part)[axis]!))
    a.joinAt({ ...at(part, axis), at: i }, { ...at(whole, axis), at: i + offset })
}

const concatAxis = (c: NodeContext) => frontAxis(intOf(c.node, 'axis', 1), c.dims(outputOf(c.node, 0)).length)

/** y = [x₁ … xₙ]: each input gets its own stretch of dy. */
const concatGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  if (dy === undefined) return []
  const axis = concatAxis(g)
  const sizes = g.node.inputs.map((x) => g.dims(x)[axis]!)
  const wanted = [...sizes.keys()].filter((i) => g.wants(i))
  if (wanted.length > 1) return split(g, dy, axis, sizes)
  return sizes.map((size, i) => {
    const start = sizes.slice(0, i).reduce((total, before) => total + before, 0)
    return g.wants(i) ? slice(g, dy, { axes: [axis], starts: [start], ends: [start + size] }) : undefined
  })
}

const concatAxes: AxisRule = (a) => {
  const y = outputOf(a.node, 0)
  const axis = concatAxis(a)
  // Where the parts begin is another place from run to run.
  const moves = a.node.inputs.some((x) => varies(a, x, axis))
  let offset = 0
  for (const x of a.node.inputs) {
    joinAxes(a, x, y, others(a.dims(y).length, axis))
    if (moves) for (const value of [x, y]) a.freeze(at(value, axis), 'Concat puts parts of varying sizes side by side')
    else joinSegment(a, x, y, axis, offset)
    offset += a.dims(x)[axis]!
  }
}

const splitAxis = (c: NodeContext) => frontAxis(intOf(c.node, 'axis', 0), c.dims(inputOf(c.node, 0)).length)

/** The pieces' gradients side by side; zeros for a piece the loss does not depend on. */
const splitGradient: GradientRule = (g) => {
  if (!g.wants(0) || g.grads.every((grad) => grad === undefined)) return []
  const x = inputOf(g.node, 0)
  const parts = g.node.outputs.map((y, i) => g.grads[i] ?? filled(g, x, g.dims(y), 0))
  return [parts.length === 1 ? parts[0]! : g.b.op('Concat', parts, { axis: splitAxis(g) })]
}

const splitAxes: AxisRule = (a) => {
  const x = inputOf(a.node, 0)
  const axis = splitAxis(a)
  if (hasInput(a.node, 1)) {
    freezeAxes(a, inputOf(a.node, 1), 'holds the sizes of pieces')
  }
  const moves = [x, ...a.node.outputs].some((value) => value !== '' && varies(a, value, axis))
  let offset = 0
  for (const y of a.node.outputs) {
    joinAxes(a, x, y, others(a.dims(x).length, axis))
    if (moves) for (const value of [x, y]) a.freeze(at(value, axis), 'Split makes pieces of varying sizes')
    else joinSegment(a, y, x, axis, offset)
    offset += a.dims(y)[axis]!
  }
}

/** Writes the pieces' new sizes: an input from opset 13, an attribute before; an equal split becomes an explicit one. */
const resizeSplit: ResizeRule = (r) => {
  const axis = splitAxis(r)
  if (!r.kept(at(inputOf(r.node, 0), axis))) return
  const sizes = r.node.outputs.map((y) => keptOf(r, y, axis).length)
  if (r.opset < 13) r.node.attributes.set('split', attribute(sizes))
  else {
    r.node.attributes.delete('num_outputs')
    r.setConstant(1, int64([sizes.length], sizes))
  }
}

/** Operators that put values together and take them apart. */
export const concats = {
  Concat: { gradient: concatGradient, axes: concatAxes, macs: free, sizes: concatSizes },
  Split: { gradient: splitGradient, axes: splitAxes, macs: free, resize: resizeSplit, sizes: splitSizes },
} satisfies Record<string, Operator>
