import type { Tensor, TensorType } from '../base/index.ts'
import type { Model } from '../onnx/index.ts'
import type { Sizes } from './follow-sizes.ts'
import type { AxisUnits } from './units.ts'

/**
 * What an initializer's axis is to the units of a group. 'produces': the axis holds one slice per unit that makes the unit
 * from what came before (a convolution's output channels); 'follows': a parameter the unit carries along (bias,
 * BatchNormalization); 'consumes': the next layer's input axis.
 */
export type MemberRole = 'produces' | 'follows' | 'consumes'

/** One axis of one initializer that loses indices when units of the group go. */
export type Member = {
  readonly initializer: string
  readonly axis: number
  readonly role: MemberRole
  /** The first node that reads it, as a person finds it, its operator and the input's position. */
  readonly node: string
  readonly operator: string
  readonly input: number
  /** How many indices of the axis each unit has: 1 as a rule, height · width behind a Flatten. */
  readonly perUnit: number
  /** The indices of unit u, ascending, at u · perUnit … (u + 1) · perUnit − 1. */
  readonly indices: Int32Array
}

/** Units that have slices in the same initializers' axes. */
export type Group = {
  /** After the layer that produces the units: 'conv1.weight'. */
  readonly name: string
  /** Number of units. */
  readonly size: number
  /** Why removing units is not the same as masking them; absent for exact groups. */
  readonly approximate?: string
  /** In graph order; the first that produces is the one scored. */
  readonly members: readonly Member[]
  /** Each unit's class in `Analysis.units`. */
  readonly roots: Int32Array
}

/** An axis of which nothing may go, and why. */
export type Frozen = { readonly value: string; readonly axis: number; readonly reason: string }

/** What pruning knows of a model before anything is decided. */
export type Analysis = {
  /** The model in the form that is analysed and cut: Constant nodes lifted, shared vectors split per use. */
  readonly model: Model
  /** Type and shape of every value in one traced run, initializers included. */
  readonly shapes: ReadonlyMap<string, TensorType>
  /** Contents of values that depend on no input. */
  constant(name: string): Tensor | undefined
  /** Sizes of its values in every run, and the numbers computed from them. */
  readonly sizes: Sizes
  readonly units: AxisUnits
  readonly groups: readonly Group[]
  readonly frozen: readonly Frozen[]
  /** Split initializers: the copy's name → the shared original's. */
  readonly copies: ReadonlyMap<string, string>
}

/** The file a plan was made for. */
export type PlanSource = { readonly file: string; readonly sha256: string }

/** A group as a plan records it. */
export type PlanGroup = {
  readonly name: string
  readonly size: number
  readonly kept: number
  readonly exact: boolean
  readonly members: readonly { readonly initializer: string; readonly axis: number }[]
}

/** Kept indices, ascending, by initializer and axis. */
export type Slices = { readonly [initializer: string]: { readonly [axis: string]: readonly number[] } }

/** Which units go: the whole of a prune as plain data. Every float initializer not in `slices` is unchanged. */
export type Plan = {
  readonly format: 'espalier-plan/1'
  readonly source: PlanSource
  readonly criterion: string
  readonly groups: readonly PlanGroup[]
  readonly slices: Slices
  readonly frozen: readonly Frozen[]
  readonly copies: { readonly [initializer: string]: string }
  /** What biases took over from removed units; absent where nothing was absorbed. */
  readonly absorbed?: Absorbed
}

/**
 * Constants of removed units that moved into the biases of the layers that read them. The pruned model equals the original
 * with its removed slices at zero and the shifts added to its biases; where absorbing is exact, also the original with only
 * the slices of `zero` at zero, where every bias is its own and removed units are held at their constants.
 */
export type Absorbed = {
  readonly exact: boolean
  /** Names of the groups. */
  readonly groups: readonly string[]
  /** Added to the kept elements of each bias, in order. */
  readonly biases: { readonly [initializer: string]: readonly number[] }
  /** Kept indices, as in `slices`. */
  readonly zero: Slices
}

/** What long work says about itself. */
export type PruneEvent = {
  readonly type: 'progress'
  readonly stage: 'trace' | 'analyze' | 'score' | 'search' | 'slice' | 'verify'
  readonly done: number
  readonly total: number
}

export type OnPruneEvent = (event: PruneEvent) => void
