import { EspalierError } from '../base/index.ts'
import type { AxisRef } from '../operators/types.ts'

/**
 * A union–find over (value, axis, index): indices in one class live and die together. An axis takes memory only once a
 * rule ties its indices to others; axes frozen as a whole (batch, height, width) pass that on as one flag, so that the cost
 * grows with channels and nodes and not with image sizes.
 */
export class AxisUnits {
  readonly #dims: (value: string) => readonly number[]
  /** Each value's first slot; its axes have consecutive slots. */
  readonly #first = new Map<string, number>()
  readonly #refs: AxisRef[] = []
  readonly #sizes: number[] = []
  /** Where the slot's indices begin in `#parent`, or −1. */
  readonly #base: number[] = []
  /** Reason the slot is frozen as a whole, 0 for none. */
  readonly #frozenSlot: number[] = []
  #parent = new Int32Array(1024)
  #frozen = new Int32Array(1024)
  #approximate = new Int32Array(1024)
  #length = 0
  /** Which array, which index and what stood there, for every write since the first snapshot. */
  #written: number[] | undefined
  readonly #reasons = ['']
  readonly #reasonIds = new Map<string, number>()

  /** @param dims the shape of a value; @throws for values without one */
  constructor(dims: (value: string) => readonly number[]) {
    this.#dims = dims
  }

  /** Number of indices held; classes are numbered by one of them. */
  get length(): number {
    return this.#length
  }

  /** The number of an axis; negative axes count from the end. */
  slot(ref: AxisRef): number {
    let first = this.#first.get(ref.value)
    const dims = this.#dims(ref.value)
    if (first === undefined) {
      first = this.#sizes.length
      this.#first.set(ref.value, first)
      dims.forEach((size, axis) => {
        this.#refs.push({ value: ref.value, axis })
        this.#sizes.push(size)
        this.#base.push(-1)
        this.#frozenSlot.push(0)
      })
    }
    const axis = ref.axis < 0 ? ref.axis + dims.length : ref.axis
    if (!Number.isInteger(axis) || axis < 0 || axis >= dims.length)
      throw new EspalierError(`there is no axis ${ref.axis}: the value has ${dims.length}`, {
        place: { value: ref.value },
      })
    return first + axis
  }

  refOf(slot: number): AxisRef {
    return this.#refs[slot]!
  }

  sizeOf(slot: number): number {
    return this.#sizes[slot]!
  }

  /** Whether the axis was ever tied to another by index; else nothing of it can go. */
  tied(slot: number): boolean {
    return this.#base[slot]! >= 0
  }

  /** Why the whole axis is frozen, if it is. */
  slotReason(slot: number): string {
    return this.#reasons[this.#frozenSlot[slot]!]!
  }

  /** The class of an index. The slot must be tied. */
  classOf(slot: number, index: number): number {
    return this.#find(this.#base[slot]! + index)
  }

  /** Why no index of the class may go, '' when they may. */
  frozenReason(root: number): string {
    return this.#reasons[this.#frozen[root]!]!
  }

  /** Why removing the class differs from masking it, '' when it does not. */
  approximateReason(root: number): string {
    return this.#reasons[this.#approximate[root]!]!
  }

