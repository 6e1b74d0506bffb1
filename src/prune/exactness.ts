import { type Model, type Node, nodeLabel, opsetOf } from '../onnx/index.ts'
import { anySign, type SignContext, type Signs, signRuleOf, signsOf, zero } from '../operators/index.ts'
import { maskedNames } from './mask.ts'
import type { KnownValues, RuleRun, Tie } from './rule-run.ts'
import type { AxisUnits } from './units.ts'

/** What a rule said of a node. */
export type NodeRun = { readonly node: Node; readonly rule: RuleRun }

type Values = KnownValues & { readonly copies: ReadonlyMap<string, string> }

/**
 * Freezes the units whose removal is not provably the same as setting their parameters to zero.
 *
 * A unit that goes leaves out one term of every sum over units, so the term must be 0 when the unit is only masked. With a
 * weight on one side it always is, its column being masked; a product of two computed values (attention's scores) needs one
 * of them to be 0 there, which sigmoid, exp or an added constant spoil. And a masked unit must stay a number: log 0 or 0 ÷ 0
 * would spread NaN through the very column of zeros that is to silence it. So the walk follows, for every value and unit,
 * which signs the value may have where the unit is masked.
 */
export const freezeUnproven = (model: Model, units: AxisUnits, runs: readonly NodeRun[], values: Values): void => {
  const opset = opsetOf(model)
  const state = new MaskedSigns(model, units, values)
  const dims = (name: string) => values.shapes.get(name)?.dims ?? []
  for (const { node, rule } of runs) {
    const ties = rule.ties(dims)
    const context = { node, opset, dims, type: (name: string) => values.shapes.get(name)?.type ?? 'undefined' }
    const where = `${node.opType} '${nodeLabel(node)}'`
    for (const tie of ties) {
      const seen = node.inputs.map((_, position) => state.byClass(tie, position))
      if (tie.outputs.length === 0 && !lendsOnly.has(node.opType)) {
        freezeSums(units, tie, seen, `${where}: ${unprovenSum}`)
        continue
      }
      for (const { position, slot } of tie.outputs) {
        const rule = signRuleOf(node, position)
        state.fill(slot, (root) => {
          const at: SignContext = {
            ...context,
            constant: values.constant,
            signs: (i) => seen[i]?.get(root) ?? state.whole(node.inputs[i] ?? ''),
            touched: (i) => seen[i]?.has(root) ?? false,
          }
          const signs = rule(at)
          if (signs === undefined) units.freezeClass(root, `${where}: ${notANumber}`)
          return signs ?? anySign
        })
      }
    }
  }
}

const unprovenSum = 'it sums over units of computed values none of which is surely 0 where a unit is masked'
const notANumber = 'where a unit is masked it may give no number'

/** Operators that ask an input for its type or shape, not its values. */
const lendsOnly = new Set(['CastLike', 'Shape', 'Size', 'RandomNormalLike', 'RandomUniformLike', 'EyeLike'])

/** Axes that end at a node are summed over: one factor of each term must be 0. */
const freezeSums = (units: AxisUnits, tie: Tie, seen: readonly ReadonlyMap<number, Signs>[], reason: string): void => {
  for (const { slot } of tie.inputs) {
    if (!units.tied(slot)) continue
    for (let i = 0; i < units.sizeOf(slot); i++) {
      const root = units.classOf(slot, i)
      // What is not exact anyway needs no proof.
      if (units.approximateReason(root)) continue
      if (!seen.some((signs) => signs.get(root) === zero)) units.freezeClass(root, reason)
    }
  }
}

/** The signs of every value at every unit, while the unit's parameters are zero. */
class MaskedSigns {
  readonly #units: AxisUnits
  readonly #values: Values
  readonly #initializers: Model['graph']['initializers']
  /** Initializers that are masked: all but those that only divide. */
  readonly #masked: Set<string>
  readonly #bySlot = new Map<number, Uint8Array>()
  readonly #whole = new Map<string, Signs>()

  constructor({ graph }: Model, units: AxisUnits, values: Values) {
    this.#units = units
    this.#values = values
    this.#initializers = graph.initializers
    const original = (name: string) => values.copies.get(name) ?? name
    this.#masked = new Set([...maskedNames(graph)].map(original))
    for (const name of graph.initializers.keys()) if (this.#masked.has(original(name))) this.#masked.add(name)
  }

  /** The signs a value may have when nothing is masked. */
  whole(name: string): Signs {
    const known = this.#whole.get(name)
    if (known !== undefined) return known
    const tensor = this.#values.constant(name)
    const signs = tensor ? signsOf(tensor) : anySign
    this.#whole.set(name, signs)
    return signs
  }

  /** What an input holds at each unit of the tied axes. */
  byClass(tie: Tie, position: number): Map<number, Signs> {
    const units = this.#units
    const found = new Map<number, Signs>()
    for (const place of tie.inputs) {
      if (place.position !== position || !units.tied(place.slot)) continue
      const signs = this.#signsAt(place.slot)
      for (let i = 0; i < units.sizeOf(place.slot); i++) {
        const root = units.classOf(place.slot, i)
        found.set(root, (found.get(root) ?? 0) | signs(i))
      }
    }
    return found
  }

  /** Notes the signs of a node's output along an axis; asked once for each class. */
  fill(slot: number, signsOfClass: (root: number) => Signs): void {
    const units = this.#units
    if (!units.tied(slot)) return
    const signs = new Uint8Array(units.sizeOf(slot))
    const answers = new Map<number, Signs>()
    for (let i = 0; i < signs.length; i++) {
      const root = units.classOf(slot, i)
      if (units.frozenReason(root)) {
        signs[i] = anySign
        continue
      }
      const answer = answers.get(root) ?? signsOfClass(root)
      answers.set(root, answer)
      signs[i] = answer
    }
    this.#bySlot.set(slot, signs)
  }

  #signsAt(slot: number): (index: number) => Signs {
    const { value } = this.#units.refOf(slot)
    if (this.#initializers.has(value)) {
      const signs = this.#masked.has(value) ? zero : this.whole(value)
      return () => signs
    }
    const signs = this.#bySlot.get(slot)
    return (index) => signs?.[index] ?? anySign
  }
}
