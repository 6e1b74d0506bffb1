/**
 * What a parameter is to its layer, which tells the axis of its output units: gradient centralization averages over all
 * the other axes. 'conv' is [out, in/groups, ...kernel], 'conv-transpose' [in, out/groups, ...kernel], 'dense'
 * [...batch, out, in] (Gemm with transB, a recurrent layer's matrices), 'dense-in-out' [...batch, in, out] (MatMul, Gemm),
 * 'embedding' [rows, width], 'vector' a bias or a norm's scale, 'other' anything else (treated as [out, ...rest] when it
 * has two axes or more).
 */
export type Role = (typeof roles)[number]
/** Every role there is. */
export const roles = ['conv', 'conv-transpose', 'dense', 'dense-in-out', 'embedding', 'vector', 'other'] as const

/** A trainable tensor: its values are changed in place by optimizers. */
export type Parameter = {
  readonly name: string
  readonly dims: readonly number[]
  readonly role: Role
  readonly values: Float32Array
  /** Groups of a grouped transposed convolution, whose axis 0 holds them one after another; 1 when absent. */
  readonly groups?: number
}

/** What a link remembers of one parameter: arrays by name, of the parameter's own size unless the link says otherwise. */
export type Slots = Record<string, Float32Array | Float64Array>

/**
 * Asks for an array of a parameter's size, of zeros, a number or a copy of values, where loops reach it without a copy. It is
 * there at the first step; until then an empty one stands for it.
 */
export type Fresh = (parameter: Parameter, from?: number | Float32Array) => Float32Array

/** Numbers a link remembers for all parameters together. */
export type Shared = Record<string, number>

/** One parameter during one step. */
export type Site = {
  readonly parameter: Parameter
  /** The gradient when the chain begins, the direction u of `p ← p − lr·u` when it ends; links change it in place. */
  readonly update: Float32Array
  /** 1 at this parameter's first update. */
  readonly step: number
  /** The rate of this step: base rate × schedule × group. */
  readonly lr: number
  /** The group's weight decay, which comes before the link's own. */
  readonly weightDecay: number | undefined
  /** The scalar by which the adaptive link multiplied its direction, for links that must know (compat decay, averaging). */
  stepSize: number
  /** Set by a link that wants no movement this step (RAdam's warm-up by skipping). */
  idle: boolean
  /** What every link remembers of this parameter, in chain order. */
  readonly peers: readonly Slots[]
  /** Present when somebody listens: links compute their telemetry only then. */
  readonly emit?: (event: OptimizerEvent) => void
}

/** All parameters during one step, for links that look at them together. */
export type Step<S extends Slots = Slots> = {
  readonly sites: readonly { readonly site: Site; readonly slots: S }[]
  /** Ends the step here: no weight moves and no counter advances. Only links that come first may say so. */
  skip(reason: string): void
  readonly emit?: (event: OptimizerEvent) => void
}

/**
 * A part of an optimizer. A chain of links turns each gradient into a direction u, then `p ← p − lr·u`. What a link must
 * remember between steps lives in slots and shared numbers, plain data that is saved and restored; a link itself has no
 * memory, so one link may serve several optimizers.
 */
export type Link<S extends Slots = Slots, N extends Shared = Shared> = {
  readonly name: string
  /** Which parameters the link sees; all when absent. */
  applies?(parameter: Parameter): boolean
  /**
   * Lets the link's update, apply and after be given a parameter in pieces: runs of so many elements, or several of them. 1
   * where every element goes its own way. A piece is a site whose arrays (update, weights, slots of the parameter's size) are
   * parts of the whole; its parameter keeps the whole one's name, shape and role. Undefined, or absent, where the link needs
   * the whole: a norm, a count, a number it remembers.
   */
  grain?(parameter: Parameter): number | undefined
  /** The slots of a parameter before its first step. */
  init?(parameter: Parameter, fresh: Fresh): S
  /** The shared numbers before the first step. */
  readonly shared?: N
  /** Runs before the link's first `update` of a step, when the links before it have finished with all parameters. */
  begin?(step: Step<S>, shared: N): void
  /** Changes `site.update`, gradient-like to direction-like. */
  update?(site: Site, slots: S, shared: N): void
  /** Moves the weights in place of `p ← p − lr·u`. At most one link of a chain has it. */
  apply?(site: Site, slots: S, shared: N): void
  /** Runs once the weights have moved. */
  after?(site: Site, slots: S, shared: N): void
  /** Writes the weights to evaluate with, where they are not the training weights. */
  evaluate?(parameter: Parameter, slots: S, out: Float32Array): void
  /** Shapes of slots that are not the parameter's: axis i of the slot has `dims[i]` entries and follows the parameter's axis
   *  `axes[i]`, or none. */
  shapes?(parameter: Parameter): Record<string, SlotShape>
}

/** A slot's shape and, for each of its axes, the parameter's axis it follows (null for none). */
export type SlotShape = {
  readonly dims: readonly number[]
  readonly axes: readonly (number | null)[]
  /** The slot loses its meaning when the parameter is sliced; the link makes it anew when it finds it all zero. */
  readonly remade?: boolean
}

/** What links tell while they work, when asked. */
export type OptimizerEvent =
  /** RAdam: the rectification factor r, and whether the step was adaptive, a plain momentum step or none. */
  | {
      type: 'rectification'
      parameter: string
      step: number
      rho: number
      factor: number
      mode: 'adaptive' | 'sgd' | 'skip'
    }
  /** Clipping: the share of the tensor's (or, by global norm, of all) units or elements that were clipped. */
  | { type: 'clip'; link: string; parameter?: string; rate: number; norm?: number }
  /** Centralization: ‖removed mean‖² ÷ ‖gradient‖². */
  | { type: 'centralization'; parameter: string; share: number }
  /** Lookahead: ‖fast − slow‖ just before they meet. */
  | { type: 'lookahead'; parameter: string; distance: number }
  /** ‖lr·u‖ ÷ ‖p‖ of a parameter's step. */
  | { type: 'update'; parameter: string; step: number; ratio: number }
  /** A step that did not happen. */
  | { type: 'skip'; reason: string }

/** Whether a step moved the weights, and if not, why. */
export type StepResult = { readonly moved: true } | { readonly moved: false; readonly reason: string }
