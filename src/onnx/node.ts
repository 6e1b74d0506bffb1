import { EspalierError, type Tensor } from '../base/index.ts'
import type { Attribute, AttributeValues, Graph, Node } from './types.ts'

/**
 * An attribute as a person writes it: a whole number is INT, a list of them INTS, text STRING, a tensor TENSOR.
 * Fractions must be marked, `float(1)`, since JavaScript cannot tell 1 from 1.0.
 */
export type AttributeInput = number | readonly number[] | string | Tensor | Attribute

export const float = (value: number): Attribute => ({ type: 'FLOAT', value })
export const floats = (value: readonly number[]): Attribute => ({ type: 'FLOATS', value })
export const subgraph = (value: Graph): Attribute => ({ type: 'GRAPH', value })

const utf8 = { encode: new TextEncoder(), decode: new TextDecoder() }

export const attribute = (value: AttributeInput): Attribute => {
  if (typeof value === 'number') return { type: 'INT', value: whole(value) }
  if (typeof value === 'string') return { type: 'STRING', value: utf8.encode.encode(value) }
  if (isList(value)) return { type: 'INTS', value: value.map(whole) }
  if ('bytes' in value) return { type: 'TENSOR', value }
  return value
}

const whole = (value: number): bigint => {
  if (!Number.isInteger(value))
    throw new EspalierError(`the attribute ${value} is not a whole number`, {
      remedy: 'write float(…) or floats(…) for fractions',
    })
  return BigInt(value)
}

const isList = (value: AttributeInput): value is readonly number[] => Array.isArray(value)

/** A node from its parts; attributes as in `AttributeInput`. */
export const makeNode = (
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Record<string, AttributeInput | undefined> = {},
  options: { name?: string; domain?: string } = {},
): Node => ({
  name: options.name ?? '',
  opType,
  domain: options.domain ?? '',
  inputs: [...inputs],
  outputs: [...outputs],
  attributes: new Map(
    Object.entries(attributes).flatMap(([name, value]) => (value === undefined ? [] : [[name, attribute(value)]])),
  ),
})

/** How a person finds a node: its name, or else its first output. */
export const nodeLabel = (node: Node): string => node.name || node.outputs.find((name) => name !== '') || node.opType

const read = <T extends Attribute['type']>(node: Node, name: string, type: T): AttributeValues[T] | undefined => {
  const found = node.attributes.get(name)
  if (found === undefined) return undefined
  if (!hasType(found, type))
    throw new EspalierError(`attribute '${name}' is ${found.type} where ${type} is expected`, {
      place: { node: nodeLabel(node), operator: node.opType },
    })
  return found.value
}

const hasType = <T extends Attribute['type']>(
  found: { type: string; value: unknown },
  type: T,
): found is { type: T; value: AttributeValues[T] } => found.type === type

/** INT as a number: values past ±2^53 (ONNX's "to the end") are clamped there. */
export const clampInt = (value: bigint): number =>
  value > BigInt(Number.MAX_SAFE_INTEGER)
    ? Number.MAX_SAFE_INTEGER
    : value < BigInt(Number.MIN_SAFE_INTEGER)
      ? Number.MIN_SAFE_INTEGER
      : Number(value)

/** A node's INT attribute, or the default where it is absent. The same for the readers that follow. */
export const intOf = <D extends number | undefined>(node: Node, name: string, absent: D): number | D => {
  const value = read(node, name, 'INT')
  return value === undefined ? absent : clampInt(value)
}

export const intsOf = <D extends readonly number[] | undefined>(node: Node, name: string, absent: D): number[] | D =>
  read(node, name, 'INTS')?.map(clampInt) ?? absent

export const floatOf = <D extends number | undefined>(node: Node, name: string, absent: D): number | D =>
  read(node, name, 'FLOAT') ?? absent

export const floatsOf = <D extends readonly number[] | undefined>(
  node: Node,
  name: string,
  absent: D,
): readonly number[] | D => read(node, name, 'FLOATS') ?? absent

export const stringOf = <D extends string | undefined>(node: Node, name: string, absent: D): string | D => {
  const value = read(node, name, 'STRING')
  return value === undefined ? absent : utf8.decode.decode(value)
}

export const tensorOf = (node: Node, name: string): Tensor | undefined => read(node, name, 'TENSOR')

export const graphOf = (node: Node, name: string): Graph | undefined => read(node, name, 'GRAPH')

/** The graphs a node carries in its attributes (If, Loop, Scan). */
export const subgraphsOf = (node: Node): Graph[] =>
  [...node.attributes.values()].flatMap((a) => (a.type === 'GRAPH' ? [a.value] : a.type === 'GRAPHS' ? a.value : []))
