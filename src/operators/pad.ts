import { int64, numbersOf } from '../base/index.ts'
import { attribute, intsOf, stringOf } from '../onnx/index.ts'
import {
  at,
  elementsOf,
  freezeAxes,
  frontAxis,
  gradOf,
  hasInput,
  inputOf,
  outputOf,
  padZeros,
  range,
  sum,
  unsupported,
  varies,
} from './helpers.ts'
import { keptOf } from './kept.ts'
import { runsOf, scatterRuns } from './runs.ts'
import { allFixed, isFixed, type Size } from './sizes/index.ts'
import { padSizes } from './sizes/moves.ts'
import { type AxisRule, free, type GradientRule, type NodeContext, type Operator, type ResizeRule } from './types.ts'

type Pads = { readonly before: number[]; readonly after: number[] }

/** Pads of every axis: an input from opset 11 (with `axes` from 18), an attribute before. Undefined when not constant. */
const padsOf = (c: NodeContext): Pads | undefined => {
  const rank = c.dims(inputOf(c.node, 0)).length
  const read = (position: number): number[] | undefined => {
    const tensor = c.constant(inputOf(c.node, position))
    return tensor && numbersOf(tensor)
  }
  const pads = hasInput(c.node, 1) ? read(1) : intsOf(c.node, 'pads', [])
  const axes = hasInput(c.node, 3) ? read(3)?.map((axis) => frontAxis(axis, rank)) : range(0, rank)
  if (!pads || !axes) return undefined
  const before = range(0, rank).map((axis) => pads[axes.indexOf(axis)] ?? 0)
  const after = range(0, rank).map((axis) => (axes.includes(axis) ? pads[axes.indexOf(axis) + axes.length]! : 0))
  return { before, after }
}

/**
 * Which input each output of a padded axis shows. Negative pads crop the input first; ONNX Runtime then repeats what is left
 * of it.
 */
const padMap = (mode: string, size: number, before: number, after: number): number[] => {
  const first = Math.max(-before, 0)
  const left = size - first - Math.max(-after, 0)
  const period = mode === 'reflect' ? Math.max(2 * (left - 1), 1) : left
  return range(-Math.max(before, 0), left + Math.max(after, 0)).map((i) => {
    if (mode === 'edge') return first + Math.min(Math.max(i, 0), left - 1)
    const place = ((i % period) + period) % period
    return first + (place < left ? place : period - place)
  })
}

/** Each input gets the sum of the outputs that show it; the constant what is left. */
const padGradient: GradientRule = (g) => {
  const dy = gradOf(g)
  const pads = padsOf(g)
  if (dy === undefined) return []
  const mode = stringOf(g.node, 'mode', 'constant')
  if (!pads) {
    if (mode !== 'constant' || hasInput(g.node, 3) || g.wants(2))
      throw unsupported(g.node, 'its pads are computed while the graph runs', 'make them a constant')
    return [g.b.op('Pad', [dy, g.b.op('Neg', [inputOf(g.node, 1)])])]
  }
  const [x, y] = [g.dims(inputOf(g.node, 0)), g.dims(outputOf(g.node, 0))]
  const dims = [...y]
  let grad = dy
  if (mode === 'constant')
    grad = padZeros(
      g,
      dy,
      pads.before.map((n) => -n),
      pads.after.map((n) => -n),
    )
  else
    for (const axis of x.keys()) {
      if (pads.before[axis] === 0 && pads.after[axis] === 0) continue
      const runs = runsOf(padMap(mode, x[axis]!, pads.before[axis]!, pads.after[axis]!))
      grad = scatterRuns(g, grad, dims, axis, runs, x[axis]!)
      dims[axis] = x[axis]!
    }
  const fill = () => g.b.op('Sub', [sum(g, dy, [...y.keys()]), sum(g, grad, [...x.keys()])])
  return [grad, undefined, mode === 'constant' && g.wants(2) ? fill() : undefined]
}

