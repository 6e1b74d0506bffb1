import { create, fromBinary } from '@bufbuild/protobuf'
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type TensorShapeProto_Dimension,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf'
import { bytesOf, type ErrorPlace, FormatError, messageOf, type Tensor } from '../base/index.ts'
import { dataTypeOf, type ExternalReader, messageIn, readTensor, remainderOf, wholeNumber } from './tensorproto.ts'
import type { Attribute, Dimension, Graph, Model, Node, ValueInfo } from './types.ts'
import { checkWire } from './wire.ts'

/** What reading needs to know at every level. */
type Context = { readonly place: ErrorPlace; readonly external: ExternalReader | undefined }

// What each kind of message may hold beside what is read from it.
const modelRemainder = remainderOf(ModelProtoSchema, [
  'irVersion',
  'opsetImport',
  'producerName',
  'graph',
  'metadataProps',
])
const graphRemainder = remainderOf(GraphProtoSchema, ['name', 'input', 'output', 'valueInfo', 'node', 'initializer'])
const nodeRemainder = remainderOf(NodeProtoSchema, ['name', 'opType', 'domain', 'input', 'output', 'attribute'])
const attributeRemainder = remainderOf(AttributeProtoSchema, [
  'name',
  'type',
  'f',
  'i',
  's',
  'g',
  'floats',
  'ints',
  'strings',
  'graphs',
])
const valueRemainder = remainderOf(ValueInfoProtoSchema, ['name'])
const tensorRemainder = remainderOf(TensorProtoSchema, [])
const namedRemainder = remainderOf(TensorProtoSchema, ['name'])

/** The model as the file says it, nothing lifted or checked beyond each message by itself. */
export const modelFrom = (file: Uint8Array, context: Context): Model => {
  // A plain view: a Buffer's methods mean other things, slice() above all.
  const bytes = bytesOf(file)
  const { place } = context
  if (bytes.byteLength === 0) throw new FormatError('the file is empty', { place })
  checkWire(ModelProtoSchema, bytes, (what) => {
    throw new FormatError(what, { place })
  })
  const proto = messageFrom(bytes, place)
  if (!proto.graph) throw new FormatError('not an ONNX model: it has no graph', { place })
  const irVersion = wholeNumber(proto.irVersion, 'ir_version', place)
  const model: Model = {
    irVersion,
    opsets: new Map(
      proto.opsetImport.map(({ domain, version }) => [
        domainOf(domain),
        wholeNumber(version, 'an opset version', place),
      ]),
    ),
    producer: proto.producerName,
    graph: readGraph(proto.graph, context),
    metadata: new Map(proto.metadataProps.map(({ key, value }) => [key, value])),
  }
  separateDefaults(model)
  const extra = modelRemainder(proto)
  if (extra) model.extra = extra
  return model
}

const messageFrom = (bytes: Uint8Array, place: ErrorPlace): ModelProto => {
  try {
    return fromBinary(ModelProtoSchema, bytes)
  } catch (error) {
    throw new FormatError(`damaged: ${messageOf(error)}`, { place, cause: error })
  }
}

/** 'ai.onnx' is another spelling of ONNX's own domain. */
export const domainOf = (domain: string): string => (domain === 'ai.onnx' ? '' : domain)

/**
 * Takes the initializers out of the main graph's inputs: they are weights (before IR version 4 each had to be listed as an
 * input; since then one that is listed may be overridden). What was listed is kept in `extra` for the newer kind.
 */
const separateDefaults = ({ graph, irVersion }: Model): void => {
  const isDefault = ({ name }: { name: string }) => graph.initializers.has(name)
  const defaults = graph.inputs.filter(isDefault)
  if (defaults.length === 0) return
  graph.inputs = graph.inputs.filter((value) => !isDefault(value))
  if (irVersion >= 4) graph.defaults = defaults.map(({ name }) => name)
}

export const readGraph = (proto: GraphProto, context: Context): Graph => {
  const initializers = new Map<string, Tensor>()
  const kept: TensorProto[] = []
  for (const tensor of proto.initializer) {
    const place = { ...context.place, initializer: tensor.name }
    if (initializers.has(tensor.name)) throw new FormatError('two initializers of one name', { place })
    const { name } = tensor
    initializers.set(name, readTensor(tensor, place, context.external))
    if (namedRemainder(tensor)) kept.push(Object.assign(tensor, { name }))
  }
  const values = (list: ValueInfoProto[]) => list.map((value) => readValueInfo(value, context))
  const graph: Graph = {
    name: proto.name,
    inputs: values(proto.input),
    outputs: values(proto.output),
    valueInfo: new Map(values(proto.valueInfo).map((value) => [value.name, value])),
    nodes: proto.node.map((node) => readNode(node, context)),
    initializers,
  }
  const extra = graphRemainder(proto)
  if (extra || kept.length > 0) graph.extra = Object.assign(extra ?? create(GraphProtoSchema), { initializer: kept })
  return graph
}

export const readNode = (proto: NodeProto, context: Context): Node => {
  const { name, opType } = proto
  const place = { ...context.place, node: name || proto.output.find((output) => output !== '') || '', operator: opType }
  if (opType === '') throw new FormatError('a node without an operator', { place })
  const attributes = new Map<string, Attribute>()
  for (const attribute of proto.attribute) {
    const key = attribute.name
    if (key === '') throw new FormatError('an attribute without a name', { place })
    if (attributes.has(key)) throw new FormatError(`two attributes '${key}'`, { place })
    attributes.set(key, readAttribute(attribute, { ...context, place }))
  }
  const domain = domainOf(proto.domain)
  const node: Node = { name, opType, domain, inputs: proto.input, outputs: proto.output, attributes }
  const extra = nodeRemainder(proto)
  if (extra) node.extra = extra
  return node
}

