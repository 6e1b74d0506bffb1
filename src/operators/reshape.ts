import { int64, numbersOf, sizeOf } from '../base/index.ts'
import { intOf } from '../onnx/index.ts'
import { at, freezeAxes, gradOf, inputOf, outputOf, range, reshape as reshapeTo } from './helpers.ts'
import { newSize } from './kept.ts'
import {
  type AxisContext,
  type AxisReading,
  type AxisRef,
  type AxisRule,
  free,
  type GradientRule,
  type Operator,
  type ResizeRule,
} from './types.ts'

/** The elements stay in order, so the gradient takes the input's shape back. */
export const restoreShape: GradientRule = (g) => {
  const dy = gradOf(g)
  return dy !== undefined && g.wants(0) ? [reshapeTo(g, dy, g.dims(inputOf(g.node, 0)))] : []
}

/** Axes of the input and of the output that hold the same elements: a smallest run of each with equal sizes. */
export type Block = { readonly input: readonly number[]; readonly output: readonly number[] }

/** Takes two shapes of equal size apart into blocks, axes of size 1 aside. */
export const blocksOf = (from: readonly number[], to: readonly number[]): Block[] => {
  const long = (dims: readonly number[]) => [...dims.keys()].filter((axis) => dims[axis] !== 1)
  const [inputs, outputs] = [long(from), long(to)]
  const blocks: Block[] = []
  while (inputs.length > 0) {
    const input = [inputs.shift()!]
    const output = outputs.splice(0, 1)
    const size = (dims: readonly number[], axes: number[]) => axes.reduce((n, axis) => n * dims[axis]!, 1)
    while (size(from, input) !== size(to, output)) {
      const short = size(from, input) < size(to, output) ? ([inputs, input] as const) : ([outputs, output] as const)
      short[1].push(short[0].shift()!)
    }
    blocks.push({ input, output })
  }
  return blocks
}

/** A factor of an axis: its size, and the step between its indices in the axis (the product of the factors within it). */
type Factor = { readonly axis: number; readonly step: number }

/**
 * The common factors of both sides of a block, outermost first: [C, H·W] and [G, C/G·H, W] are C = G·C/G, H, W. Undefined
 * when the sides do not factor into each other ([2, 6] and [3, 4]).
 */
const factorsOf = (sizes: readonly number[], others: readonly number[]) => {
  const steps = [...new Set([...stepsOf(sizes), ...stepsOf(others), sizeOf(sizes)])].sort((a, b) => a - b)
  if (steps.some((step, i) => i > 0 && step % steps[i - 1]! !== 0)) return undefined
  const within = (dims: readonly number[], step: number): Factor => {
    const axis = stepsOf(dims).findIndex((own) => own <= step)
    return { axis, step: step / stepsOf(dims)[axis]! }
  }
  return range(1, steps.length)
    .map((i) => ({
      size: steps[i]! / steps[i - 1]!,
      one: within(sizes, steps[i - 1]!),
      other: within(others, steps[i - 1]!),
    }))
    .reverse()
}

/** How many elements lie between two neighbours along each axis. */
const stepsOf = (dims: readonly number[]): number[] => dims.map((_, axis) => sizeOf(dims.slice(axis + 1)))

/**
 * Joins what a change of shape leaves in place. Where an axis is split or merged, one factor of the block carries its
 * indices through: index c of [C, H, W] is the elements c·H·W … of the merged axis, head h of [H, d] the elements h·d … of
 * the flat one. The axes of the other factors then cannot lose indices, and freezing them does not touch the carrier's.
 */
export const joinReshaped = (a: AxisContext, input: string, output: string): void => {
  const [from, to] = [a.dims(input), a.dims(output)]
  for (const [value, dims] of [[input, from] as const, [output, to] as const])
    for (const axis of dims.keys())
      if (dims[axis] === 1) a.freeze(at(value, axis), 'an axis of size 1 has no index to lose')
  if (sizeOf(from) === 0) return
  for (const block of blocksOf(from, to)) {
    const [one, other] = [block.input, block.output]
    if (one.length === 1 && other.length === 1) {
      a.join(at(input, one[0]!), at(output, other[0]!))
      continue
    }
    const sizes = { input: one.map((axis) => from[axis]!), output: other.map((axis) => to[axis]!) }
    const shapes = `[${sizes.input.join(', ')}] into [${sizes.output.join(', ')}]`
    const factors = factorsOf(sizes.input, sizes.output)
    if (!factors) {
      for (const axis of one) a.freeze(at(input, axis), `${a.node.opType} turns ${shapes}, which share no whole blocks`)
      for (const axis of other)
        a.freeze(at(output, axis), `${a.node.opType} turns ${shapes}, which share no whole blocks`)
      continue
    }
    const readings = factors.map(({ size, one: inner, other: outer }): AxisReading => {
      const x = at(input, one[inner.axis]!)
      const y = at(output, other[outer.axis]!)
      return {
        axes: [x, y],
        state() {
          const reason = `${a.node.opType} turns ${shapes}: indices go in whole blocks of another axis`
          for (const axis of one) if (axis !== x.axis) a.freeze(at(input, axis), reason)
          for (const axis of other) if (axis !== y.axis) a.freeze(at(output, axis), reason)
          joinFactor(a, x, from[x.axis]!, inner.step, size)
          joinFactor(a, y, to[y.axis]!, outer.step, size)
          for (let i = 0; i < size; i++)
            a.joinAt(
              { value: input, axis: x.axis, at: i * inner.step },
              { value: output, axis: y.axis, at: i * outer.step },
            )
        },
      }
    })
    if (a.choose) a.choose(readings)
    else readings[0]!.state()
  }
}

