import { int64, numbersOf, sizeOf } from '../base/index.ts'
import { intOf } from '../onnx/index.ts'
import {
  at,
  elementsOf,
  freezeAxes,
  gradOf,
  inputOf,
  outputOf,
  range,
  reshape as reshapeTo,
  sizesOf,
  varies,
} from './helpers.ts'
import { newSize } from './kept.ts'
import { isFixed, leastOf, product, quotient, type Size, sameSize, sizeText, times } from './sizes/index.ts'
import { flattenSizes, reshapeSizes, squeezeSizes, unsqueezeSizes } from './sizes/moves.ts'
import {
  type AxisContext,
  type AxisReading,
  type AxisRef,
  type AxisRule,
  free,
  type GradientRule,
  type Operator,
  type ResizeContext,
  type ResizeRule,
} from './types.ts'

/** The elements stay in order, so the gradient takes the input's shape back. */
export const restoreShape: GradientRule = (g) => {
  const dy = gradOf(g)
  return dy !== undefined && g.wants(0) ? [reshapeTo(g, dy, g.dims(inputOf(g.node, 0)))] : []
}

/** Axes of the input and of the output that hold the same elements: a smallest run of each with equal sizes. */
export type Block = { readonly input: readonly number[]; readonly output: readonly number[] }

/**
 * Takes two shapes of the same elements apart into blocks, from the first axis on and from the last; `rest` is what lies
 * between where sizes vary in a way that cannot be followed. Axes that are always 1 belong to none.
 */
export const blocksOf = (from: readonly Size[], to: readonly Size[]): { blocks: Block[]; rest?: Block } => {
  const long = (sizes: readonly Size[]) => [...sizes.keys()].filter((axis) => sizes[axis] !== 1)
  const [inputs, outputs] = [long(from), long(to)]
  const blocks: Block[] = []
  for (const end of ['first', 'last'] as const)
    for (
      let block = takeBlock(inputs, outputs, from, to, end);
      block;
      block = takeBlock(inputs, outputs, from, to, end)
    )
      blocks.push(block)
  return inputs.length + outputs.length === 0 ? { blocks } : { blocks, rest: { input: inputs, output: outputs } }
}

/** The smallest block at one end of the axes left, which it takes from them; undefined where none can be followed. */
const takeBlock = (
  inputs: number[],
  outputs: number[],
  from: readonly Size[],
  to: readonly Size[],
  end: 'first' | 'last',
): Block | undefined => {
  const axisAt = (axes: readonly number[], i: number) => (end === 'first' ? axes[i] : axes[axes.length - 1 - i])
  let [taken, made] = [1, 1]
  let [one, other]: [Size, Size] = [from[axisAt(inputs, 0) ?? -1] ?? 0, to[axisAt(outputs, 0) ?? -1] ?? 0]
  if (inputs.length === 0 || outputs.length === 0) return undefined
  while (!sameSize(one, other)) {
    const grow = shorter(one, other)
    const axis = grow === 'one' ? axisAt(inputs, taken) : axisAt(outputs, made)
    if (grow === undefined || axis === undefined) return undefined
    if (grow === 'one') [one, taken] = [times(one, from[axis]!), taken + 1]
    else [other, made] = [times(other, to[axis]!), made + 1]
  }
  const cut = (axes: number[], count: number) =>
    end === 'first' ? axes.splice(0, count) : axes.splice(axes.length - count, count)
  return { input: cut(inputs, taken), output: cut(outputs, made) }
}

/** Which of two sizes is to grow until they are equal: the smaller number, or the one that divides the other. */
const shorter = (one: Size, other: Size): 'one' | 'other' | undefined => {
  if (isFixed(one) && isFixed(other)) return one < other ? 'one' : 'other'
  if (quotient(other, one) !== undefined) return 'one'
  return quotient(one, other) === undefined ? undefined : 'other'
}

/** A factor of an axis: its size, and the step between its indices in the axis (the product of the factors within it). */
type Factor = { readonly axis: number; readonly step: number }

/** A side of a block: its axes' sizes in every run, and in the one that was traced. */
type Side = { readonly sizes: readonly Size[]; readonly dims: readonly number[] }

/** Elements between two neighbours along an axis, in every run and in the traced one. */
type Step = { readonly size: Size; readonly count: number }

