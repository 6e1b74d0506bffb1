import { type Model, type Node, nodeLabel } from '../onnx/index.ts'
import type { Use } from './rule-run.ts'
import { type Signature, signaturesOf } from './signatures.ts'
import type { Frozen, Group, Member, MemberRole } from './types.ts'
import type { AxisUnits } from './units.ts'

/** How one initializer's axis is used, its first use that makes outputs before others. */
type Slot = { readonly slot: number; readonly use: Use; readonly role: MemberRole }

/**
 * Sorts the classes of the union–find into groups: units with the same number of indices in the same initializers' axes and
 * in the same parts of values, alike in being frozen or approximate. Since every group keeps a unit, so does every part.
 */
export const groupUnits = (
  model: Model,
  units: AxisUnits,
  { uses, parts }: { readonly uses: readonly Use[]; readonly parts: readonly number[] },
  macsOf: (node: Node) => number,
): { groups: Group[]; frozen: Frozen[] } => {
  const slots = slotsOf(model, units, uses, macsOf)
  const bySlot = new Map(slots.map((entry) => [entry.slot, entry]))
  const seen = new Set([...bySlot.keys(), ...parts])
  const found = signaturesOf(units, [...seen]).map(
    (signature): Found => ({
      ...signature,
      slots: signature.slots.flatMap((slot) => bySlot.get(slot) ?? []),
    }),
  )
  const live = found.filter(
    // Parts of a constant that no data meets are not worth a group.
    (f) => f.frozen === '' && f.slots.some(({ use }) => use.side !== 'constant'),
  )
  const stuck = found.filter((f) => f.frozen !== '').flatMap((f) => frozenOf(units, f.slots, f.frozen))
  return {
    groups: named(makeGroups(units, slots, live)),
    frozen: unique([...wholeFrozen(units, slots), ...stuck]).filter(({ value }) => holdsWeights(model, value)),
  }
}

/** Classes of one signature, and the axes it names. */
type Found = Omit<Signature, 'slots'> & { readonly slots: readonly Slot[] }

/** Initializers' axes in graph order. */
const slotsOf = (model: Model, units: AxisUnits, uses: readonly Use[], macsOf: (node: Node) => number): Slot[] => {
  const found = new Map<number, Slot>()
  const macs = new Map<Node, number>()
  for (const use of uses) {
    const { value } = units.refOf(use.slot)
    const work = macs.get(use.node) ?? macsOf(use.node)
    macs.set(use.node, work)
    const matrix = (model.graph.initializers.get(value)?.dims.length ?? 0) >= 2
    const role =
      use.side === 'input' ? 'consumes' : use.side === 'output' && work > 0 && matrix ? 'produces' : 'follows'
    const before = found.get(use.slot)
    if (!before || rank(role, use) < rank(before.role, before.use)) found.set(use.slot, { slot: use.slot, use, role })
  }
  return [...found.values()]
}

/** What counts more when an initializer is used several times. */
const rank = (role: MemberRole, { side }: Use) =>
  side === 'constant' ? 3 : ['produces', 'follows', 'consumes'].indexOf(role)

/** Shapes, axes and indices are frozen by nature; that is nothing to report. */
const holdsWeights = (model: Model, initializer: string) =>
  !['int64', 'int32', 'bool'].includes(model.graph.initializers.get(initializer)?.type ?? '')

/** The axis whose slices are scored and whose order the units take. */
const leadOf = (slots: readonly Slot[]): Slot => slots.find(({ role }) => role === 'produces') ?? slots[0]!

