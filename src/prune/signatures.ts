import type { AxisUnits } from './units.ts'

/** Classes that have equally many indices in the same axes, and are alike in what is said of them. */
export type Signature = {
  /** Why none of them may go, '' when they may. */
  readonly frozen: string
  /** Why removing them differs from masking, '' when it does not. */
  readonly approximate: string
  readonly slots: readonly number[]
  /** In the order in which they first occur. */
  readonly roots: readonly number[]
}

/** A step of a signature: so many indices in `slot`, and otherwise as `before` says. −1 ends it. */
type Link = { readonly before: number; readonly slot: number }

/**
 * Partitions the classes that occur in `slots`. Signatures grow one axis at a time, each class moving from link to link of
 * a tree, so that the whole takes one pass over the indices however many members a group has.
 */
export const signaturesOf = (units: AxisUnits, slots: readonly number[]): Signature[] => {
  const links: Link[] = []
  /** Each class's last link, −1 before its first. */
  const last = new Int32Array(units.length).fill(-1)
  const beginnings = new Map<string, number>()
  const begin = (root: number): number => {
    const said = `${units.frozenReason(root)}\n${units.approximateReason(root)}`
    const found = beginnings.get(said)
    if (found !== undefined) return found
    beginnings.set(said, links.length)
    return links.push({ before: -1, slot: -1 }) - 1
  }

  const counts = new Int32Array(units.length)
  const roots: number[] = []
  for (const slot of slots) {
    if (!units.tied(slot)) continue
    const size = units.sizeOf(slot)
    const here: number[] = []
    for (let i = 0; i < size; i++) {
      const root = units.classOf(slot, i)
      if (counts[root] === 0) here.push(root)
      counts[root]!++
    }
    const next = new Map<number, number>()
    for (const root of here) {
      if (last[root]! < 0) {
        roots.push(root)
        last[root] = begin(root)
      }
      const key = last[root]! * (size + 1) + counts[root]!
      counts[root] = 0
      let link = next.get(key)
      if (link === undefined) {
        link = links.push({ before: last[root]!, slot }) - 1
        next.set(key, link)
      }
      last[root] = link
    }
  }

  const byLink = new Map<number, number[]>()
  for (const root of roots) {
    const alike = byLink.get(last[root]!)
    if (alike) alike.push(root)
    else byLink.set(last[root]!, [root])
  }
  return [...byLink].map(([link, alike]) => ({
    frozen: units.frozenReason(alike[0]!),
    approximate: units.approximateReason(alike[0]!),
    slots: slotsOf(links, link),
    roots: alike,
  }))
}

const slotsOf = (links: readonly Link[], end: number): number[] => {
  const slots: number[] = []
  for (let link = links[end]!; link.slot >= 0; link = links[link.before]!) slots.push(link.slot)
  return slots.reverse()
}
