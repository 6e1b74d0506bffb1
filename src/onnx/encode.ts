import { create, type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf'
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf'
import { dataTypes, EspalierError, messageOf, type Tensor } from '../base/index.ts'
import { nodeLabel } from './node.ts'
import { type ExternalPlace, entriesOf, messageIn, writeTensor } from './tensorproto.ts'
import type { Attribute, Dimension, Graph, Model, Node, ValueInfo } from './types.ts'
import { type Chunks, chunk, joined, lengthDelimited } from './wire.ts'

/** Where an initializer's bytes go when not into the model itself. */
export type Placement = (tensor: Tensor, name: string) => ExternalPlace | undefined

const inside: Placement = () => undefined

/**
 * A message's bytes: `kept` with the given fields set. Messages inside it that hold weights are left out and appended by
 * the caller as pieces, which protobuf allows since a message's fields may stand in any order.
 */
const head = <D extends DescMessage>(schema: D, kept: unknown, fields: Partial<MessageShape<D>>): Chunks =>
  chunk(toBinary(schema, Object.assign(create(schema), messageIn(schema, kept), fields)))

/** A model in pieces; the weights among them are the tensors' own memory. */
export const modelChunks = (model: Model, place: Placement = inside): Chunks => {
  const { irVersion, opsets, producer, graph, metadata, extra } = model
  return joined([
    head(ModelProtoSchema, extra, {
      irVersion: BigInt(irVersion),
      producerName: producer,
      opsetImport: Array.from(opsets, ([domain, version]) =>
        create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }),
      ),
      metadataProps: entriesOf(metadata),
    }),
    lengthDelimited(ModelProtoSchema.field.graph.number, graphChunks(graph, place, defaultsOf(model))),
  ])
}

/** Initializers to list as inputs: all of them before IR version 4, since then those that may be overridden. */
const defaultsOf = ({ graph, irVersion }: Model): ValueInfo[] => {
  const listed = new Set(graph.inputs.map(({ name }) => name))
  const names = irVersion < 4 ? [...graph.initializers.keys()] : (graph.defaults ?? [])
  return names.flatMap((name) => {
    const tensor = graph.initializers.get(name)
    return tensor && !listed.has(name) ? [{ name, type: tensor.type, dims: [...tensor.dims] }] : []
  })
}

export const graphChunks = (graph: Graph, place: Placement = inside, defaults: readonly ValueInfo[] = []): Chunks => {
  const kept = messageIn(GraphProtoSchema, graph.extra)
  const keptTensors = new Map(kept?.initializer.map((tensor) => [tensor.name, tensor]))
  const { node, initializer } = GraphProtoSchema.field
  return joined([
    head(GraphProtoSchema, kept, {
      name: graph.name,
      input: [...graph.inputs, ...defaults].map(valueInfoProto),
      output: graph.outputs.map(valueInfoProto),
      valueInfo: [...graph.valueInfo.values()].map(valueInfoProto),
      initializer: [],
    }),
    ...graph.nodes.map((each) => lengthDelimited(node.number, nodeChunks(each, place))),
    ...Array.from(graph.initializers, ([name, tensor]) =>
      lengthDelimited(initializer.number, writeTensor(tensor, keptTensors.get(name), name, place(tensor, name))),
    ),
  ])
}

/** Attributes that hold no tensor or graph go into the node's own message, the others after it in pieces. */
export const nodeChunks = (node: Node, place: Placement = inside): Chunks => {
  const { name, opType, domain, inputs, outputs, attributes, extra } = node
  const light: AttributeProto[] = []
  const heavy: Chunks[] = []
  try {
    for (const [key, attribute] of attributes) {
      const proto = attributeProto(key, attribute)
      const contents = contentsOf(attribute, place)
      if (!contents) light.push(proto)
      else heavy.push(joined([chunk(toBinary(AttributeProtoSchema, proto)), ...contents]))
    }
    const start = head(NodeProtoSchema, extra, {
      input: inputs,
      output: outputs,
      opType,
      attribute: light,
      ...(name ? { name } : {}),
      ...(domain ? { domain } : {}),
    })
    const { number } = NodeProtoSchema.field.attribute
    return joined([start, ...heavy.map((each) => lengthDelimited(number, each))])
  } catch (error) {
    if (error instanceof EspalierError) throw error
    throw new EspalierError(`cannot be written: ${messageOf(error)}`, {
      place: { node: nodeLabel(node), operator: opType },
      cause: error,
    })
  }
}

