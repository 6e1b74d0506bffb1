import { clone } from '@bufbuild/protobuf'
import {
  type AttributeProto,
  AttributeProtoSchema,
  type FunctionProto,
  FunctionProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
} from 'onnx-buf'
import { FormatError, UnsupportedError } from '../base/index.ts'
import { GraphBuilder } from './builder.ts'
import { domainOf, readAttribute, readNode } from './decode.ts'
import { copyAttribute, copyNode, liftConstants } from './graph.ts'
import { makeNode, nodeLabel, subgraphsOf } from './node.ts'
import { messageIn, remainderOf } from './tensorproto.ts'
import type { Attribute, Graph, Model, Node } from './types.ts'

/** A model's own operator: what stands for a call of it. */
type LocalFunction = {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly nodes: readonly Node[]
  readonly defaults: ReadonlyMap<string, Attribute>
  readonly opsets: ReadonlyMap<string, number>
}

/** Nodes that inlining may make; calls within calls multiply, so a small file could ask for any number. */
const maxNodes = 1_000_000
const maxCalls = 100

const withoutFunctions = remainderOf(ModelProtoSchema, ['functions'])

const keyOf = (domain: string, name: string, overload: string) => JSON.stringify([domain, name, overload])

/** The names, as `domain.name`, of the functions a model defines for itself. */
export const functionNames = (model: Model): string[] =>
  protosOf(model).map(({ domain, name }) => (domain ? `${domain}.${name}` : name))

const protosOf = (model: Model): FunctionProto[] => messageIn(ModelProtoSchema, model.extra)?.functions ?? []

/**
 * Replaces calls of the model's own functions by the functions' nodes, until none is left, and drops the functions. In place.
 * @throws UnsupportedError where a function is written for another version of an operator set than the model
 */
export const inlineFunctions = (model: Model): void => {
  const functions = new Map(
    protosOf(model).map((proto) => [keyOf(domainOf(proto.domain), proto.name, proto.overload), functionFrom(proto)]),
  )
  if (functions.size === 0) return
  for (const [key, { opsets }] of functions) adoptOpsets(model, key, opsets)
  const size = expandedSize(model.graph.nodes, functions, new Map())
  if (size > maxNodes)
    throw new FormatError(`inlining the model's functions makes ${size} nodes, more than ${maxNodes}`)
  const builder = new GraphBuilder(model.graph)
  inlineIn(model.graph, { functions, fresh: (hint) => builder.fresh(hint) })
  liftConstants(model.graph)
  const extra = messageIn(ModelProtoSchema, model.extra)
  if (extra) {
    const rest = withoutFunctions(clone(ModelProtoSchema, extra))
    if (rest) model.extra = rest
    else delete model.extra
  }
}

const functionFrom = (shared: FunctionProto): LocalFunction => {
  const proto = clone(FunctionProtoSchema, shared)
  const context = { place: {}, external: undefined }
  return {
    inputs: proto.input,
    outputs: proto.output,
    nodes: proto.node.map((node) => readNode(node, context)),
    defaults: new Map(proto.attributeProto.map((attribute) => [attribute.name, readAttribute(attribute, context)])),
    opsets: new Map(proto.opsetImport.map(({ domain, version }) => [domainOf(domain), Number(version)])),
  }
}

const adoptOpsets = (model: Model, key: string, opsets: ReadonlyMap<string, number>): void => {
  for (const [domain, version] of opsets) {
    const own = model.opsets.get(domain) ?? version
    if (own !== version)
      throw new UnsupportedError(
        `the function ${key} is written for version ${version} of the operator set '${domain || 'ai.onnx'}', the model for ${own}`,
        { remedy: 'convert the model to one version first' },
      )
    model.opsets.set(domain, version)
  }
}

type Functions = ReadonlyMap<string, LocalFunction>

