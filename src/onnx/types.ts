import type { DataType, Tensor } from '../base/index.ts'

/** What each kind of attribute holds, by ONNX's own type names. Integers are bigint because ONNX's are 64 bits wide. */
export type AttributeValues = {
  FLOAT: number
  INT: bigint
  STRING: Uint8Array
  TENSOR: Tensor
  GRAPH: Graph
  FLOATS: readonly number[]
  INTS: readonly bigint[]
  STRINGS: readonly Uint8Array[]
  TENSORS: readonly Tensor[]
  GRAPHS: readonly Graph[]
  /** A reference to an attribute of the enclosing function, or a kind kept but not interpreted (sparse, type protos). */
  OPAQUE: object
}

/** An attribute: a value tagged with its kind. */
export type Attribute = {
  [T in keyof AttributeValues]: {
    readonly type: T
    readonly value: AttributeValues[T]
    /** What the file said beyond this (doc string, a tensor's name): written back unchanged. */
    readonly extra?: unknown
  }
}[keyof AttributeValues]

/** One call of an operator. '' among `inputs` or `outputs` is an optional one left out. */
export type Node = {
  name: string
  opType: string
  /** '' is ONNX's own domain. */
  domain: string
  inputs: string[]
  outputs: string[]
  attributes: Map<string, Attribute>
  /** What the file said beyond this (doc string, metadata, fields of newer ONNX): written back unchanged. */
  extra?: unknown
}

/** A dimension: known, named, or unknown. */
export type Dimension = number | string | null

/** A graph's input, output or recorded intermediate value. Without `dims` the rank is not known. */
export type ValueInfo = {
  name: string
  type: DataType
  dims?: Dimension[]
  /** Kept for values that are not tensors (sequences, maps, optionals, sparse tensors), then `type` is 'undefined'. */
  extra?: unknown
}

/** A graph: plain data, edited in place by the functions of `graph.ts`. Nodes stand in topological order. */
export type Graph = {
  name: string
  /** What must be fed. Initializers are not among them, even where the file lists them as inputs too. */
  inputs: ValueInfo[]
  outputs: ValueInfo[]
  /** Shapes recorded for intermediate values, by name. */
  valueInfo: Map<string, ValueInfo>
  nodes: Node[]
  initializers: Map<string, Tensor>
  /** Initializers the file also lists as inputs, which a caller may override by feeding them. Written back as such. */
  defaults?: string[]
  extra?: unknown
}

/** An ONNX model file. */
export type Model = {
  irVersion: number
  /** Version of each operator set imported, by domain ('' is ONNX's own). */
  opsets: Map<string, number>
  producer: string
  graph: Graph
  metadata: Map<string, string>
  /** Functions, training info and fields of newer ONNX: written back unchanged. */
  extra?: unknown
}
