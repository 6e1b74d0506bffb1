import { type Model, type Node, nodeLabel, opsetOf } from '../onnx/index.ts'
import {
  type AxisRef,
  anySign,
  type SignContext,
  type SignRule,
  type Signs,
  signRuleOf,
  signsOf,
  type ZeroPoint,
  zero,
  zeroPointOf,
} from '../operators/index.ts'
import { maskedNames } from './mask.ts'
import type { KnownValues, Place, RuleRun, Tie } from './rule-run.ts'
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
  const type = (name: string) => values.shapes.get(name)?.type ?? 'undefined'
  const live = ({ slot }: Place) => units.tied(slot) && units.slotReason(slot) === ''
  for (const { node, rule } of runs) {
    const context = { node, opset, dims, type, constant: values.constant }
    const where = `${node.opType} '${nodeLabel(node)}'`
    const whole = (i: number) => state.whole(node.inputs[i] ?? '')
    const zeroPoint = (i: number) => state.zeroPoint(node.inputs[i] ?? '')
    const everywhere: SignContext = { ...context, zeroPoint, signs: whole, touched: () => false }
    node.outputs.forEach((name, position) => {
      const signs = numbersOnly(signRuleOf(node, position)(everywhere))
      state.note(node, name, signs, zeroPointOf(everywhere, position))
    })
    for (const tie of rule.ties(dims)) {
      const sums = tie.outputs.length === 0 && !lendsOnly.has(node.opType)
      const places = (sums ? tie.inputs : tie.outputs).filter(live)
      if (places.length === 0) continue
      const seen = state.enter(tie, node.inputs.length)
      for (const { position, slot } of places)
        if (sums) freezeSums(units, slot, seen, `${where}: ${unprovenSum}`)
        else {
          const ask = remembered(seen, signRuleOf(node, position), everywhere)
          state.fill(slot, (root) => {
            const signs = ask(root)
            if (typeof signs !== 'number') units.freezeClass(root, `${where}: ${signs ?? notANumber}`)
            return numbersOnly(signs)
          })
        }
      state.leave(tie)
    }
  }
}

/** What each input holds at each class: 0 where it does not have the unit, else its signs and this bit. */
type Seen = readonly Uint8Array[]
const has = 8

type Answer = ReturnType<SignRule>

const numbersOnly = (answer: Answer): Signs => (typeof answer === 'number' ? answer : anySign)

/** The rule's answer for a class, found once for all classes that are alike. */
const remembered = (seen: Seen, rule: SignRule, everywhere: SignContext): ((root: number) => Answer) => {
  const answers = new Map<string, Answer>()
  let [lastKey, last] = ['', undefined as Answer]
  return (root) => {
    const key = seen.length === 1 ? String(seen[0]![root]) : seen.map((signs) => signs[root]).join()
    if (key === lastKey) return last
    if (!answers.has(key))
      answers.set(
        key,
        rule({
          ...everywhere,
          signs: (i) => (seen[i]?.[root] ? seen[i][root]! & anySign : everywhere.signs(i)),
          touched: (i) => Boolean(seen[i]?.[root]),
        }),
      )
    ;[lastKey, last] = [key, answers.get(key)]
    return last
  }
}

const unprovenSum = 'it sums over units of computed values none of which is surely 0 where a unit is masked'
const notANumber = 'where a unit is masked it may give no number'

/** Operators that ask an input for its type or shape, not its values. */
const lendsOnly = new Set(['CastLike', 'Shape', 'Size', 'RandomNormalLike', 'RandomUniformLike', 'EyeLike'])

/** An axis that ends at a node is summed over: one factor of each term must be 0. */
const freezeSums = (units: AxisUnits, slot: number, seen: Seen, reason: string): void => {
  for (let i = 0; i < units.sizeOf(slot); i++) {
    const root = units.classOf(slot, i)
    // What is not exact anyway needs no proof.
    if (units.approximateReason(root)) continue
    if (!seen.some((signs) => signs[root] === (zero | has))) units.freezeClass(root, reason)
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
  readonly #zeroPoints = new Map<string, ZeroPoint>()
  /** Values some of whose numbers change when units are masked. */
  readonly #moved = new Set<string>()
  readonly #seen: Uint8Array[] = []

  constructor({ graph }: Model, units: AxisUnits, values: Values) {
    this.#units = units
    this.#values = values
    this.#initializers = graph.initializers
    const original = (name: string) => values.copies.get(name) ?? name
    this.#masked = new Set([...maskedNames(graph)].map(original))
    for (const [name, { dims }] of graph.initializers) {
      if (this.#masked.has(original(name))) this.#masked.add(name)
      if (this.#masked.has(name) && dims.some((_, axis) => this.#loses({ value: name, axis }))) this.#moved.add(name)
    }
  }

  /** The signs the numbers of a value may have, whichever units are masked. */
  whole(name: string): Signs {
    const known = this.#whole.get(name)
    if (known !== undefined) return known
    const tensor = this.#values.constant(name)
    const signs = tensor ? signsOf(tensor) | (this.#moved.has(name) ? zero : 0) : anySign
    this.#whole.set(name, signs)
    return signs
  }

  /** What the numbers of a value are counted from. */
  zeroPoint(name: string): ZeroPoint {
    return this.#zeroPoints.get(name) ?? '0'
  }

  /** Takes down what a node's rule says of all of an output. The contents of what no unit moves are known better. */
  note({ inputs }: Node, output: string, signs: Signs, zeroPoint: ZeroPoint): void {
    this.#zeroPoints.set(output, zeroPoint)
    if (inputs.some((name) => this.#moved.has(name))) this.#moved.add(output)
    if (this.#moved.has(output) || !this.#values.constant(output)) this.#whole.set(output, signs)
  }

  #loses(ref: AxisRef): boolean {
    const slot = this.#units.slot(ref)
    return this.#units.tied(slot) && this.#units.slotReason(slot) === ''
  }

  /** What each input holds at the units of the tied axes; good until `leave`. */
  enter({ inputs }: Tie, count: number): Seen {
    const units = this.#units
    while (this.#seen.length < count) this.#seen.push(new Uint8Array(units.length))
    for (const { position, slot } of inputs) {
      if (!units.tied(slot)) continue
      const [seen, signs] = [this.#seen[position]!, this.#signsAt(slot)]
      for (let i = 0; i < units.sizeOf(slot); i++) seen[units.classOf(slot, i)]! |= signs(i) | has
    }
    return this.#seen.slice(0, count)
  }

  leave({ inputs }: Tie): void {
    const units = this.#units
    for (const { position, slot } of inputs)
      if (units.tied(slot))
        for (let i = 0; i < units.sizeOf(slot); i++) this.#seen[position]![units.classOf(slot, i)] = 0
  }

  /** Notes the signs of a node's output along an axis; asked class by class. */
  fill(slot: number, signsOfClass: (root: number) => Signs): void {
    const units = this.#units
    const signs = new Uint8Array(units.sizeOf(slot))
    for (let i = 0; i < signs.length; i++) signs[i] = signsOfClass(units.classOf(slot, i))
    this.#bySlot.set(slot, signs)
  }

  #signsAt(slot: number): (index: number) => Signs {
    const { value } = this.#units.refOf(slot)
    if (this.#initializers.has(value)) {
      const signs = this.#masked.has(value) ? zero : this.whole(value)
      return () => signs
    }
    const signs = this.#bySlot.get(slot)
    return (index) => signs?.[index] ?? this.whole(value)
  }
}