/** Numbers the units of each group and lists their indices in every member, in one pass over each axis. */
const makeGroups = (units: AxisUnits, slots: readonly Slot[], found: readonly Found[]): Group[] => {
  const leads = found.map((f) => leadOf(f.slots))
  const groupOf = new Int32Array(units.length).fill(-1)
  found.forEach(({ roots }, g) => {
    for (const root of roots) groupOf[root] = g
  })
  const unitOf = new Int32Array(units.length).fill(-1)
  const roots: number[][] = found.map(() => [])
  for (const lead of new Set(leads))
    for (let i = 0; i < units.sizeOf(lead.slot); i++) {
      const root = units.classOf(lead.slot, i)
      const g = groupOf[root]!
      if (g < 0 || unitOf[root]! >= 0 || leads[g] !== lead) continue
      unitOf[root] = roots[g]!.length
      roots[g]!.push(root)
    }

  const members: Member[][] = found.map(() => [])
  const names: string[] = []
  for (const entry of slots) {
    for (const [g, indices] of indicesByGroup(units, entry.slot, groupOf, unitOf, roots)) {
      const member = memberOf(units, entry, indices, roots[g]!.length)
      members[g]!.push(member)
      if (leads[g] === entry) names[g] = readableName(member)
    }
  }
  return found.map(({ approximate }, g) => ({
    name: names[g]!,
    size: roots[g]!.length,
    ...(approximate ? { approximate } : {}),
    members: members[g]!,
    roots: Int32Array.from(roots[g]!),
  }))
}

/** An axis's indices sorted by group and unit. Every unit of a group has equally many. */
const indicesByGroup = (
  units: AxisUnits,
  slot: number,
  groupOf: Int32Array,
  unitOf: Int32Array,
  roots: readonly (readonly number[])[],
): Map<number, Int32Array> => {
  const counts = new Map<number, number>()
  if (!units.tied(slot)) return new Map()
  const size = units.sizeOf(slot)
  const classes = Int32Array.from({ length: size }, (_, i) => units.classOf(slot, i))
  for (const root of classes) if (groupOf[root]! >= 0) counts.set(groupOf[root]!, (counts.get(groupOf[root]!) ?? 0) + 1)
  const lists = new Map([...counts].map(([g, count]) => [g, new Int32Array(count)]))
  const filled = new Map<number, Int32Array>([...counts.keys()].map((g) => [g, new Int32Array(roots[g]!.length)]))
  for (let i = 0; i < size; i++) {
    const root = classes[i]!
    const g = groupOf[root]!
    if (g < 0) continue
    const [list, places, unit] = [lists.get(g)!, filled.get(g)!, unitOf[root]!]
    list[(unit * list.length) / roots[g]!.length + places[unit]!] = i
    places[unit]!++
  }
  return lists
}

const memberOf = (
  units: AxisUnits,
  { slot, role, use: { node, input } }: Slot,
  indices: Int32Array,
  size: number,
): Member => {
  const { value, axis } = units.refOf(slot)
  const perUnit = indices.length / size
  return { initializer: value, axis, role, node: nodeLabel(node), operator: node.opType, input, perUnit, indices }
}

/** Exporters that fold or transpose weights number them ('onnx::Conv_193'); the node's name says more. */
const readableName = ({ initializer, node }: Member) =>
  /^(onnx::.*|\d+)$/.test(initializer) && node !== '' ? node.replace(/^\/+/, '') : initializer

const named = (groups: readonly Group[]): Group[] => {
  const times = new Map<string, number>()
  return groups.map((group) => {
    const n = (times.get(group.name) ?? 0) + 1
    times.set(group.name, n)
    return n > 1 ? { ...group, name: `${group.name}#${n}` } : group
  })
}

/** Axes frozen before anything was tied to them. One that only its own node speaks of (a kernel's height) is no news. */
const wholeFrozen = (units: AxisUnits, slots: readonly Slot[]): Frozen[] =>
  slots.flatMap(({ slot, role }) => {
    const reason = units.slotReason(slot)
    const news = reason !== '' && (role === 'produces' || reason.startsWith('no rule'))
    return units.tied(slot) || !news || units.sizeOf(slot) < 2 ? [] : [{ ...units.refOf(slot), reason }]
  })

/** The axes that would have produced the units, or all when there are none. */
const frozenOf = (units: AxisUnits, slots: readonly Slot[], reason: string): Frozen[] => {
  const wide = slots.filter(({ slot }) => units.sizeOf(slot) > 1)
  const producing = wide.filter(({ role }) => role === 'produces')
  return (producing.length > 0 ? producing : wide).map(({ slot }) => ({ ...units.refOf(slot), reason }))
}

const unique = (frozen: readonly Frozen[]): Frozen[] => [
  ...new Map(frozen.map((f) => [`${f.value}\n${f.axis}\n${f.reason}`, f])).values(),
]
