import type { DataType } from '../../base/index.ts'
import type { Node } from '../../onnx/index.ts'
import type { Quantities, Size } from './size.ts'

/** What is known of the sizes of a value, in every run. */
export type Sized = {
  /** Of its axes; undefined where not even their number is known. */
  readonly dims?: readonly Size[] | undefined
  /** The numbers it holds, in order, of a value with few of them; undefined where they are data. */
  readonly elements?: readonly Size[] | undefined
}

/** What a size rule may ask of its node, by the position of an input. */
export type SizeContext = {
  readonly node: Node
  /** Version of the node's operator set. */
  readonly opset: number
  readonly quantities: Quantities
  dims(input: number): readonly Size[] | undefined
  elements(input: number): readonly Size[] | undefined
  type(input: number): DataType
}

/**
 * How the sizes of a node's outputs follow from those of its inputs, an entry for each output. Of an operator without a rule,
 * and where a rule gives none, only what the engine infers is known; a size it does not know varies.
 */
export type SizeRule = (c: SizeContext) => readonly (Sized | undefined)[]
