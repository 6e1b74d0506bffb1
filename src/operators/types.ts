import type { Tensor, TensorType } from '../base/index.ts'
import type { GraphBuilder, Node } from '../onnx/index.ts'
import type { Size, SizeRule } from './sizes/index.ts'

/**
 * One row of the operators' table: all this project knows about an ONNX operator. A row answers questions asked from
 * above (differentiation, pruning, costs) and knows nothing of training or pruning itself.
 */
export type Operator = {
  /**
   * How gradients pass from outputs to inputs; `stops` when none can (its outputs do not vary smoothly), `unknown` when there
   * is one that this project does not have.
   */
  readonly gradient: GradientRule | typeof stops | typeof unknown
  /** Which indices of its values' axes live and die together. */
  readonly axes: AxisRule
  /** Multiply–accumulates of one run; `free` for operators that do none. */
  readonly macs: MacsRule
  /** Edits the node after axes of its inputs and outputs lost indices (group counts, shape constants, split sizes). */
  readonly resize?: ResizeRule
  /** How its outputs' sizes follow from its inputs' in every run; without it, what the engine infers. */
  readonly sizes?: SizeRule
}

/** What every rule may ask about the node it is given. All shapes are those of one traced run. */
export type NodeContext = {
  readonly node: Node
  /** Version of the node's operator set. */
  readonly opset: number
  /** Shape of one of the node's values, by name. */
  dims(name: string): readonly number[]
  type(name: string): TensorType['type']
  /** The value's contents when it is an initializer or was computed from nothing else, else undefined. */
  constant(name: string): Tensor | undefined
  /** The sizes of a value's axes in every run, where the model is not made for one run: see `sizesOf`. */
  sizes?(name: string): readonly Size[] | undefined
  /** The numbers that a small value of sizes holds in every run. */
  elements?(name: string): readonly Size[] | undefined
}

/** Marks an operator whose inputs get no gradient: comparisons, shapes, indices, rounding. */
export const stops = 'stops'

/** Marks an operator that only pruning knows: on the way from a trainable weight to the loss it is an error. */
export const unknown = 'unknown'

/** Emits nodes for a node: those of its gradient, or plainer ones that take its place. */
export type Emitter = NodeContext & { readonly b: GraphBuilder }

export type GradientContext = Emitter & {
  /** ∂L/∂output for each output, by position; undefined where the loss does not depend on that output. */
  readonly grads: readonly (string | undefined)[]
  /** Whether ∂L/∂input i is asked for; rules skip what nobody wants. */
  wants(input: number): boolean
}

/** ∂L/∂input for each input, by position, as value names; undefined where there is none or it was not wanted. */
export type GradientRule = (g: GradientContext) => readonly (string | undefined)[]

/** Writes a node in plainer operators, which have rows; gives the names of the values that stand for its outputs. */
export type Lowering = (e: Emitter) => readonly (string | undefined)[]

/** One axis of a value; negative axes count from the end. */
export type AxisRef = { readonly value: string; readonly axis: number }

/**
 * Rules state facts about single indices; the caller keeps them in a union–find over (value, axis, index). Indices joined
 * to each other form one unit. Whatever a rule says nothing of stays free-standing, so a rule must mention every axis of
 * every input and output: joined, frozen or approximate.
 */
export type AxisContext = NodeContext & {
  /** The two axes are the same size and index i of one lives and dies with index i of the other. */
  join(a: AxisRef, b: AxisRef): void
  /** Index `a.at` of one axis lives and dies with index `b.at` of another. */
  joinAt(a: AxisRef & { at: number }, b: AxisRef & { at: number }): void
  /** No index of the axis may go. The reason is read by people: 'Softmax mixes all indices of the axis'. */
  freeze(ref: AxisRef, reason: string): void
  /** Indices may go, but the outputs then differ from masking (LayerNorm's statistics). */
  approximate(ref: AxisRef, reason: string): void
  /**
   * Of several readings only one can hold: a merged axis [H·d] may lose whole blocks of d, or the same index of every block.
   * The caller keeps the first one whose axes nothing else freezes, and the first of all when every one is frozen; a caller
   * without this function gets the first.
   */
  choose?(readings: readonly AxisReading[]): void
}

/** One way to read an operator: the axes that may lose indices under it, and the facts that then hold. */
export type AxisReading = { readonly axes: readonly AxisRef[]; state(): void }

export type AxisRule = (a: AxisContext) => void

export type ResizeContext = NodeContext & {
  /** Kept indices of an axis of one of the node's values, ascending; undefined when nothing was removed from it. */
  kept(ref: AxisRef): readonly number[] | undefined
  /** Replaces input `position` by a new constant: copied on write, since another node may share the old one. */
  setConstant(position: number, tensor: Tensor): void
  /** Sets entries of an input that is computed while the graph runs; the others stay what is computed. */
  setElements(position: number, entries: ReadonlyMap<number, number>): void
}

/** Edits `node` (a copy the caller owns) in place. */
export type ResizeRule = (r: ResizeContext) => void

export type MacsRule = (m: NodeContext) => number

export const free: MacsRule = () => 0
