import { float32Of, numbersOf, type Tensor } from '../base/index.ts'
import { copyModel, type Model, type Node } from '../onnx/index.ts'
import type { Runtime, Values } from '../runtime/index.ts'
import { hasFreeBatch, sampleInputs } from './feeds.ts'
import { weightOf } from './importance/scores.ts'
import { cutsOf, shifted, zeroSlices } from './slice.ts'
import { removedRoots } from './surgery.ts'
import { inPruned, type Taker, takersOf } from './takers.ts'
import type { Analysis, Group, Member, Plan, Slices } from './types.ts'

export type AbsorbOptions = {
  runtime: Runtime
  /** Also into convolutions with padding, which see zeros and not the constant at the border: near, not exact. False. */
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
 * Lets biases take over what removed units still said. With the weights that make it at zero a unit is not silent: behind a
 * folded BatchNormalization it says f(b) everywhere. The layer that reads it adds Σ W·f(b) to each of its outputs, a constant,
 * which moves into that layer's bias; so the pruned model equals the original whose units are held at their constants,
 * instead of at zero. The constants are read off by running the model, and a unit that varies is left alone.
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
  const gone = removedRoots(analysis, plan)
  const left: { group: string; reason: string }[] = []
  const open = analysis.groups.flatMap((group) => {
    const units = [...group.roots.keys()].filter((unit) => gone.has(group.roots[unit]!))
    if (units.length === 0) return []
    const takers = takersOf(group, pruned, analysis, padded)
    if (typeof takers !== 'string') return [{ group, units, takers }]
    left.push({ group: group.name, reason: takers })
    return []
  })
  const constantAt = await constantsOf(model, analysis, open, runtime)
  const taken = open.filter(({ group, takers, units }) => {
    const steady = takers.every(({ node, member }) =>
      indicesOf(member, units).every((i) => constantAt(node, i) !== undefined),
    )
    if (!steady) left.push({ group: group.name, reason: 'its units are not constant' })
    return steady
  })
  if (taken.length === 0) return { model: pruned, plan, left }

  const result = copyModel(pruned)
  const shifts: Record<string, number[]> = {}
  for (const { units, takers } of taken)
    for (const { node, member, adder, position } of takers) {
      const name = inPruned(pruned, adder)!.inputs[position]!
      const weight = weightOf(model, analysis, member.initializer)!
      const whole = analysis.model.graph.initializers.get(adder.inputs[position]!)!.dims[0]!
      const outputs = cutsOf(plan.slices, name).get(0) ?? Array.from({ length: whole }, (_, o) => o)
      const shift = shiftOf(weight, member.axis, indicesOf(member, units), outputs, (i) => constantAt(node, i)!)
      shifts[name] = shift.map((value, o) => value + (shifts[name]?.[o] ?? 0))
    }
  for (const [name, shift] of Object.entries(shifts))
    result.graph.initializers.set(name, shifted(pruned.graph.initializers.get(name)!, shift))
  return {
    model: result,
    plan: {
      ...plan,
      absorbed: {
        exact: !padded,
        groups: taken.map(({ group }) => group.name),
        biases: shifts,
        zero: heldSlices(analysis, gone, new Set(taken.map(({ group }) => group))),
      },
    },
    left,
  }
}

const indicesOf = ({ perUnit, indices }: Member, units: readonly number[]): number[] =>
  units.flatMap((unit) => [...indices.subarray(unit * perUnit, (unit + 1) * perUnit)])

type Open = { readonly group: Group; readonly units: readonly number[]; readonly takers: readonly Taker[] }

/** What a taker reads at an index while the weights that make the units are zero; undefined where that varies. */
const constantsOf = async (
  model: Model,
  analysis: Analysis,
  open: readonly Open[],
  runtime: Runtime,
): Promise<(node: Node, index: number) => number | undefined> => {
  const held = copyModel(analysis.model)
  for (const name of held.graph.initializers.keys()) held.graph.initializers.set(name, weightOf(model, analysis, name)!)
  for (const { group, units } of open)
    for (const member of group.members)
      if (member.role === 'produces') {
        const tensor = held.graph.initializers.get(member.initializer)!
        held.graph.initializers.set(member.initializer, zeroSlices(tensor, member.axis, indicesOf(member, units)))
      }
  const read = [...new Set(open.flatMap(({ takers }) => takers.map(({ node }) => node.inputs[0]!)))]
  held.graph.outputs = read.map((name) => ({ name, type: 'float32' }))
  const session = await runtime.open(held)
  try {
    const batch = hasFreeBatch(model) ? 2 : 1
    const runs: Values[] = []
    for (const seed of [1, 2]) runs.push(await session.run(sampleInputs(model, { batch, seed })))
    return (node, index) => {
      const axis = node.opType === 'Conv' ? 1 : -1
      const found = runs.map((values) => rangeAt(values[node.inputs[0]!]!, axis, index))
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
  const at = axis < 0 ? tensor.dims.length + axis : axis
  const inner = tensor.dims.slice(at + 1).reduce((n, d) => n * d, 1)
  const [size, values] = [tensor.dims[at]!, tensor.type === 'float32' ? float32Of(tensor) : numbersOf(tensor)]
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let begin = index * inner; begin < values.length; begin += size * inner)
    for (let i = begin; i < begin + inner; i++) {
      low = Math.min(low, values[i]!)
      high = Math.max(high, values[i]!)
    }
  return [low, high]
}

/** What the constants add to each output: Σ W[o, c, …]·constant(c), over the indices that are gone. */
const shiftOf = (
  weight: Tensor,
  axis: number,
  gone: readonly number[],
  outputs: readonly number[],
  constant: (index: number) => number,
): number[] => {
  const [values, [, columns = 1, ...kernel]] = [float32Of(weight), weight.dims]
  const inner = kernel.reduce((n, d) => n * d, 1)
  return outputs.map((output) => {
    let total = 0
    for (const index of gone) {
      const [row, column] = axis === 0 ? [index, output] : [output, index]
      let sum = 0
      for (let i = 0; i < inner; i++) sum += values[(row * columns + column) * inner + i]!
      total += sum * constant(index)
    }
    return total
  })
}

/**
 * The slices that are zero while units are held at their constants: those of the weights that make them, and all slices of
 * the groups whose constants nobody took. As kept indices, like a plan's.
 */
const heldSlices = ({ groups, model }: Analysis, gone: ReadonlySet<number>, taken: ReadonlySet<Group>): Slices => {
  const zero = new Map<string, Map<number, Set<number>>>()
  for (const group of groups)
    for (const member of group.members) {
      if (taken.has(group) && member.role !== 'produces') continue
      const units = [...group.roots.keys()].filter((unit) => gone.has(group.roots[unit]!))
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
