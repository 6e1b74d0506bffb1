import { byteLengthOf, type ErrorPlace, FormatError, type Tensor } from '../base/index.ts'
import { sparseNamesOf } from './decode.ts'
import { nodeLabel, subgraphsOf } from './node.ts'
import type { Graph, Model, Node } from './types.ts'

/** The values known at a point of a graph: its own, and those of the graphs around it. */
type Scope = { readonly own: Set<string>; readonly outer: Scope | undefined }

const knows = (scope: Scope | undefined, name: string): boolean =>
  scope !== undefined && (scope.own.has(name) || knows(scope.outer, name))

/**
 * Checks what every use of a model relies on: each value is made once and before it is read, outputs exist, tensors have as
 * many bytes as their shapes take. Operators and their types are the runtime's to check.
 * @param options.file named in the error
 * @throws FormatError for the first thing that is wrong
 */
export const validateModel = (model: Model, options: { file?: string } = {}): void =>
  checkGraph(model.graph, undefined, options.file === undefined ? {} : { file: options.file })

const checkGraph = (graph: Graph, outer: Scope | undefined, place: ErrorPlace): void => {
  const scope: Scope = { own: new Set(), outer }
  const define = (name: string, where: ErrorPlace) => {
    if (scope.own.has(name)) throw new FormatError(`two values are named '${name}'`, { place: where })
    scope.own.add(name)
  }

  for (const { name } of graph.inputs) define(name, { ...place, value: name })
  for (const [name, tensor] of graph.initializers) {
    const where = { ...place, initializer: name }
    if (!scope.own.has(name)) define(name, where)
    else if (outer === undefined)
      throw new FormatError('an initializer is also an input', {
        place: where,
        remedy: 'list it in `defaults` if callers may override it',
      })
    checkTensor(tensor, where)
  }
  for (const name of sparseNamesOf(graph)) if (name) define(name, { ...place, initializer: name })

  const later = new Set(graph.nodes.flatMap((node) => node.outputs))
  for (const node of graph.nodes) {
    const where = { ...place, node: nodeLabel(node), operator: node.opType }
    for (const name of node.inputs) {
      if (name === '' || knows(scope, name)) continue
      const why = later.has(name) ? 'which a later node makes' : 'which nothing makes'
      throw new FormatError(`it reads '${name}', ${why}`, { place: where })
    }
    for (const tensor of tensorsIn(node)) checkTensor(tensor, where)
    for (const inner of subgraphsOf(node)) checkGraph(inner, scope, where)
    for (const name of node.outputs) if (name !== '') define(name, where)
  }
  for (const { name } of graph.outputs)
    if (!knows(scope, name)) throw new FormatError('nothing makes this output', { place: { ...place, value: name } })
}

const checkTensor = (tensor: Tensor, place: ErrorPlace): void => {
  const { type, dims, bytes, strings } = tensor
  if (dims.some((dim) => !Number.isSafeInteger(dim) || dim < 0))
    throw new FormatError(`no tensor has the shape [${dims.join(', ')}]`, { place })
  // The bits of an element type newer than this library are not known.
  if (type === 'undefined') return
  const takes = dims.includes(0) ? 0 : type === 'string' ? dims.reduce((n, dim) => n * dim, 1) : byteLengthOf(tensor)
  const has = type === 'string' ? (strings?.length ?? 0) : bytes.byteLength
  if (takes !== has)
    throw new FormatError(
      `a ${type} tensor of shape [${dims.join(', ')}] takes ${takes} ${type === 'string' ? 'strings' : 'bytes'} and has ${has}`,
      { place },
    )
}

const tensorsIn = (node: Node): Tensor[] =>
  [...node.attributes.values()].flatMap((attribute) =>
    attribute.type === 'TENSOR' ? [attribute.value] : attribute.type === 'TENSORS' ? attribute.value : [],
  )
