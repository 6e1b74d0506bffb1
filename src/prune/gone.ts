import type { Analysis, Group } from './types.ts'

/** Indices of an axis that belong to units that go. */
export type GoneAt = { readonly axis: number; readonly indices: readonly number[] }

/** Of every value that has units of a group that go, the axes that have them. */
export type GoneIn = ReadonlyMap<string, readonly GoneAt[]>

/** Where the units that go are, group by group; groups that lose none are left out. */
export const goneByGroup = (
  { groups, shapes, units }: Analysis,
  removed: ReadonlySet<number>,
): ReadonlyMap<Group, GoneIn> => {
  const groupOf = new Map<number, Group>()
  for (const group of groups) for (const root of group.roots) if (removed.has(root)) groupOf.set(root, group)
  const found = new Map<Group, Map<string, GoneAt[]>>()
  for (const [value, { dims }] of shapes)
    for (const axis of dims.keys()) {
      const slot = units.slot({ value, axis })
      if (!units.tied(slot)) continue
      const here = new Map<Group, number[]>()
      for (let i = 0; i < units.sizeOf(slot); i++) {
        const group = groupOf.get(units.classOf(slot, i))
        if (group) here.set(group, [...(here.get(group) ?? []), i])
      }
      for (const [group, indices] of here) {
        const values = found.get(group) ?? new Map<string, GoneAt[]>()
        values.set(value, [...(values.get(value) ?? []), { axis, indices }])
        found.set(group, values)
      }
    }
  return found
}
