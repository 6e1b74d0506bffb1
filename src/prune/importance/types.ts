import type { Group } from '../types.ts'

/** One member's weights laid out by unit: row u holds all elements of unit u's slice. */
export type MemberWeights = {
  readonly initializer: string
  readonly axis: number
  /** The operator that reads it and at which input: how a criterion finds BatchNormalization's scales. */
  readonly operator: string
  readonly input: number
  /** Elements of one unit's slice. */
  readonly width: number
  /** All units' slices, row by row: [group.size, width]. Made on first use. */
  rows(): Float64Array
  /** Sums over each unit's slice, in one pass and without laying it out. */
  moments(): Moments
}

/** Per unit, over its slice: Σw, Σ|w|, Σw². */
export type Moments = {
  readonly sum: Float64Array
  readonly absolute: Float64Array
  readonly squares: Float64Array
}

export type ScoreContext = {
  readonly group: Group
  /** The layer whose output the units are, or another member when scores are reduced over several. */
  readonly member: MemberWeights
  /** Every member of the group that holds floating-point weights. */
  readonly members: readonly MemberWeights[]
}

/**
 * What a unit is worth: low scores go first. `needs` says what must be measured before it can be asked; criteria of weights
 * alone can be asked at once.
 */
export type Criterion = {
  readonly name: string
  readonly needs: 'weights' | 'activations' | 'gradients'
  /** Whether scores of different layers can be compared as they are; a global ranking normalizes others by layer. */
  readonly comparable?: boolean
  /** One score per unit of the group. */
  score(context: ScoreContext): Float64Array
}