/** Joins all indices of an axis that have the same index in one of its factors. */
const joinFactor = (a: AxisContext, { value, axis }: AxisRef, length: number, step: number, size: number): void => {
  // A counted loop and plain literals: a large model's heads run through here some hundred thousand times.
  for (let n = 0; n < length; n++) {
    const first = (Math.floor(n / step) % size) * step
    if (n !== first) a.joinAt({ value, axis, at: first }, { value, axis, at: n })
  }
}

const reshapedAxes: AxisRule = (a) => joinReshaped(a, inputOf(a.node, 0), outputOf(a.node, 0))

/** Output axes that can be written as 0, "the same as the input's": those in place, seen from either end. */
const copiedAxes = (from: readonly number[], to: readonly number[]): number[] => {
  const same = (axis: number) => from[axis] === to[axis]
  const front = range(0, to.length).find((axis) => !same(axis)) ?? to.length
  if (from.length !== to.length) return range(0, Math.min(front, from.length))
  const back = range(0, to.length).findLast((axis) => !same(axis)) ?? -1
  return range(0, to.length).filter((axis) => axis < front || axis > back)
}

/**
 * A target that is computed while the graph runs can be replaced by a constant only where 0 (copied) and one −1 (inferred)
 * say all that may vary from run to run; otherwise everything is frozen.
 */
const reshapeAxes: AxisRule = (a) => {
  const [x, shape, y] = [inputOf(a.node, 0), inputOf(a.node, 1), outputOf(a.node, 0)]
  freezeAxes(a, shape, 'holds the sizes of axes')
  if (!a.constant(shape)) {
    const reason = 'Reshape computes the target shape while the graph runs'
    const copied = copiedAxes(a.dims(x), a.dims(y))
    const computed = a.dims(y).length - copied.length
    if (computed > 2) for (const value of [x, y]) freezeAxes(a, value, reason)
    if (computed === 2) for (const value of [x, y]) freezeAxes(a, value, reason, copied)
    if (computed > 2) return
  }
  joinReshaped(a, x, y)
}

const resizeReshape: ResizeRule = (r) => {
  const [x, shape, y] = [inputOf(r.node, 0), inputOf(r.node, 1), outputOf(r.node, 0)]
  const lost = (value: string) => [...r.dims(value).keys()].some((axis) => r.kept(at(value, axis)) !== undefined)
  if (!lost(y) && !lost(x)) return
  const target = r.constant(shape)
  const given = target
    ? numbersOf(target)
    : computedTarget(r.dims(x), r.dims(y), (axis) => r.kept(at(y, axis)) !== undefined)
  if (!target) r.node.attributes.delete('allowzero')
  const copies = intOf(r.node, 'allowzero', 0) === 0
  const sizes = given.map((size, axis) => {
    if (size === -1) return -1
    const wanted = newSize(r, y, axis)
    if (size === 0 && copies) return newSize(r, x, axis) === wanted ? 0 : wanted
    return r.kept(at(y, axis)) === undefined ? size : wanted
  })
  r.setConstant(1, int64([sizes.length], sizes))
}

/** A constant target in place of a computed one: sizes that change are written out, of the others all but one are copied. */
const computedTarget = (
  from: readonly number[],
  to: readonly number[],
  changes: (axis: number) => boolean,
): number[] => {
  const copied = copiedAxes(from, to)
  return to.map((size, axis) => (copied.includes(axis) ? 0 : changes(axis) ? size : -1))
}

/** Squeeze and Unsqueeze move axes of size 1 only: their `axes`, an attribute before opset 13, stay true. */
const oneAxes: AxisRule = (a) => {
  const axes = a.node.inputs[1]
  if (axes) freezeAxes(a, axes, 'holds the numbers of axes')
  reshapedAxes(a)
}

/** Operators that give the same elements another shape. */
export const reshape = {
  Reshape: { gradient: restoreShape, axes: reshapeAxes, macs: free, resize: resizeReshape },
  Flatten: { gradient: restoreShape, axes: reshapedAxes, macs: free },
  Squeeze: { gradient: restoreShape, axes: oneAxes, macs: free },
  Unsqueeze: { gradient: restoreShape, axes: oneAxes, macs: free },
} satisfies Record<string, Operator>