/**
 * The common factors of both sides of a block, outermost first: [C, H·W] and [G, C/G·H, W] are C = G·C/G, H, W. Undefined
 * when the sides do not factor into each other in every run ([2, 6] and [3, 4]).
 */
const factorsOf = (one: Side, other: Side) => {
  const steps: Step[] = []
  for (const step of [...stepsOf(one), ...stepsOf(other), wholeOf(one)])
    if (!steps.some(({ size }) => sameSize(size, step.size))) steps.push(step)
  steps.sort((a, b) => (quotient(a.size, b.size) === undefined ? a.count - b.count || -1 : 1))
  if (steps.some(({ size }, i) => i > 0 && quotient(size, steps[i - 1]!.size) === undefined)) return undefined
  const within = (side: Side, step: Step): Factor | undefined => {
    const own = stepsOf(side)
    const axis = own.findIndex(({ size }) => quotient(step.size, size) !== undefined)
    return axis < 0 ? undefined : { axis, step: step.count / own[axis]!.count }
  }
  const factors = range(1, steps.length).map((i) => ({
    size: steps[i]!.count / steps[i - 1]!.count,
    one: within(one, steps[i - 1]!),
    other: within(other, steps[i - 1]!),
  }))
  return factors.reverse().flatMap(({ size, one, other }) => (one && other ? [{ size, one, other }] : []))
}

/** How many elements lie between two neighbours along each axis. */
const stepsOf = ({ sizes, dims }: Side): Step[] =>
  dims.map((_, axis) => ({ size: product(sizes.slice(axis + 1)), count: sizeOf(dims.slice(axis + 1)) }))

const wholeOf = ({ sizes, dims }: Side): Step => ({ size: product(sizes), count: sizeOf(dims) })

/**
 * Joins what a change of shape leaves in place. Where an axis is split or merged, one factor of the block carries its
 * indices through: index c of [C, H, W] is the elements c·H·W … of the merged axis, head h of [H, d] the elements h·d … of
 * the flat one. The axes of the other factors then cannot lose indices, and freezing them does not touch the carrier's.
 *
 * @param mayShrink whether an axis of the output may lose indices
 */
