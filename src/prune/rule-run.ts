import type { Tensor, TensorType } from '../base/index.ts'
import type { Node } from '../onnx/index.ts'
import type { AxisContext, AxisReading, AxisRef } from '../operators/index.ts'
import type { Sizes } from './follow-sizes.ts'
import type { AxisUnits } from './units.ts'

/** What is known of a model's values: type and shape in one run, and contents of those that depend on no input. */
export type KnownValues = {
  readonly shapes: ReadonlyMap<string, TensorType>
  constant(name: string): Tensor | undefined
  readonly sizes: Sizes
}

/**
 * What a node's rule said of an initializer's axis: whether it goes with an output or with an input. Where constants pass
 * through nodes first (a transposed weight, a dequantized one), the node that joins them with data counts; 'constant' marks
 * those nodes themselves.
 */
export type Use = {
  readonly node: Node
  readonly input: number
  readonly slot: number
  readonly side: 'output' | 'input' | 'constant'
}

/** Axes of a node's values that live and die together. */
export type Tie = { readonly inputs: Place[]; readonly outputs: Place[] }

/** An axis of the node's input or output at `position`. */
export type Place = { readonly position: number; readonly slot: number }

type DimsOf = (name: string) => readonly number[]

/** One run of one rule: passes its statements on and notes which of the node's axes it tied to each other. */
export class RuleRun {
  readonly #node: Node
  /** The node with another name for an input it reads again: x·x sums over x's columns and x's rows. */
  readonly #named: Node
  readonly #units: AxisUnits
  readonly #where: string
  /** The second names, and what they name. */
  readonly #again = new Map<string, string>()
  /** The axes of second names have keys of their own, −1 − i for the i-th here; every other axis's key is its slot. */
  readonly #repeats: { readonly name: string; readonly slot: number }[] = []
  /** Every axis spoken of → a neighbour it was tied to, in the manner of a union–find over whole axes. */
  #linked = new Map<number, number>()

  /** Choices the rule left open; settled once all rules have spoken. */
  readonly choices: (readonly AxisReading[])[] = []

  constructor(node: Node, units: AxisUnits, where: string) {
    this.#node = node
    this.#units = units
    this.#where = where
    const inputs = node.inputs.map((name, i) => {
      if (name === '' || node.inputs.indexOf(name) === i) return name
      const again = `${name}\n${i}`
      this.#again.set(again, name)
      return again
    })
    this.#named = this.#again.size > 0 ? { ...node, inputs } : node
  }