export const readAttribute = (proto: AttributeProto, context: Context): Attribute => {
  const attribute = typedValue(proto, context)
  if (attribute.type === 'OPAQUE') return attribute
  const extra = attributeRemainder(proto)
  return extra ? { ...attribute, extra } : attribute
}

/** The value; TensorProtos are left in the message with what the tensor does not hold, or removed when that is nothing. */
const typedValue = (proto: AttributeProto, context: Context): Attribute => {
  const place = context.place
  const tensor = (of: TensorProto) => readTensor(of, place, context.external)
  const isEmpty = (of: TensorProto) => tensorRemainder(of) === undefined
  if (proto.refAttrName !== '') return { type: 'OPAQUE', value: proto }
  switch (proto.type === AttributeType.UNDEFINED ? impliedType(proto) : proto.type) {
    case AttributeType.FLOAT:
      return { type: 'FLOAT', value: proto.f }
    case AttributeType.INT:
      return { type: 'INT', value: proto.i }
    case AttributeType.STRING:
      return { type: 'STRING', value: proto.s }
    case AttributeType.FLOATS:
      return { type: 'FLOATS', value: proto.floats }
    case AttributeType.INTS:
      return { type: 'INTS', value: proto.ints }
    case AttributeType.STRINGS:
      return { type: 'STRINGS', value: proto.strings }
    case AttributeType.TENSOR: {
      if (!proto.t) throw new FormatError(`attribute '${proto.name}' is a tensor and holds none`, { place })
      const value = tensor(proto.t)
      if (isEmpty(proto.t)) delete proto.t
      return { type: 'TENSOR', value }
    }
    case AttributeType.TENSORS: {
      const value = proto.tensors.map(tensor)
      if (proto.tensors.every(isEmpty)) proto.tensors = []
      return { type: 'TENSORS', value }
    }
    case AttributeType.GRAPH:
      if (!proto.g) throw new FormatError(`attribute '${proto.name}' is a graph and holds none`, { place })
      return { type: 'GRAPH', value: readGraph(proto.g, context) }
    case AttributeType.GRAPHS:
      return { type: 'GRAPHS', value: proto.graphs.map((graph) => readGraph(graph, context)) }
    default:
      return { type: 'OPAQUE', value: proto }
  }
}

/** Before IR version 2 an attribute's type was the field that is set. */
const impliedType = (proto: AttributeProto): AttributeType => {
  if (Object.hasOwn(proto, 'f')) return AttributeType.FLOAT
  if (Object.hasOwn(proto, 'i')) return AttributeType.INT
  if (Object.hasOwn(proto, 's')) return AttributeType.STRING
  if (proto.t) return AttributeType.TENSOR
  if (proto.g) return AttributeType.GRAPH
  if (proto.floats.length > 0) return AttributeType.FLOATS
  if (proto.ints.length > 0) return AttributeType.INTS
  if (proto.strings.length > 0) return AttributeType.STRINGS
  if (proto.tensors.length > 0) return AttributeType.TENSORS
  if (proto.graphs.length > 0) return AttributeType.GRAPHS
  return AttributeType.UNDEFINED
}

export const readValueInfo = (proto: ValueInfoProto, context: Context): ValueInfo => {
  const { name } = proto
  const place = { ...context.place, value: name }
  const held = proto.type?.value
  const tensor = held?.case === 'tensorType' ? held.value : undefined
  const type = tensor && dataTypeOf(tensor.elemType)
  const value: ValueInfo = { name, type: type ?? 'undefined' }
  if (tensor && type) {
    if (tensor.shape) value.dims = tensor.shape.dim.map((dim, axis) => readDimension(dim, { ...place, axis }))
    simplifyType(proto)
  }
  const extra = valueRemainder(proto)
  if (extra) value.extra = extra
  return value
}

/** A known size, a name, or null; some exporters write -1 or '' for a size they do not know. */
const readDimension = (dim: TensorShapeProto_Dimension, place: ErrorPlace): Dimension => {
  if (dim.value.case === 'dimParam') return dim.value.value || null
  if (dim.value.case !== 'dimValue' || dim.value.value < 0n) return null
  return wholeNumber(dim.value.value, 'a dimension', place)
}

/** Takes element type and sizes out of a tensor's type, and the type itself when only they were in it. */
const simplifyType = (proto: ValueInfoProto): void => {
  const held = proto.type?.value
  if (held?.case !== 'tensorType') return
  const { shape } = held.value
  Reflect.deleteProperty(held.value, 'elemType')
  for (const dim of shape?.dim ?? []) dim.value = { case: undefined }
  const detailed =
    proto.type?.denotation ||
    [proto.type, held.value, shape].some((message) => message?.$unknown) ||
    shape?.dim.some((dim) => dim.denotation || dim.$unknown)
  if (!detailed) delete proto.type
}

/** The names of a graph's sparse initializers, which are kept as the file has them. */
export const sparseNamesOf = (graph: Graph): string[] =>
  messageIn(GraphProtoSchema, graph.extra)?.sparseInitializer.map(({ values }) => values?.name ?? '') ?? []
