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

/** One run of one rule: passes its statements on and notes which of the node's axes it tied to each other. */
export class RuleRun {
  readonly #node: Node
  readonly #units: AxisUnits
  readonly #where: string
  /** Every axis spoken of → a neighbour it was tied to, in the manner of a union–find over whole axes. */
  #linked = new Map<number, number>()

  /** Choices the rule left open; settled once all rules have spoken. */
  readonly choices: (readonly AxisReading[])[] = []

  constructor(node: Node, units: AxisUnits, where: string) {
    this.#node = node
    this.#units = units
    this.#where = where
  }

  context(opset: number, values: KnownValues, dims: DimsOf): AxisContext {
    const units = this.#units
    const mention = (ref: AxisRef) => {
      const slot = units.slot(ref)
      if (!this.#linked.has(slot)) this.#linked.set(slot, slot)
      return slot
    }
    const link = (a: AxisRef, b: AxisRef): [number, number] => {
      const [x, y] = [mention(a), mention(b)]
      const [p, q] = [this.#top(x), this.#top(y)]
      if (p !== q) this.#linked.set(p, q)
      return [x, y]
    }
    return {
      node: this.#node,
      opset,
      dims,
      type: (name) => values.shapes.get(name)?.type ?? 'undefined',
      constant: values.constant,
      join: (a, b) => units.join(...link(a, b)),
      joinAt: (a, b) => {
        const [x, y] = link(a, b)
        units.joinAt(x, a.at, y, b.at)
      },
      freeze: (ref, reason) => units.freeze(mention(ref), `${this.#where}: ${reason}`),
      approximate: (ref, reason) => units.approximate(mention(ref), `${this.#where}: ${reason}`),
      choose: (readings) => {
        this.choices.push(readings)
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

  #top(slot: number): number {
    let at = slot
    while (this.#linked.get(at) !== at) at = this.#linked.get(at)!
    return at
  }

  /** An axis the rule forgot would look free; it is frozen instead. */
  freezeUnmentioned(names: readonly string[], dims: DimsOf): void {
    for (const value of names)
      dims(value).forEach((_, axis) => {
        const slot = this.#units.slot({ value, axis })
        if (!this.#linked.has(slot)) this.#units.freeze(slot, `${this.#where}: its rule says nothing of this axis`)
      })
  }

  /** The axes of the node's inputs and outputs, sorted into those the rule tied to each other. */
  ties(dims: DimsOf): Tie[] {
    const ties = new Map<number, Tie>()
    const add = (side: 'inputs' | 'outputs') => {
      for (const [position, value] of this.#node[side].entries())
        for (const slot of this.#slots([value], dims))
          for (const top of this.#topIfLinked(slot)) {
            const tie = ties.get(top) ?? { inputs: [], outputs: [] }
            tie[side].push({ position, slot })
            ties.set(top, tie)
          }
    }
    add('inputs')
    add('outputs')
    return [...ties.values()]
  }

  /** The axes of the node's constant inputs, as those of the initializers behind them, each on the side it is tied to. */
  uses(isConstant: (name: string) => boolean, origins: ReadonlyMap<number, readonly number[]>, dims: DimsOf): Use[] {
    const made = new Set(this.#slots(this.#node.outputs, dims).flatMap((slot) => this.#topIfLinked(slot)))
    return this.#node.inputs.flatMap((name, input) => {
      if (!isConstant(name)) return []
      return this.#slots([name], dims).flatMap((slot) => {
        const side = this.#topIfLinked(slot).some((top) => made.has(top)) ? 'output' : 'input'
        return (origins.get(slot) ?? [slot]).map((origin): Use => ({ node: this.#node, input, slot: origin, side }))
      })
    })
  }

  /** Notes where the axes of a constant node's outputs come from. */
  passOrigins(origins: Map<number, readonly number[]>, dims: DimsOf): void {
    const sources = new Map<number, number[]>()
    for (const slot of this.#slots(this.#node.inputs, dims))
      for (const top of this.#topIfLinked(slot))
        sources.set(top, [...(sources.get(top) ?? []), ...(origins.get(slot) ?? [slot])])
    for (const slot of this.#slots(this.#node.outputs, dims))
      origins.set(slot, [...new Set(this.#topIfLinked(slot).flatMap((top) => sources.get(top) ?? []))])
  }

  #slots(values: readonly string[], dims: DimsOf): number[] {
    return [...new Set(values)].flatMap((value) =>
      value === '' ? [] : dims(value).map((_, axis) => this.#units.slot({ value, axis })),
    )
  }

  #topIfLinked(slot: number): number[] {
    return this.#linked.has(slot) ? [this.#top(slot)] : []
  }
}
