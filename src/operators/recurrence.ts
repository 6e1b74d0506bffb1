import { intOf, stringOf } from '../onnx/index.ts'
import { cast } from './calculator.ts'
import {
  concat,
  filled,
  hasInput,
  hasOutput,
  inputOf,
  outputOf,
  range,
  reshape,
  slice,
  sum,
  unsupported,
} from './helpers.ts'
import type { GradientContext, NodeContext } from './types.ts'

/** Sizes of a recurrent layer: time steps, batch, input and hidden units, directions. */
export type Sizes = {
  readonly steps: number
  readonly batch: number
  readonly inputs: number
  readonly hidden: number
  readonly directions: number
}

export const sizesOf = (c: NodeContext): Sizes => {
  if (intOf(c.node, 'layout', 0) !== 0)
    throw unsupported(c.node, 'layout 1 (batch first) runs in no ONNX Runtime', 'transpose its inputs and use layout 0')
  const [steps, batch, inputs] = c.dims(inputOf(c.node, 0))
  const [directions, , hidden] = c.dims(inputOf(c.node, 2))
  return { steps: steps!, batch: batch!, inputs: inputs!, hidden: hidden!, directions: directions! }
}

/** One direction of the layer, its time axis in the order it runs: the reverse direction is a forward one on reversed input. */
export type Direction = Sizes & {
  readonly index: number
  /** Inputs of all steps, [steps·batch, inputs]. */
  readonly x: string
  /** hₜ₋₁ of all steps, [steps·batch, hidden]. */
  readonly before: string
  /** [gates·hidden, inputs] and [gates·hidden, hidden]. */
  readonly w: string
  readonly r: string
  /** [gates·hidden] each. */
  readonly biases: readonly [w: string, r: string] | undefined
  /** ∂L/∂hₜ by way of the output Y, [steps, batch, hidden]; 0 past a sequence's end. */
  readonly dy: string
  /** ∂L/∂h of each sequence's last step by way of Y_h, [batch, hidden]. */
  readonly dLast: string
  /** 1 within a sequence and 0 past its end, [steps, batch, 1]; undefined where all have full length. */
  readonly within: string | undefined
  /** Takes a part of this direction out of an input whose first axis is directions. */
  part(input: number): string
}

/** What a cell's rule gives for one direction. */
export type DirectionGradient = {
  /** By what W's product and its bias added to, [steps·batch, gates·hidden]. */
  readonly dz: string
  readonly dr: string
  readonly drBias: string
  readonly dInitial: string
  /** Of the inputs only some cells have, by position; without the axis of directions. */
  readonly others?: ReadonlyMap<number, string>
}

/**
 * The gradient of a recurrent layer. The outputs Y are known, so hₜ₋₁ of every step is too, and everything but the sum over
 * future steps is done for all steps in one product: only the rule's scan runs step by step (Werbos 1990).
 */
