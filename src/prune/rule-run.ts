import type { Tensor, TensorType } from '../base/index.ts'
import type { Node } from '../onnx/index.ts'
import type { AxisContext, AxisReading, AxisRef } from '../operators/index.ts'
import type { AxisUnits } from './units.ts'

/** What is known of a model's values: type and shape in one run, and contents of those that depend on no input. */
export type KnownValues = {
  readonly shapes: ReadonlyMap<string, TensorType>
  constant(name: string): Tensor | undefined
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

/** An axis of one of the node's values as the rule speaks of it: repeats of an input have axes of their own. */
type Spoken = { readonly key: number; readonly slot: number }

/** One run of one rule: passes its statements on and notes which of the node's axes it tied to each other. */
export class RuleRun {
  readonly #node: Node
  /** The node with another name for an input it reads again: x·x sums over x's columns and x's rows. */
  readonly #named: Node
  readonly #units: AxisUnits
  readonly #where: string
  /** The second names, and what they name. */
  readonly #again = new Map<string, string>()
  /** The axes of second names, numbered below 0 as slots are from 0. */
  readonly #keys = new Map<string, number>()
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
    const mention = (ref: AxisRef): Spoken => {
      const spoken = this.#spoken(ref)
      if (!this.#linked.has(spoken.key)) this.#linked.set(spoken.key, spoken.key)
      return spoken
    }
    const link = (a: AxisRef, b: AxisRef): [number, number] => {
      const [x, y] = [mention(a), mention(b)]
      const [p, q] = [this.#top(x.key), this.#top(y.key)]
      if (p !== q) this.#linked.set(p, q)
      return [x.slot, y.slot]
    }
    return {
      node: this.#named,
      opset,
      dims: (name) => dims(this.#real(name)),
      type: (name) => values.shapes.get(this.#real(name))?.type ?? 'undefined',
      constant: (name) => values.constant(this.#real(name)),
      join: (a, b) => units.join(...link(a, b)),
      joinAt: (a, b) => {
        const [x, y] = link(a, b)
        units.joinAt(x, a.at, y, b.at)
      },
      freeze: (ref, reason) => units.freeze(mention(ref).slot, `${this.#where}: ${reason}`),
      approximate: (ref, reason) => units.approximate(mention(ref).slot, `${this.#where}: ${reason}`),
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

  #spoken(ref: AxisRef): Spoken {
    const slot = this.#units.slot(this.#realRef(ref))
    if (!this.#again.has(ref.value)) return { key: slot, slot }
    const { axis } = this.#units.refOf(slot)
    const name = `${axis} ${ref.value}`
    const key = this.#keys.get(name) ?? -1 - this.#keys.size
    this.#keys.set(name, key)
    return { key, slot }
  }

  #top(key: number): number {
    let at = key
    while (this.#linked.get(at) !== at) at = this.#linked.get(at)!
    return at
  }

  /** An axis the rule forgot would look free; it is frozen instead. */
  freezeUnmentioned(names: readonly string[], dims: DimsOf): void {
    for (const { key, slot } of this.#axes([...names, ...this.#again.keys()], dims))
      if (!this.#linked.has(key)) this.#units.freeze(slot, `${this.#where}: its rule says nothing of this axis`)
  }

  /** The axes of the node's inputs and outputs, sorted into those the rule tied to each other. */
  ties(dims: DimsOf): Tie[] {
    const ties = new Map<number, Tie>()
    const add = (side: 'inputs' | 'outputs') => {
      for (const [position, value] of this.#named[side].entries())
        for (const { key, slot } of this.#axes([value], dims))
          for (const top of this.#topIfLinked(key)) {
            const tie = ties.get(top) ?? { inputs: [], outputs: [] }
            tie[side].push({ position, slot })
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
    const made = new Set(this.#axes(this.#named.outputs, dims).flatMap(({ key }) => this.#topIfLinked(key)))
    return this.#named.inputs.flatMap((name, input) => {
      if (!isConstant(this.#real(name))) return []
      return this.#axes([name], dims).flatMap(({ key, slot }) => {
        const side = this.#topIfLinked(key).some((top) => made.has(top)) ? 'output' : 'input'
        return (origins.get(slot) ?? [slot]).map((origin): Use => ({ node: this.#node, input, slot: origin, side }))
      })
    })
  }

  /** Notes where the axes of a constant node's outputs come from. */
  passOrigins(origins: Map<number, readonly number[]>, dims: DimsOf): void {
    const sources = new Map<number, number[]>()
    for (const { key, slot } of this.#axes(this.#named.inputs, dims))
      for (const top of this.#topIfLinked(key))
        sources.set(top, [...(sources.get(top) ?? []), ...(origins.get(slot) ?? [slot])])
    for (const { key, slot } of this.#axes(this.#named.outputs, dims))
      origins.set(slot, [...new Set(this.#topIfLinked(key).flatMap((top) => sources.get(top) ?? []))])
  }

  #axes(values: readonly string[], dims: DimsOf): Spoken[] {
    return [...new Set(values)].flatMap((value) =>
      value === '' ? [] : dims(this.#real(value)).map((_, axis) => this.#spoken({ value, axis })),
    )
  }

  #topIfLinked(key: number): number[] {
    return this.#linked.has(key) ? [this.#top(key)] : []
  }
}