  context(opset: number, values: KnownValues, dims: DimsOf): AxisContext {
    const units = this.#units
    const mention = (ref: AxisRef): number => {
      const key = this.#keyOf(ref)
      if (!this.#linked.has(key)) this.#linked.set(key, key)
      return key
    }
    const link = (x: number, y: number) => {
      const [p, q] = [this.#top(x), this.#top(y)]
      if (p !== q) this.#linked.set(p, q)
    }
    return {
      node: this.#named,
      opset,
      dims: (name) => dims(this.#real(name)),
      type: (name) => values.shapes.get(this.#real(name))?.type ?? 'undefined',
      constant: (name) => values.constant(this.#real(name)),
      sizes: (name) => values.sizes.dims(this.#real(name)),
      elements: (name) => values.sizes.elements(this.#real(name)),
      join: (a, b) => {
        const [x, y] = [mention(a), mention(b)]
        link(x, y)
        units.join(this.#slotOf(x), this.#slotOf(y))
      },
      joinAt: (a, b) => {
        const [x, y] = [mention(a), mention(b)]
        link(x, y)
        units.joinAt(this.#slotOf(x), a.at, this.#slotOf(y), b.at)
      },
      freeze: (ref, reason) => units.freeze(this.#slotOf(mention(ref)), `${this.#where}: ${reason}`),
      approximate: (ref, reason) => units.approximate(this.#slotOf(mention(ref)), `${this.#where}: ${reason}`),
      choose: (readings) => {
        this.choices.push(readings.map(({ axes, state }) => ({ axes: axes.map((ref) => this.#realRef(ref)), state })))
      },
    }
  }

  /** Remembers what was said so far; the function returned forgets what came after. */
  snapshot(): () => void {
    const linked = new Map(this.#linked)
    return () => {
      this.#linked = new Map(linked)
    }
  }

  #real(name: string): string {
    return this.#again.get(name) ?? name
  }

  #realRef({ value, axis }: AxisRef): AxisRef {
    return { value: this.#real(value), axis }
  }

  #keyOf(ref: AxisRef): number {
    if (!this.#again.has(ref.value)) return this.#units.slot(ref)
    const slot = this.#units.slot(this.#realRef(ref))
    const found = this.#repeats.findIndex((repeat) => repeat.name === ref.value && repeat.slot === slot)
    return found >= 0 ? -1 - found : -this.#repeats.push({ name: ref.value, slot })
  }

  #slotOf(key: number): number {
    return key < 0 ? this.#repeats[-1 - key]!.slot : key
  }

  #top(key: number): number {
    let at = key
    while (this.#linked.get(at) !== at) at = this.#linked.get(at)!
    return at
  }

  /** An axis the rule forgot would look free; it is frozen instead. */
  freezeUnmentioned(names: readonly string[], dims: DimsOf): void {
    for (const key of this.#axes([...names, ...this.#again.keys()], dims))
      if (!this.#linked.has(key))
        this.#units.freeze(this.#slotOf(key), `${this.#where}: its rule says nothing of this axis`)
  }

  /** The axes of the node's inputs and outputs, sorted into those the rule tied to each other. */
  ties(dims: DimsOf): Tie[] {
    const ties = new Map<number, Tie>()
    const add = (side: 'inputs' | 'outputs') => {
      for (const [position, value] of this.#named[side].entries())
        for (const key of this.#axes([value], dims))
          for (const top of this.#topIfLinked(key)) {
            const tie = ties.get(top) ?? { inputs: [], outputs: [] }
            tie[side].push({ position, slot: this.#slotOf(key) })
            ties.set(top, tie)
          }
    }
    add('inputs')
    add('outputs')
    return [...ties.values()]
  }

  /**
   * Outputs' axes that may lack some of an input's indices (a Slice's). Something of each must stay: engines refuse most
   * operators an axis without indices.
   */
  parts(dims: DimsOf): number[] {
    return this.ties(dims).flatMap(({ inputs, outputs }) => {
      const most = Math.max(...inputs.map(({ slot }) => this.#units.sizeOf(slot)))
      return outputs.flatMap(({ slot }) => (this.#units.sizeOf(slot) < most ? [slot] : []))
    })
  }

  /** The axes of the node's constant inputs, as those of the initializers behind them, each on the side it is tied to. */
  uses(isConstant: (name: string) => boolean, origins: ReadonlyMap<number, readonly number[]>, dims: DimsOf): Use[] {
    const made = new Set(this.#axes(this.#named.outputs, dims).flatMap((key) => this.#topIfLinked(key)))
    return this.#named.inputs.flatMap((name, input) => {
      if (!isConstant(this.#real(name))) return []
      return this.#axes([name], dims).flatMap((key) => {
        const slot = this.#slotOf(key)
        const side = this.#topIfLinked(key).some((top) => made.has(top)) ? 'output' : 'input'
        return (origins.get(slot) ?? [slot]).map((origin): Use => ({ node: this.#node, input, slot: origin, side }))
      })
    })
  }

  /** Notes where the axes of a constant node's outputs come from. */
  passOrigins(origins: Map<number, readonly number[]>, dims: DimsOf): void {
    const sources = new Map<number, number[]>()
    for (const key of this.#axes(this.#named.inputs, dims)) {
      const slot = this.#slotOf(key)
      for (const top of this.#topIfLinked(key))
        sources.set(top, [...(sources.get(top) ?? []), ...(origins.get(slot) ?? [slot])])
    }
    for (const key of this.#axes(this.#named.outputs, dims))
      origins.set(this.#slotOf(key), [...new Set(this.#topIfLinked(key).flatMap((top) => sources.get(top) ?? []))])
  }

  #axes(values: readonly string[], dims: DimsOf): number[] {
    return [...new Set(values)].flatMap((value) =>
      value === '' ? [] : dims(this.#real(value)).map((_, axis) => this.#keyOf({ value, axis })),
    )
  }

  #topIfLinked(key: number): number[] {
    return this.#linked.has(key) ? [this.#top(key)] : []
  }
}