/** An attribute without the tensors and graphs it may hold. */
const attributeProto = (name: string, attribute: Attribute): AttributeProto => {
  const kept = messageIn(AttributeProtoSchema, attribute.type === 'OPAQUE' ? attribute.value : attribute.extra)
  const proto = Object.assign(create(AttributeProtoSchema), kept, { name })
  if (attribute.type === 'OPAQUE') return proto
  proto.type = AttributeType[attribute.type]
  switch (attribute.type) {
    case 'FLOAT':
      proto.f = attribute.value
      break
    case 'INT':
      proto.i = attribute.value
      break
    case 'STRING':
      proto.s = Uint8Array.from(attribute.value)
      break
    case 'FLOATS':
      proto.floats = [...attribute.value]
      break
    case 'INTS':
      proto.ints = [...attribute.value]
      break
    case 'STRINGS':
      proto.strings = attribute.value.map((text) => Uint8Array.from(text))
      break
    // What was kept of tensors is written with them.
    case 'TENSOR':
      delete proto.t
      break
    case 'TENSORS':
      proto.tensors = []
  }
  return proto
}

/** The fields with an attribute's tensors or graphs; undefined for kinds that hold none. */
const contentsOf = (attribute: Attribute, place: Placement): Chunks[] | undefined => {
  const kept = messageIn(AttributeProtoSchema, attribute.extra)
  const { t, g, tensors, graphs } = AttributeProtoSchema.field
  switch (attribute.type) {
    case 'TENSOR':
      return [lengthDelimited(t.number, writeTensor(attribute.value, kept?.t))]
    case 'TENSORS':
      return attribute.value.map((tensor, i) => lengthDelimited(tensors.number, writeTensor(tensor, kept?.tensors[i])))
    case 'GRAPH':
      return [lengthDelimited(g.number, graphChunks(attribute.value, place))]
    case 'GRAPHS':
      return attribute.value.map((graph) => lengthDelimited(graphs.number, graphChunks(graph, place)))
    default:
      return undefined
  }
}

export const valueInfoProto = (value: ValueInfo): ValueInfoProto => {
  const kept = messageIn(ValueInfoProtoSchema, value.extra)
  const proto = Object.assign(create(ValueInfoProtoSchema), kept, { name: value.name })
  const held = kept?.type?.value
  const isOther = held !== undefined && (held.case !== 'tensorType' || held.value.elemType !== 0)
  if (isOther || (value.type === 'undefined' && !value.dims)) return proto
  const details = held?.case === 'tensorType' ? held.value : undefined
  const tensor = Object.assign(create(TypeProto_TensorSchema), details, { elemType: dataTypes[value.type].onnx })
  delete tensor.shape
  if (value.dims) {
    const dim = value.dims.map((size, axis) =>
      Object.assign(create(TensorShapeProto_DimensionSchema), details?.shape?.dim[axis], {
        value: dimensionValue(size),
      }),
    )
    tensor.shape = Object.assign(create(TensorShapeProtoSchema), details?.shape, { dim })
  }
  proto.type = Object.assign(create(TypeProtoSchema), kept?.type, {
    value: { case: 'tensorType' as const, value: tensor },
  })
  return proto
}

const dimensionValue = (dim: Dimension) =>
  dim === null
    ? { case: undefined }
    : typeof dim === 'string'
      ? { case: 'dimParam' as const, value: dim }
      : { case: 'dimValue' as const, value: BigInt(dim) }
