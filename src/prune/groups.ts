import { type Model, type Node, nodeLabel } from '../onnx/index.ts'
import type { Use } from './rule-run.ts'
import type { Frozen, Group, Member, MemberRole } from './types.ts'
import type { AxisUnits } from './units.ts'

/** How one initializer's axis is used, its first use that makes outputs before others. */
type Slot = { readonly slot: number; readonly use: Use; readonly role: MemberRole }

/** A link of a signature: the units that share it have `count` indices in `slot` and are otherwise as `before` says. */
type Link = { readonly before: number; readonly slot: number; readonly count: number; readonly reason: string }

/**
 * Sorts the classes of the union–find into groups: units with the same number of indices in the same initializers' axes,
 * alike in being frozen or approximate. Signatures grow one initializer axis at a time, each class moving from link to
 * link of a tree, so that the whole takes one pass over the indices.
 */
export const groupUnits = (
  model: Model,
  units: AxisUnits,
  uses: readonly Use[],
  macsOf: (node: Node) => number,
): { groups: Group[]; frozen: Frozen[] } => {
  const slots = slotsOf(model, units, uses, macsOf)
  const links: Link[] = [{ before: -1, slot: -1, count: 0, reason: '' }]
  const linkOf = new Map<number, number>()
  const beginnings = new Map<string, number>()
  const beginning = (root: number) => {
    const reason = units.frozenReason(root) || `~${units.approximateReason(root)}`
    if (reason === '~') return 0
    const found = beginnings.get(reason)
    if (found !== undefined) return found
    beginnings.set(reason, links.length)
    return links.push({ before: -1, slot: -1, count: 0, reason }) - 1
  }
  for (const { slot } of slots) {
    if (!units.tied(slot)) continue
    const counts = new Map<number, number>()
    for (let i = 0; i < units.sizeOf(slot); i++) {
      const root = units.classOf(slot, i)
      counts.set(root, (counts.get(root) ?? 0) + 1)
    }
    const next = new Map<string, number>()
    for (const [root, count] of counts) {
      const before = linkOf.get(root) ?? beginning(root)
      const key = `${before},${count}`
      let link = next.get(key)
      if (link === undefined) {
        link = links.push({ before, slot, count, reason: links[before]!.reason }) - 1
        next.set(key, link)
      }
      linkOf.set(root, link)
    }
  }

  const found = collect(slots, links, linkOf)
  const isLive = ({ reason, slots }: Found) =>
    // Parts of a constant that no data meets are not worth a group.
    (reason === '' || reason.startsWith('~')) && slots.some(({ use }) => use.side !== 'constant')
  const isStuck = ({ reason }: Found) => reason !== '' && !reason.startsWith('~')
  const stuck = found.filter(isStuck).flatMap((f) => frozenOf(units, f.slots, f.reason))
  return {
    groups: named(makeGroups(units, slots, found.filter(isLive))),
    frozen: unique([...wholeFrozen(units, slots), ...stuck]).filter(({ value }) => holdsWeights(model, value)),
  }
}

/** Classes of one signature, and the axes it names. */
type Found = { readonly reason: string; readonly roots: readonly number[]; readonly slots: readonly Slot[] }

const collect = (slots: readonly Slot[], links: readonly Link[], linkOf: ReadonlyMap<number, number>): Found[] => {
  const bySlot = new Map(slots.map((entry) => [entry.slot, entry]))
  const rootsOf = new Map<number, number[]>()
  for (const [root, link] of linkOf) {
    const roots = rootsOf.get(link)
    if (roots) roots.push(root)
    else rootsOf.set(link, [root])
  }
  return [...rootsOf].map(([last, roots]) => {
    const named: Slot[] = []
    for (let link = links[last]!; link.slot >= 0; link = links[link.before]!) named.push(bySlot.get(link.slot)!)
    return { reason: links[last]!.reason, roots, slots: named.reverse() }
  })
}

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
  const groupOf = new Map<number, number>()
  found.forEach(({ roots }, g) => {
    for (const root of roots) groupOf.set(root, g)
  })
  const unitOf = new Map<number, number>()
  const roots: number[][] = found.map(() => [])
  for (const { slot } of new Set(found.map((f) => leadOf(f.slots))))
    for (let i = 0; i < units.sizeOf(slot); i++) {
      const root = units.classOf(slot, i)
      const g = groupOf.get(root)
      if (g === undefined || unitOf.has(root) || leadOf(found[g]!.slots).slot !== slot) continue
      unitOf.set(root, roots[g]!.length)
      roots[g]!.push(root)
    }

  const members: Member[][] = found.map(() => [])
  const leads: Member[] = []
  for (const entry of slots) {
    if (!units.tied(entry.slot)) continue
    const lists = new Map<number, number[][]>()
    for (let i = 0; i < units.sizeOf(entry.slot); i++) {
      const root = units.classOf(entry.slot, i)
      const g = groupOf.get(root)
      if (g === undefined) continue
      let list = lists.get(g)
      if (!list) {
        list = roots[g]!.map(() => [])
        lists.set(g, list)
      }
      list[unitOf.get(root)!]!.push(i)
    }
    for (const [g, list] of lists) {
      const member = memberOf(units, entry, list)
      members[g]!.push(member)
      if (leadOf(found[g]!.slots) === entry) leads[g] = member
    }
  }
  return found.map(({ reason }, g) => ({
    name: readableName(leads[g]!),
    size: roots[g]!.length,
    ...(reason ? { approximate: reason.slice(1) } : {}),
    members: members[g]!,
    roots: Int32Array.from(roots[g]!),
  }))
}

const memberOf = (units: AxisUnits, { slot, role, use: { node, input } }: Slot, list: readonly number[][]): Member => {
  const { value, axis } = units.refOf(slot)
  const indices = Int32Array.from(list.flat())
  const perUnit = indices.length / list.length
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
