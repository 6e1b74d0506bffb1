import { float32Of, numbersOf, own, sizeOf, type Tensor } from '../base/index.ts'
import { copyModel, type Model } from '../onnx/index.ts'
import { constants, type Runtime } from '../runtime/index.ts'
import { hasFreeBatch, sampleInputs } from './feeds.ts'
import { goneByGroup } from './gone.ts'
import { weightOf } from './importance/scores.ts'
import { proofSizes } from './proof-sizes.ts'
import { shifted, zeroSlices } from './slice.ts'
import { type Takers, takersOf } from './still.ts'
import { removedRoots } from './surgery.ts'
import { inPruned, shiftOf } from './takers.ts'
import type { Analysis, Group, Member, Plan, Slices } from './types.ts'

export type AbsorbOptions = {
  runtime: Runtime
  /** Also into convolutions with padding, which see zeros and not the constant at the border: near, not exact. Default false. */
  padded?: boolean
}

/** What absorbing did. */
export type Absorption = {
  readonly model: Model
  readonly plan: Plan
  /** Groups whose constants nobody takes, and why. */
  readonly left: readonly { readonly group: string; readonly reason: string }[]
}

/**
 * Lets biases take over what removed units still carry. With the weights that make it at zero a unit is not silent: behind a
 * folded BatchNormalization it is f(b) everywhere. The layer that reads it adds Σ W·f(b) to each of its outputs, a constant,
 * which moves into that layer's bias; so the pruned model equals the original whose units are held at their constants,
 * instead of at zero. That units are constant, whatever is fed and however large, follows from the operators they pass
 * (`takersOf`); which constants they are is read off by running the model. A group of which it does not follow is left alone.
 *
 * @param pruned what `applyPlan` made of `model`; not touched
 */
export const absorbConstants = async (
  pruned: Model,
  model: Model,
  plan: Plan,
  analysis: Analysis,
  { runtime, padded = false }: AbsorbOptions,
): Promise<Absorption> => {
  const removed = removedRoots(analysis, plan)
  const gone = goneByGroup(analysis, removed)
  const held = heldOf(model, analysis, removed)
  const known = await constants(runtime, held)
  const left: { group: string; reason: string }[] = []
  const open = [...gone].flatMap(([group, where]) => {
    const found = takersOf(group, where, { analysis, removed, pruned, held, padded, known })
    if (typeof found !== 'string') return [{ group, ...found }]
    left.push({ group: group.name, reason: found })
    return []
  })
  const constantAt = await constantsOf(model, held, open, runtime)
  const taken = open.filter(({ group, uniform }) => {
    const steady = [...uniform].every(([value, { axis, indices }]) =>
      indices.every((index) => constantAt(value, axis, index) !== undefined),
    )
    if (!steady) left.push({ group: group.name, reason: 'its units are not constant' })
    return steady
  })
  if (taken.length === 0) return { model: pruned, plan, left }

  const result = copyModel(pruned)
  const shifts = new Map<string, number[]>()
  for (const taker of taken.flatMap(({ takers }) => takers)) {
    const { node, adder, position } = taker
    const [x, name] = [node.inputs[0]!, inPruned(pruned, adder)!.inputs[position]!]
    const axis = node.opType === 'Conv' ? 1 : analysis.shapes.get(x)!.dims.length - 1
    const shift = shiftOf(taker, weightOf(model, analysis, taker.weight)!, (index) => constantAt(x, axis, index)!)
    const before = shifts.get(name)
    shifts.set(name, before ? shift.map((value, o) => value + before[o]!) : shift)
  }
  for (const [name, shift] of shifts)
    result.graph.initializers.set(name, shifted(pruned.graph.initializers.get(name)!, shift))
  return {
    model: result,
    plan: {
      ...plan,
      absorbed: {
        exact: !padded,
        groups: taken.map(({ group }) => group.name),
        biases: Object.fromEntries(shifts),
        zero: heldSlices(analysis, removed, new Set(taken.map(({ group }) => group))),
      },
    },
    left,
  }
}

const indicesOf = ({ perUnit, indices }: Member, units: readonly number[]): number[] =>
  units.flatMap((unit) => [...indices.subarray(unit * perUnit, (unit + 1) * perUnit)])

