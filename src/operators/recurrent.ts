import { sizeOf } from '../base/index.ts'
import { attribute, intOf } from '../onnx/index.ts'
import { gruCell, lstmCell, rnnCell } from './cells.ts'
import { at, freezeAll, freezeAxes, hasInput, hasOutput, inputOf, outputOf, range } from './helpers.ts'
import { recurrentGradient } from './recurrence.ts'
import { recurrentSizes } from './sizes/layers.ts'
import type { AxisContext, AxisRef, NodeContext, Operator, ResizeContext } from './types.ts'

/**
 * A hidden unit j is row {gate·H + j} of W, R and both halves of B, j of each peephole, column j of R, and j of every
 * state, in all directions at once. Since R's column goes with it, removing it is exact. Input units are W's columns.
 */
const recurrentAxes = (a: AxisContext): void => {
  if (intOf(a.node, 'layout', 0) !== 0) {
    freezeAll(a, 'layout 1 of a recurrent layer runs in no ONNX Runtime')
    return
  }
  const [x, w, r] = [inputOf(a.node, 0), inputOf(a.node, 1), inputOf(a.node, 2)]
  const [directions, hidden] = [a.dims(r)[0]!, a.dims(r)[2]!]
  const unit = at(r, 2)
  const batch = at(x, 1)

  const blocks = (ref: AxisRef) => {
    for (const i of range(0, a.dims(ref.value)[ref.axis]!)) a.joinAt({ ...ref, at: i }, { ...unit, at: i % hidden })
  }
  const perDirection = (value: string) => a.freeze(at(value, 0), 'a recurrent layer keeps its directions')
  const state = (value: string) => {
    perDirection(value)
    a.join(at(value, 1), batch)
    a.join(at(value, 2), unit)
  }

  a.freeze(at(x, 0), 'a recurrence passes along time')
  a.join(at(x, 2), at(w, 2))
  for (const value of [w, r]) {
    perDirection(value)
    blocks(at(value, 1))
  }
  for (const i of [3, 7])
    if (hasInput(a.node, i)) {
      perDirection(inputOf(a.node, i))
      blocks(at(inputOf(a.node, i), 1))
    }
  if (hasInput(a.node, 4)) a.join(at(inputOf(a.node, 4), 0), batch)
  for (const i of [5, 6]) if (hasInput(a.node, i)) state(inputOf(a.node, i))
  for (const i of [1, 2]) if (hasOutput(a.node, i)) state(outputOf(a.node, i))
  if (!hasOutput(a.node, 0)) return
  const y = outputOf(a.node, 0)
  freezeAxes(a, y, 'a recurrence passes along time', [0])
  freezeAxes(a, y, `a recurrent layer keeps its ${directions === 1 ? 'direction' : 'directions'}`, [1])
  a.join(at(y, 2), batch)
  a.join(at(y, 3), unit)
}

const resizeHidden = (r: ResizeContext): void => {
  const kept = r.kept(at(inputOf(r.node, 2), 2))
  if (kept) r.node.attributes.set('hidden_size', attribute(kept.length))
}

/** Every step multiplies by all of W and R. */
const recurrentMacs = (m: NodeContext): number => {
  const [steps, batch] = m.dims(inputOf(m.node, 0))
  return steps! * batch! * (sizeOf(m.dims(inputOf(m.node, 1))) + sizeOf(m.dims(inputOf(m.node, 2))))
}

const row = { axes: recurrentAxes, macs: recurrentMacs, resize: resizeHidden, sizes: recurrentSizes }

export const recurrent = {
  RNN: { gradient: (g) => recurrentGradient(g, rnnCell), ...row },
  GRU: { gradient: (g) => recurrentGradient(g, gruCell), ...row },
  LSTM: { gradient: (g) => recurrentGradient(g, lstmCell), ...row },
} satisfies Record<string, Operator>
