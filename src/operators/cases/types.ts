import type { Tensor } from '../../base/index.ts'
import type { AttributeInput } from '../../onnx/index.ts'

/**
 * One line of the shared case table: an operator with one combination of attributes and input shapes. Plain data; the
 * tests that differentiate, prune and run operators all read the same lines.
 */
export type OperatorCase = {
  readonly op: string
  readonly domain?: string
  /** What this line is about: 'stride 2, pads 1'. */
  readonly name: string
  /** Inputs in order, by name; '' in `order` of optional inputs left out is written as `undefined`. */
  readonly inputs: { readonly [name: string]: InputSpec | undefined }
  readonly attributes?: Readonly<Record<string, AttributeInput>>
  /** How many outputs the node has; 1 unless said. */
  readonly outputs?: number
  /** Positions of the outputs the loss depends on; every float output unless said. */
  readonly loss?: readonly number[]
  /** Operator set; 17 unless said. */
  readonly opset?: number
  /** Drawn in this type even where the engine computes in double: for operators whose kernels round to single inside. */
  readonly type?: 'float32'
  /** Draws other numbers than seed 1, where those fall on a kink within a difference's step. */
  readonly seed?: number
  /** Inputs given as tensors that pruning masks like random ones: quantized weights. */
  readonly masked?: readonly string[]
  /** Inputs whose gradient is checked; every input given by its shape unless said. */
  readonly checked?: readonly string[]
}

/**
 * A shape stands for floats drawn at random: standard normal from a list of dims alone, else as described. A tensor stands
 * for itself: indices, shapes, constants.
 */
export type InputSpec =
  | readonly number[]
  | Tensor
  | {
      readonly dims: readonly number[]
      /** Uniform in [low, high]. */
      readonly low: number
      readonly high: number
    }
  | {
      readonly dims: readonly number[]
      /** A shuffled ladder of values this far apart, none near 0: for maxima, sorting, and kinks at 0. */
      readonly apart: number
    }
  | {
      readonly dims: readonly number[]
      /** Given numbers, varied like random ones: for operators with kinks elsewhere. */
      readonly values: readonly number[]
    }