/** The analysed model with the weights at zero that make units that go. */
const heldOf = (model: Model, analysis: Analysis, removed: ReadonlySet<number>): Model => {
  const held = copyModel(analysis.model)
  const { initializers } = held.graph
  for (const name of initializers.keys()) initializers.set(name, weightOf(model, analysis, name)!)
  for (const group of analysis.groups) {
    const units = unitsIn(group, removed)
    for (const member of group.members)
      if (member.role === 'produces' && units.length > 0) {
        const { initializer, axis } = member
        initializers.set(initializer, zeroSlices(initializers.get(initializer)!, axis, indicesOf(member, units)))
      }
  }
  return held
}

const unitsIn = ({ roots }: Group, removed: ReadonlySet<number>): number[] =>
  [...roots.keys()].filter((unit) => removed.has(roots[unit]!))

/** What a value is at an index of an axis; undefined where it is not the same number everywhere. */
const constantsOf = async (
  model: Model,
  held: Model,
  open: readonly Takers[],
  runtime: Runtime,
): Promise<(value: string, axis: number, index: number) => number | undefined> => {
  const read = [...new Set(open.flatMap(({ uniform }) => [...uniform.keys()]))]
  if (read.length === 0) return () => undefined
  const probe = copyModel(held)
  probe.graph.outputs = read
    .filter((name) => !probe.graph.initializers.has(name))
    .map((name) => ({ name, type: 'undefined' }))
  const session = await runtime.open(probe)
  try {
    const batch = hasFreeBatch(model) ? 2 : 1
    const runs = [await session.run(sampleInputs(model, { batch, seed: 1 }))]
    for (const sizes of proofSizes(model, {}, Number.POSITIVE_INFINITY).runs.slice(1, 3)) {
      // A model may take one size only.
      const other = await session.run(sampleInputs(model, { ...sizes, seed: 2 })).catch(() => undefined)
      if (other) runs.push(other)
    }
    return (value, axis, index) => {
      const tensor = probe.graph.initializers.get(value)
      const found = (tensor ? [tensor] : runs.map((values) => own(values, value)!)).map((t) => rangeAt(t, axis, index))
      const [low, high] = [Math.min(...found.map(([l]) => l)), Math.max(...found.map(([, h]) => h))]
      const middle = (low + high) / 2
      return high - low <= 1e-5 * Math.max(1e-3, Math.abs(middle)) ? middle : undefined
    }
  } finally {
    await session.close()
  }
}

/** The least and the greatest number at one index of an axis. */
const rangeAt = (tensor: Tensor, axis: number, index: number): [number, number] => {
  const inner = sizeOf(tensor.dims.slice(axis + 1))
  const [size, values] = [tensor.dims[axis]!, tensor.type === 'float32' ? float32Of(tensor) : numbersOf(tensor)]
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let begin = index * inner; begin < values.length; begin += size * inner)
    for (let i = begin; i < begin + inner; i++) {
      low = Math.min(low, values[i]!)
      high = Math.max(high, values[i]!)
    }
  return [low, high]
}

/**
 * The slices that are zero while units are held at their constants: those of the weights that make them, and all slices of
 * the groups whose constants nobody took. As kept indices, like a plan's.
 */
const heldSlices = ({ groups, model }: Analysis, removed: ReadonlySet<number>, taken: ReadonlySet<Group>): Slices => {
  const zero = new Map<string, Map<number, Set<number>>>()
  for (const group of groups)
    for (const member of group.members) {
      if (taken.has(group) && member.role !== 'produces') continue
      const units = unitsIn(group, removed)
      if (units.length === 0) continue
      const axes = zero.get(member.initializer) ?? new Map<number, Set<number>>()
      const indices = axes.get(member.axis) ?? new Set<number>()
      for (const index of indicesOf(member, units)) indices.add(index)
      zero.set(member.initializer, axes.set(member.axis, indices))
    }
  return Object.fromEntries(
    [...zero].map(([name, axes]) => [
      name,
      Object.fromEntries(
        [...axes].map(([axis, indices]) => [
          axis,
          Array.from({ length: model.graph.initializers.get(name)!.dims[axis]! }, (_, i) => i).filter(
            (i) => !indices.has(i),
          ),
        ]),
      ),
    ]),
  )
}