/** The pads of every axis as far as they are the same in every run, and each one's place in the list. */
const writtenPadsOf = (c: NodeContext): ((axis: number, side: 'before' | 'after') => { pad: Size; entry?: number }) => {
  const rank = c.dims(inputOf(c.node, 0)).length
  const pads = hasInput(c.node, 1) ? elementsOf(c, inputOf(c.node, 1)) : intsOf(c.node, 'pads', [])
  const named = hasInput(c.node, 3) ? elementsOf(c, inputOf(c.node, 3)) : range(0, rank)
  const axes = allFixed(named) ? named.map((axis) => frontAxis(axis, rank)) : undefined
  return (axis, side) => {
    if (!axes || !pads) return { pad: Number.NaN }
    const place = axes.indexOf(axis)
    if (place < 0) return { pad: 0 }
    const entry = side === 'before' ? place : place + axes.length
    return { pad: pads[entry] ?? Number.NaN, entry }
  }
}

/** Padding with a constant is a segment among constants; the other modes show inputs several times over. */
const padAxes: AxisRule = (a) => {
  const [x, y] = [inputOf(a.node, 0), outputOf(a.node, 0)]
  for (const input of [a.node.inputs[1], a.node.inputs[3]]) if (input) freezeAxes(a, input, 'holds pads')
  const padOf = writtenPadsOf(a)
  const mode = stringOf(a.node, 'mode', 'constant')
  for (const axis of a.dims(x).keys()) {
    const [before, after] = [padOf(axis, 'before').pad, padOf(axis, 'after').pad]
    const freeze = (reason: string) => {
      for (const value of [x, y]) a.freeze(at(value, axis), reason)
    }
    if (before === 0 && after === 0) a.join(at(x, axis), at(y, axis))
    else if (!isFixed(before) || !isFixed(after) || Number.isNaN(before) || Number.isNaN(after))
      freeze('Pad computes its pads while the graph runs')
    else if (varies(a, x, axis)) freeze('Pad moves the indices of an axis whose size varies')
    else if (mode !== 'constant') freeze(`Pad repeats indices of the axis (${mode})`)
    else
      for (const i of range(0, a.dims(y)[axis]!))
        if (i >= before && i - before < a.dims(x)[axis]!)
          a.joinAt({ ...at(x, axis), at: i - before }, { ...at(y, axis), at: i })
  }
}

/** Padded places may go with the units they are joined to; a negative pad cuts off what is left of what it cut. */
const resizePad: ResizeRule = (r) => {
  const [x, y] = [inputOf(r.node, 0), outputOf(r.node, 0)]
  const padOf = writtenPadsOf(r)
  const axes = range(0, r.dims(x).length)
  const changes = axes.some((axis) => r.kept(at(x, axis)) ?? r.kept(at(y, axis)))
  const left = (axis: number, side: 'before' | 'after', pad: number) => {
    if (pad === 0) return 0
    const value = pad < 0 ? x : y
    const size = r.dims(value)[axis]!
    const within = (i: number) => (side === 'before' ? i < Math.abs(pad) : i >= size - Math.abs(pad))
    return Math.sign(pad) * keptOf(r, value, axis).filter(within).length
  }
  const sides = (['before', 'after'] as const).flatMap((side) =>
    axes.map((axis) => {
      const { pad, entry } = padOf(axis, side)
      return { entry, pad: isFixed(pad) ? left(axis, side, pad) : undefined }
    }),
  )
  if (hasInput(r.node, 1) && !r.constant(inputOf(r.node, 1))) {
    const entries = sides.flatMap(({ entry, pad }) =>
      entry === undefined || pad === undefined ? [] : [[entry, pad] as const],
    )
    r.setElements(1, new Map(entries))
  } else if (changes) {
    const pads = sides.map(({ pad }) => pad ?? 0)
    if (r.opset < 11) r.node.attributes.set('pads', attribute(pads))
    else {
      if (hasInput(r.node, 3)) r.node.inputs.length = 3
      r.setConstant(1, int64([pads.length], pads))
    }
  }
}

/** Padding in every mode. */
export const pads = {
  Pad: { gradient: padGradient, axes: padAxes, macs: free, resize: resizePad, sizes: padSizes },
} satisfies Record<string, Operator>
