import type { DataType, Tensor } from '../base/index.ts'

/** An attribute's value, tagged with ONNX's own type names. Integers are bigint because ONNX's are 64 bits wide. */
export type Attribute =
  | { readonly type: 'FLOAT'; readonly value: number }
  | { readonly type: 'INT'; readonly value: bigint }
  | { readonly type: 'STRING'; readonly value: Uint8Array }
  | { readonly type: 'TENSOR'; readonly value: Tensor }
  | { readonly type: 'GRAPH'; readonly value: Graph }
  | { readonly type: 'FLOATS'; readonly value: readonly number[] }
  | { readonly type: 'INTS'; readonly value: readonly bigint[] }
  | { readonly type: 'STRINGS'; readonly value: readonly Uint8Array[] }
  | { readonly type: 'TENSORS'; readonly value: readonly Tensor[] }
  | { readonly type: 'GRAPHS'; readonly value: readonly Graph[] }
  /** A reference to an attribute of the enclosing function, or a kind kept but not interpreted (sparse, type protos). */
  | { readonly type: 'OPAQUE'; readonly value: unknown }

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
  inputs: ValueInfo[]
  outputs: ValueInfo[]
  /** Shapes recorded for intermediate values, by name. */
  valueInfo: Map<string, ValueInfo>
  nodes: Node[]
  initializers: Map<string, Tensor>
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