const calledBy = (node: Node, functions: Functions): LocalFunction | undefined =>
  functions.get(keyOf(node.domain, node.opType, messageIn(NodeProtoSchema, node.extra)?.overload ?? ''))

/** How many nodes stand for a list of nodes once all calls are inlined, found without making them. */
const expandedSize = (
  nodes: readonly Node[],
  functions: Functions,
  sizes: Map<LocalFunction, number | 'open'>,
  depth = 0,
): number => {
  let total = 0
  for (const node of nodes) {
    const called = calledBy(node, functions)
    const place = { node: nodeLabel(node), operator: node.opType }
    if (!called) {
      total++
      for (const { nodes: inner } of subgraphsOf(node)) total += expandedSize(inner, functions, sizes, depth)
      continue
    }
    const known = sizes.get(called)
    if (known === 'open') throw new FormatError('the function calls itself', { place })
    if (depth > maxCalls) throw new FormatError(`functions call each other more than ${maxCalls} deep`, { place })
    if (known === undefined) sizes.set(called, 'open')
    const size = known ?? expandedSize(called.nodes, functions, sizes, depth + 1)
    sizes.set(called, size)
    total += size
  }
  return total
}

type Inlining = { readonly functions: Functions; readonly fresh: (hint: string) => string }

const inlineIn = (graph: Graph, inlining: Inlining): void => {
  graph.nodes = graph.nodes.flatMap((node) => inlined(node, inlining))
}

const inlined = (node: Node, inlining: Inlining): Node[] => {
  const called = calledBy(node, inlining.functions)
  if (!called) {
    for (const inner of subgraphsOf(node)) inlineIn(inner, inlining)
    return [node]
  }
  const names = new Map<string, string>([['', '']])
  for (const [i, name] of called.inputs.entries()) names.set(name, node.inputs[i] ?? '')
  const passed: Node[] = []
  for (const [i, name] of called.outputs.entries()) {
    const wanted = node.outputs[i]
    if (!wanted) continue
    // An input handed straight through, or one value given out twice.
    const known = names.get(name)
    if (known !== undefined) passed.push(makeNode('Identity', [known], [wanted]))
    else names.set(name, wanted)
  }
  const attributes = new Map([...called.defaults, ...node.attributes])
  const scope = nodeLabel(node)
  const rename = (name: string): string => {
    const known = names.get(name)
    if (known !== undefined) return known
    const given = inlining.fresh(`${scope}/${name}`)
    names.set(name, given)
    return given
  }
  const body = called.nodes
    .map((inner) => instantiated(copyNode(inner), rename, attributes, scope))
    .flatMap((inner) => inlined(inner, inlining))
  return [...body, ...passed]
}

/** A function's node for one call: its values renamed, and references to the call's attributes resolved. In place. */
const instantiated = (
  node: Node,
  rename: (name: string) => string,
  attributes: ReadonlyMap<string, Attribute>,
  scope: string,
): Node => {
  if (node.name) node.name = `${scope}/${node.name}`
  node.inputs = node.inputs.map(rename)
  node.outputs = node.outputs.map(rename)
  for (const [name, attribute] of node.attributes) {
    const reference = attribute.type === 'OPAQUE' ? referenceOf(attribute.value) : ''
    if (reference === '') continue
    const given = attributes.get(reference)
    if (given) node.attributes.set(name, copyAttribute(given))
    else node.attributes.delete(name)
  }
  for (const graph of subgraphsOf(node)) {
    for (const value of [...graph.inputs, ...graph.outputs]) value.name = rename(value.name)
    graph.initializers = new Map(Array.from(graph.initializers, ([name, tensor]) => [rename(name), tensor]))
    graph.valueInfo = new Map()
    for (const inner of graph.nodes) instantiated(inner, rename, attributes, scope)
  }
  return node
}

const referenceOf = (value: object): string => {
  const proto: AttributeProto | undefined = messageIn(AttributeProtoSchema, value)
  return proto?.refAttrName ?? ''
}