  /** Index i of one axis lives and dies with index i of the other. */
  join(a: number, b: number): void {
    const size = this.#sizes[a]!
    if (size !== this.#sizes[b]) {
      const [left, right] = [this.#refs[a]!, this.#refs[b]!]
      throw new EspalierError(
        `axis ${left.axis} of '${left.value}' has ${size} indices and axis ${right.axis} of '${right.value}' ${this.#sizes[b]}`,
      )
    }
    if (this.#passFreeze(a, b) || this.#passFreeze(b, a)) return
    const [from, to] = [this.#tie(a), this.#tie(b)]
    for (let i = 0; i < size; i++) this.#union(from + i, to + i)
  }

  /** One index of an axis lives and dies with one of another. */
  joinAt(a: number, atA: number, b: number, atB: number): void {
    this.#check(a, atA)
    this.#check(b, atB)
    this.#union(this.#tie(a) + atA, this.#tie(b) + atB)
  }

  /** No index of the axis may go. The first reason given is kept. */
  freeze(slot: number, reason: string): void {
    if (this.#frozenSlot[slot] === 0) this.#freeze(slot, this.#reasonId(reason))
  }

  /** The class may not go. The first reason given is kept. */
  freezeClass(root: number, reason: string): void {
    this.#freezeRoot(root, this.#reasonId(reason))
  }

  /** Indices may go, but not without changing the others' values. */
  approximate(slot: number, reason: string): void {
    const [base, id] = [this.#tie(slot), this.#reasonId(reason)]
    for (let i = 0; i < this.#sizes[slot]!; i++) {
      const root = this.#find(base + i)
      if (this.#approximate[root] === 0) this.#set(2, this.#approximate, root, id)
    }
  }

  /** How many classes of an axis may still go; `exact` leaves out those that change the others. */
  liveClasses(slot: number, exact = false): number {
    if (!this.tied(slot)) return this.#frozenSlot[slot] === 0 ? this.#sizes[slot]! : 0
    const live = new Set<number>()
    for (let i = 0; i < this.#sizes[slot]!; i++) {
      const root = this.classOf(slot, i)
      if (this.#frozen[root] === 0 && !(exact && this.#approximate[root] !== 0)) live.add(root)
    }
    return live.size
  }

  /**
   * Remembers the present state; the function returned brings it back, as often as it is called. What is written from then on
   * is noted, until `settle`, so that remembering costs nothing and going back as much as was done.
   */
  snapshot(): () => void {
    this.#written ??= []
    const [mark, length] = [this.#written.length, this.#length]
    return () => {
      const written = this.#written
      if (!written) throw new EspalierError('the state remembered was given up')
      while (written.length > mark) {
        const old = written.pop()!
        const index = written.pop()!
        this.#arrays[written.pop()!]![index] = old
      }
      this.#length = length
    }
  }

  /** Gives up the states remembered. */
  settle(): void {
    this.#written = undefined
  }

  get #arrays(): { [index: number]: number }[] {
    return [this.#parent, this.#frozen, this.#approximate, this.#base, this.#frozenSlot]
  }

  /** Every write to what a snapshot brings back. */
  #set(array: 0 | 1 | 2 | 3 | 4, at: { [index: number]: number }, index: number, value: number): void {
    this.#written?.push(array, index, at[index]!)
    at[index] = value
  }

  #check(slot: number, index: number): void {
    if (index >= 0 && index < this.#sizes[slot]!) return
    const { value, axis } = this.#refs[slot]!
    throw new EspalierError(`there is no index ${index}`, { place: { value, axis } })
  }

  #reasonId(reason: string): number {
    const found = this.#reasonIds.get(reason)
    if (found !== undefined) return found
    const id = this.#reasons.push(reason) - 1
    this.#reasonIds.set(reason, id)
    return id
  }

  /** When `a` is frozen as a whole and takes no memory, `b` need not either. */
  #passFreeze(a: number, b: number): boolean {
    const id = this.#frozenSlot[a]!
    if (id === 0 || this.tied(a)) return false
    if (this.#frozenSlot[b] === 0) this.#freeze(b, id)
    return true
  }

  #freeze(slot: number, id: number): void {
    this.#set(4, this.#frozenSlot, slot, id)
    const base = this.#base[slot]!
    if (base < 0) return
    for (let i = 0; i < this.#sizes[slot]!; i++) this.#freezeRoot(this.#find(base + i), id)
  }

  #freezeRoot(root: number, id: number): void {
    if (this.#frozen[root] === 0) this.#set(1, this.#frozen, root, id)
  }

  /** Gives an axis its indices, each a class of its own. */
  #tie(slot: number): number {
    if (this.#base[slot]! >= 0) return this.#base[slot]!
    const [base, size] = [this.#length, this.#sizes[slot]!]
    this.#grow(base + size)
    for (let i = base; i < base + size; i++) this.#parent[i] = i
    this.#frozen.fill(this.#frozenSlot[slot]!, base, base + size)
    this.#approximate.fill(0, base, base + size)
    this.#set(3, this.#base, slot, base)
    this.#length = base + size
    return base
  }

  #grow(length: number): void {
    if (length <= this.#parent.length) return
    const grown = (old: Int32Array) => {
      const next = new Int32Array(Math.max(length, old.length * 2))
      next.set(old)
      return next
    }
    this.#parent = grown(this.#parent)
    this.#frozen = grown(this.#frozen)
    this.#approximate = grown(this.#approximate)
  }

  /** Path halving: every second link on the way is shortened (Tarjan and van Leeuwen 1984). */
  #find(index: number): number {
    const parent = this.#parent
    let i = index
    while (parent[i] !== i) {
      const [up, next] = [parent[i]!, parent[parent[i]!]!]
      if (next !== up) this.#set(0, parent, i, next)
      i = next
    }
    return i
  }

  /** The lower number becomes the root, so that classes are numbered by their first index. */
  #union(a: number, b: number): void {
    const [x, y] = [this.#find(a), this.#find(b)]
    if (x === y) return
    const [root, child] = x < y ? [x, y] : [y, x]
    this.#set(0, this.#parent, child, root)
    if (this.#frozen[child] !== 0) this.#freezeRoot(root, this.#frozen[child]!)
    const approximate = this.#approximate[child]!
    if (approximate !== 0 && this.#approximate[root] === 0) this.#set(2, this.#approximate, root, approximate)
  }
}
