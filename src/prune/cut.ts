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

export const cutInitializers = ({ model, copies }: Analysis, cut: Cut): CutInitializers => {
  const slices = new Map<string, Cuts>()
  const needed = new Map<string, string>()
  const merged = new Map<string, string>()
  const shared = new Set(copies.values())
  const holders = new Map<string, string>()
  for (const [name, { dims }] of model.graph.initializers) {
    const cuts = cut.cuts(name, dims.length)
    const original = copies.get(name) ?? name
    if (shared.has(original)) {
      const key = `${original}\n${JSON.stringify([...cuts])}`
      const holder = holders.get(key)
      if (holder !== undefined) {
        merged.set(name, holder)
        continue
      }
      holders.set(key, name)
      if (name !== original) needed.set(name, original)
    }
    if (cuts.size > 0) slices.set(name, cuts)
  }
  return { slices, copies: needed, merged }
}
