import type { AxisRef } from '../operators/index.ts'
import type { Cuts } from './slice.ts'
import type { Analysis } from './types.ts'
import type { AxisUnits } from './units.ts'

/** What is left of every axis when some units are gone. */
export class Cut {
  readonly #units: AxisUnits
  /** 1 for each class that goes. */
  readonly #removed: Uint8Array
  readonly #kept = new Map<number, readonly number[] | undefined>()

  constructor(units: AxisUnits, removedRoots: Iterable<number>) {
    this.#units = units
    this.#removed = new Uint8Array(units.length)
    for (const root of removedRoots) this.#removed[root] = 1
  }

  /** Kept indices of an axis, ascending; undefined when none went. */
  kept(ref: AxisRef): readonly number[] | undefined {
    const slot = this.#units.slot(ref)
    if (!this.#units.tied(slot)) return undefined
    if (this.#kept.has(slot)) return this.#kept.get(slot)
    const size = this.#units.sizeOf(slot)
    const left: number[] = []
    for (let i = 0; i < size; i++) if (!this.#removed[this.#units.classOf(slot, i)]) left.push(i)
    const kept = left.length === size ? undefined : left
    this.#kept.set(slot, kept)
    return kept
  }

  /** The classes that the axes of a value lose. */
  lost(value: string, rank: number): number[] {
    return Array.from({ length: rank }, (_, axis) => this.#units.slot({ value, axis })).flatMap((slot) => {
      if (!this.#units.tied(slot)) return []
      const classes = Array.from({ length: this.#units.sizeOf(slot) }, (_, i) => this.#units.classOf(slot, i))
      return classes.filter((root) => this.#removed[root])
    })
  }

  /** A value's shape after the cut. */
  dims(value: string, dims: readonly number[]): readonly number[] {
    return dims.map((size, axis) => this.kept({ value, axis })?.length ?? size)
  }

  /** The axes of a value that lose indices. */
  cuts(value: string, rank: number): Cuts {
    const cuts = new Map<number, readonly number[]>()
    for (let axis = 0; axis < rank; axis++) {
      const kept = this.kept({ value, axis })
      if (kept) cuts.set(axis, kept)
    }
    return cuts
  }
}

/** Initializers after a cut: those that get smaller, and split copies that must stay apart. */
export type CutInitializers = {
  readonly slices: ReadonlyMap<string, Cuts>
  /** A copy that is needed → the initializer it was split from. */
  readonly copies: ReadonlyMap<string, string>
  /** A copy with the same slices as another → that one, which serves both. */
  readonly merged: ReadonlyMap<string, string>
}

/**
 * What is left of the initializers. A copy becomes one with another of the same slices, unless it alone tells what it lost: a
 * plan is read back from its slices.
 */
export const cutInitializers = ({ model, copies }: Analysis, cut: Cut): CutInitializers => {
  const slices = new Map<string, Cuts>()
  const needed = new Map<string, string>()
  const merged = new Map<string, string>()
  const shared = new Set(copies.values())
  const holders = new Map<string, string>()
  const told = new Set<number>()
  if (copies.size > 0)
    for (const [name, { dims }] of model.graph.initializers)
      if (!copies.has(name)) for (const root of cut.lost(name, dims.length)) told.add(root)
  for (const [name, { dims }] of model.graph.initializers) {
    const cuts = cut.cuts(name, dims.length)
    const original = copies.get(name) ?? name
    if (shared.has(original)) {
      const key = `${original}\n${JSON.stringify([...cuts])}`
      const holder = holders.get(key)
      if (holder !== undefined && cut.lost(name, dims.length).every((root) => told.has(root))) {
        merged.set(name, holder)
        continue
      }
      if (holder === undefined) holders.set(key, name)
      if (name !== original) needed.set(name, original)
    }
    if (cuts.size > 0) slices.set(name, cuts)
  }
  return { slices, copies: needed, merged }
}