export const joinReshaped = (
  a: AxisContext,
  input: string,
  output: string,
  mayShrink: (axis: number) => boolean = () => true,
): void => {
  const [from, to] = [a.dims(input), a.dims(output)]
  const [sizes, others] = [sizesOf(a, input), sizesOf(a, output)]
  for (const [value, own] of [[input, sizes] as const, [output, others] as const])
    for (const axis of own.keys())
      if (own[axis] === 1) a.freeze(at(value, axis), 'an axis of size 1 has no index to lose')
  if (sizeOf(from) === 0) return
  const { blocks, rest } = blocksOf(sizes, others)
  const freezeBlock = ({ input: one, output: other }: Block, reason: string) => {
    for (const axis of one) a.freeze(at(input, axis), reason)
    for (const axis of other) a.freeze(at(output, axis), reason)
  }
  const text = (block: Block) => {
    const list = (own: readonly Size[], axes: readonly number[]) =>
      `[${axes.map((axis) => sizeText(own[axis]!)).join(', ')}]`
    return `${list(sizes, block.input)} into ${list(others, block.output)}`
  }
  if (rest) freezeBlock(rest, `${a.node.opType} turns ${text(rest)}, which cannot be followed at every size`)
  for (const block of blocks) {
    const [one, other] = [block.input, block.output]
    if (one.length === 1 && other.length === 1) {
      a.join(at(input, one[0]!), at(output, other[0]!))
      continue
    }
    const side = (own: readonly Size[], dims: readonly number[], axes: readonly number[]): Side => ({
      sizes: axes.map((axis) => own[axis]!),
      dims: axes.map((axis) => dims[axis]!),
    })
    const factors = factorsOf(side(sizes, from, one), side(others, to, other))
    if (!factors) {
      freezeBlock(block, `${a.node.opType} turns ${text(block)}, which share no whole blocks`)
      continue
    }
    const open = factors.filter(({ other: outer }) => mayShrink(other[outer.axis]!))
    if (open.length === 0) {
      freezeBlock(block, `${a.node.opType} turns ${text(block)} by a target computed while the graph runs`)
      continue
    }
    const readings = open.map(({ size, one: inner, other: outer }): AxisReading => {
      const x = at(input, one[inner.axis]!)
      const y = at(output, other[outer.axis]!)
      return {
        axes: [x, y],
        state() {
          const reason = `${a.node.opType} turns ${text(block)}: indices go in whole blocks of another axis`
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

/**
 * Sizes that vary stay what the graph computes, so an axis of such a size loses indices only where the target may say −1 for
 * it: where it does, or where no other axis needs the −1.
 */
const reshapeAxes: AxisRule = (a) => {
  const [x, shape, y] = [inputOf(a.node, 0), inputOf(a.node, 1), outputOf(a.node, 0)]
  freezeAxes(a, shape, 'holds the sizes of axes')
  const target = elementsOf(a, shape)
  const open = blocksOf(sizesOf(a, x), sizesOf(a, y))
    .blocks.filter(({ input, output }) => input.length > 1 || output.length > 1)
    .flatMap(({ output }) => output.filter((axis) => varies(a, y, axis)))
  const inferred = target?.indexOf(-1) ?? -1
  const sure = target?.every((size) => leastOf(size) >= 0 || size === -1) ?? false
  joinReshaped(
    a,
    x,
    y,
    (axis) => !varies(a, y, axis) || axis === inferred || (sure && inferred < 0 && open.length === 1),
  )
}

const resizeReshape: ResizeRule = (r) => {
  const [x, shape, y] = [inputOf(r.node, 0), inputOf(r.node, 1), outputOf(r.node, 0)]
  const rank = r.dims(y).length
  const loses = (value: string, axis: number) => r.kept(at(value, axis)) !== undefined
  const lost = (value: string) => [...r.dims(value).keys()].some((axis) => loses(value, axis))
  const target = r.constant(shape)
  if (!target) return resizeComputed(r)
  if (!lost(y) && !lost(x)) return
  const copies = intOf(r.node, 'allowzero', 0) === 0
  const sizes = numbersOf(target).map((size, axis) => {
    if (size === -1) return -1
    const wanted = newSize(r, y, axis)
    if (size === 0 && copies) return newSize(r, x, axis) === wanted ? 0 : wanted
    return loses(y, axis) ? wanted : size
  })
  r.setConstant(1, int64([rank], sizes))
}

/** A constant target in place of a computed one where copies and one −1 can stand for the sizes that vary. */
const resizeComputed = (r: ResizeContext): void => {
  const [x, shape, y] = [inputOf(r.node, 0), inputOf(r.node, 1), outputOf(r.node, 0)]
  const [from, to] = [sizesOf(r, x), sizesOf(r, y)]
  const loses = (value: string, axis: number) => r.kept(at(value, axis)) !== undefined
  const changes = [x, y].some((value) => [...r.dims(value).keys()].some((axis) => loses(value, axis)))
  const sizes = to.map((size, axis) => {
    if (isFixed(size)) return newSize(r, y, axis)
    const copied = from[axis] !== undefined && sameSize(from[axis], size) && !loses(x, axis) && !loses(y, axis)
    return copied ? 0 : -1
  })
  if (changes && elementsOf(r, shape) && sizes.filter((size) => size === -1).length <= 1) {
    r.node.attributes.delete('allowzero')
    r.setConstant(1, int64([sizes.length], sizes))
    return
  }
  const rewritten = [...sizes.entries()].filter(([axis]) => isFixed(to[axis]) || loses(y, axis))
  r.setElements(1, new Map(rewritten))
}

/** Squeeze and Unsqueeze move axes of size 1 only: their `axes`, an attribute before opset 13, stay true. */
const oneAxes: AxisRule = (a) => {
  const axes = a.node.inputs[1]
  if (axes) freezeAxes(a, axes, 'holds the numbers of axes')
  reshapedAxes(a)
}

/** Operators that give the same elements another shape. */
export const reshape = {
  Reshape: {
    gradient: restoreShape,
    axes: reshapeAxes,
    macs: free,
    resize: resizeReshape,
    sizes: reshapeSizes,
  },
  Flatten: { gradient: restoreShape, axes: reshapedAxes, macs: free, sizes: flattenSizes },
  Squeeze: { gradient: restoreShape, axes: oneAxes, macs: free, sizes: squeezeSizes },
  Unsqueeze: { gradient: restoreShape, axes: oneAxes, macs: free, sizes: unsqueezeSizes },
} satisfies Record<string, Operator>