export const recurrentGradient = (
  g: GradientContext,
  cell: (g: GradientContext, d: Direction) => DirectionGradient,
): readonly (string | undefined)[] => {
  if (g.grads.every((grad) => grad === undefined)) return []
  const s = sizesOf(g)
  const { steps, batch, inputs, directions } = s
  const kind = stringOf(g.node, 'direction', 'forward')
  const y = hasOutput(g.node, 0) ? outputOf(g.node, 0) : again(g)
  const lengths = hasInput(g.node, 4) ? cast(g, inputOf(g.node, 4), 'int64') : undefined
  const whole = () => g.b.ints(range(0, batch).map(() => steps))
  const turn = (value: string) =>
    g.b.op('ReverseSequence', [value, lengths ?? whole()], { time_axis: 0, batch_axis: 1 })
  const within = lengths === undefined ? undefined : mask(g, s, lengths)

  const found = range(0, directions).map((index) => {
    const backwards = kind === 'reverse' || index === 1
    const ordered = (value: string) => (backwards ? turn(value) : value)
    const direction = directionOf(g, s, index, y, within, ordered)
    const gradient = cell(g, direction)
    const dx = reshape(g, g.b.op('Gemm', [gradient.dz, direction.w]), [steps, batch, inputs])
    return {
      ...gradient,
      dx: ordered(dx),
      dw: g.b.op('Gemm', [gradient.dz, direction.x], { transA: 1 }),
      dBias: concat(g, [sum(g, gradient.dz, [0]), gradient.drBias], 0),
    }
  })

  const stacked = (values: readonly string[]) =>
    concat(
      g,
      values.map((value) => g.b.op('Unsqueeze', [value, g.b.ints([0])])),
      0,
    )
  const all = (pick: (one: (typeof found)[number]) => string) => stacked(found.map(pick))
  const other = (input: number) => all((one) => one.others!.get(input)!)
  const rules = [
    () => found.map((one) => one.dx).reduce((total, dx) => g.b.op('Add', [total, dx])),
    () => all((one) => one.dw),
    () => all((one) => one.dr),
    () => all((one) => one.dBias),
    undefined,
    () => all((one) => one.dInitial),
    () => other(6),
    () => other(7),
  ]
  return g.node.inputs.map((name, i) => (name !== '' && g.wants(i) ? rules[i]?.() : undefined))
}

/** The layer once more, for the outputs Y of a node that gives only its last state. */
const again = (g: GradientContext): string =>
  g.b.op(g.node.opType, g.node.inputs, Object.fromEntries(g.node.attributes))

/** 1 where t < length, [steps, batch, 1]. */
const mask = (g: GradientContext, { steps, batch }: Sizes, lengths: string): string => {
  const times = reshape(g, g.b.ints(range(0, steps)), [steps, 1])
  return reshape(g, cast(g, g.b.op('Less', [times, lengths]), g.type(inputOf(g.node, 0))), [steps, batch, 1])
}

const directionOf = (
  g: GradientContext,
  s: Sizes,
  index: number,
  y: string,
  within: string | undefined,
  ordered: (value: string) => string,
): Direction => {
  const { steps, batch, inputs, hidden, directions } = s
  const x = inputOf(g.node, 0)
  const pick = (value: string, axis: number, dims: readonly number[]) =>
    reshape(g, directions === 1 ? value : slice(g, value, { axes: [axis], starts: [index], ends: [index + 1] }), dims)
  const part = (input: number) => {
    const name = inputOf(g.node, input)
    return pick(name, 0, g.dims(name).slice(1))
  }
  const state = [batch, hidden]
  const outputs = ordered(pick(y, 1, [steps, ...state]))
  const initial = reshape(g, hasInput(g.node, 5) ? part(5) : filled(g, x, state, 0), [1, ...state])
  const before =
    steps === 1 ? initial : concat(g, [initial, slice(g, outputs, { axes: [0], starts: [0], ends: [steps - 1] })], 0)
  const dy =
    g.grads[0] === undefined ? filled(g, x, [steps, ...state], 0) : ordered(pick(g.grads[0], 1, [steps, ...state]))
  const rows = g.dims(inputOf(g.node, 1))[1]!
  const bias = () => {
    const both = part(3)
    const half = (from: number) => slice(g, both, { axes: [0], starts: [from], ends: [from + rows] })
    return [half(0), half(rows)] as const
  }
  return {
    ...s,
    index,
    x: reshape(g, ordered(x), [steps * batch, inputs]),
    before: reshape(g, before, [steps * batch, hidden]),
    w: part(1),
    r: part(2),
    biases: hasInput(g.node, 3) ? bias() : undefined,
    dy: within === undefined || g.grads[0] === undefined ? dy : g.b.op('Mul', [dy, within]),
    dLast: g.grads[1] === undefined ? filled(g, x, state, 0) : pick(g.grads[1], 0, state),
    within,
    part,
  }
}
