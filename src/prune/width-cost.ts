import { byteLengthOf, sizeOf } from '../base/index.ts'
import { type Node, opsetOf } from '../onnx/index.ts'
import { type NodeContext, operatorOf } from '../operators/index.ts'
import { contextOf } from './analyze.ts'
import { type Cost, structureBytes } from './cost.ts'
import { isFloating } from './importance/weights.ts'
import type { Analysis, Group } from './types.ts'

/** What a model costs when `counts[g]` units of group g are gone. */
export type WidthCost = (counts: readonly number[]) => Omit<Cost, 'uncounted'>

/** How many indices an axis loses with each unit of a group: `per` for every one of `groups[group]`. */
type Term = { readonly group: number; readonly per: number }

type Axes = { readonly dims: readonly number[]; readonly terms: readonly (readonly Term[])[] }

/** A part of the model whose cost depends on the widths of a few groups only. */
type Part = {
  readonly groups: readonly number[]
  measure(counts: readonly number[]): { macs: number; parameters: number; bytes: number }
}

/**
 * Costs by the groups' widths alone, whichever units make them up: every axis is linear in the numbers of units gone, so a
 * change of one group's width asks only the nodes and initializers that have its units. That makes a search over widths cost
 * a few steps per try, however large the model.
 *
 * @returns undefined where an axis has more indices for some units of a group than for others, so that widths do not tell
 */
export const widthCosts = (analysis: Analysis, groups: readonly Group[]): WidthCost | undefined => {
  const axesOf = axesByGroup(analysis, groups)
  if (!axesOf) return undefined
  const parts = [...nodeParts(analysis, axesOf), ...initializerParts(analysis, axesOf)]
  const partsOf: number[][] = groups.map(() => [])
  parts.forEach((part, p) => {
    for (const group of part.groups) partsOf[group]!.push(p)
  })
  const last = groups.map(() => 0)
  const known = parts.map((part) => part.measure(last))
  const total = { macs: 0, parameters: 0, bytes: structureBytes(analysis.model) }
  const add = ({ macs, parameters, bytes }: (typeof known)[number], sign: number) => {
    total.macs += sign * macs
    total.parameters += sign * parameters
    total.bytes += sign * bytes
  }
  for (const part of known) add(part, 1)
  return (counts) => {
    const stale = new Set<number>()
    for (const [g, count] of counts.entries()) {
      if (count === last[g]) continue
      last[g] = count
      for (const p of partsOf[g]!) stale.add(p)
    }
    for (const p of stale) {
      add(known[p]!, -1)
      known[p] = parts[p]!.measure(last)
      add(known[p], 1)
    }
    return { ...total }
  }
}

/** Every value's axes by the groups whose units they have; undefined where an axis has more of some units than of others. */
export const axesByGroup = (
  { shapes, units }: Analysis,
  groups: readonly Group[],
): ((value: string) => Axes | undefined) | undefined => {
  const groupOf = new Int32Array(units.length).fill(-1)
  groups.forEach(({ roots }, g) => {
    for (const root of roots) groupOf[root] = g
  })
  const times = new Int32Array(units.length)
  const axes = new Map<string, Axes>()
  for (const [value, { dims }] of shapes) {
    const terms = dims.map((_, axis) => {
      const slot = units.slot({ value, axis })
      return units.tied(slot) ? termsOf(slot) : []
    })
    if (terms.includes(undefined)) return undefined
    if (terms.some((found) => found!.length > 0)) axes.set(value, { dims, terms: terms.map((found) => found!) })
  }
  return (value) => axes.get(value)

  function termsOf(slot: number): Term[] | undefined {
    const met = new Map<number, number[]>()
    for (let i = 0; i < units.sizeOf(slot); i++) {
      const root = units.classOf(slot, i)
      if (times[root]!++ > 0 || groupOf[root]! < 0) continue
      const roots = met.get(groupOf[root]!)
      if (roots) roots.push(root)
      else met.set(groupOf[root]!, [root])
    }
    const uneven = [...met].some(
      ([g, roots]) => roots.length < groups[g]!.size || roots.some((root) => times[root] !== times[roots[0]!]),
    )
    const terms = [...met].map(([group, roots]) => ({ group, per: times[roots[0]!]! }))
    for (let i = 0; i < units.sizeOf(slot); i++) times[units.classOf(slot, i)] = 0
    return uneven ? undefined : terms
  }
}

type AxesOf = (value: string) => Axes | undefined

const groupsOf = (values: readonly string[], axesOf: AxesOf): number[] => [
  ...new Set(
    values.flatMap(
      (value) =>
        axesOf(value)
          ?.terms.flat()
          .map(({ group }) => group) ?? [],
    ),
  ),
]

const dimsAfter = ({ dims, terms }: Axes, counts: readonly number[]): number[] =>
  dims.map((size, axis) => terms[axis]!.reduce((left, { group, per }) => left - per * counts[group]!, size))

const nodeParts = (analysis: Analysis, axesOf: AxesOf): Part[] => {
  const opset = opsetOf(analysis.model)
  return analysis.model.graph.nodes.flatMap((node: Node): Part[] => {
    const row = operatorOf(node)
    if (!row) return []
    const context = contextOf(node, opset, analysis)
    const names = [...node.inputs, ...node.outputs]
    return [
      {
        groups: groupsOf(names, axesOf),
        measure: (counts) => {
          const dims: NodeContext['dims'] = (name) => {
            const axes = axesOf(name)
            return axes ? dimsAfter(axes, counts) : context.dims(name)
          }
          return { macs: row.macs({ ...context, dims }), parameters: 0, bytes: 0 }
        },
      },
    ]
  })
}

/** Initializers, and the copies of a shared one together: those whose slices are the same are stored once. */
const initializerParts = ({ model, copies, units }: Analysis, axesOf: AxesOf): Part[] => {
  const families = new Map<string, string[]>()
  for (const name of model.graph.initializers.keys()) {
    const original = copies.get(name) ?? name
    const family = families.get(original)
    if (family) family.push(name)
    else families.set(original, [name])
  }
  const unitsOf = (value: string) =>
    (axesOf(value)?.dims ?? []).map((size, axis) => {
      const slot = units.slot({ value, axis })
      return units.tied(slot) ? Array.from({ length: size }, (_, i) => units.classOf(slot, i)).join() : ''
    })
  return [...families.values()].map((names): Part => {
    const { type, dims } = model.graph.initializers.get(names[0]!)!
    const distinct =
      names.length === 1 ? names : [...new Map(names.map((name) => [unitsOf(name).join(';'), name])).values()]
    return {
      groups: groupsOf(names, axesOf),
      measure: (counts) => {
        const shapes = distinct.map((name) => {
          const axes = axesOf(name)
          return axes ? dimsAfter(axes, counts) : dims
        })
        const cut = shapes.filter((shape) => shape.some((size, axis) => size !== dims[axis]))
        const stored = cut.length < shapes.length ? [dims, ...cut] : cut
        const sum = (of: (shape: readonly number[]) => number) => stored.reduce((total, shape) => total + of(shape), 0)
        return {
          macs: 0,
          parameters: isFloating({ type }) ? sum(sizeOf) : 0,
          bytes: sum((shape) => byteLengthOf({ type, dims: shape })),
        }
      },
    }
  })
}
