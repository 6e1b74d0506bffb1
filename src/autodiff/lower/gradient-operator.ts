import { EspalierError, sizeOf, UnsupportedError } from '../../base/index.ts'
import {
  aliases,
  copyModel,
  copyNode,
  GraphBuilder,
  type Model,
  type Node,
  nodeLabel,
  opsetOf,
  readsOf,
  renamed,
  stringOf,
} from '../../onnx/index.ts'
import { tensorLike } from '../../operators/helpers.ts'
import { constants, infer, type Runtime, type Values } from '../../runtime/index.ts'
import { backward } from '../backward.ts'

const domain = 'ai.onnx.preview.training'

export const isGradient = (node: Node): boolean => node.domain === domain && node.opType === 'Gradient'

const utf8 = new TextDecoder()

const namesOf = (node: Node, attribute: string): string[] => {
  const value = node.attributes.get(attribute)
  return value?.type === 'STRINGS' ? value.value.map((name) => utf8.decode(name)) : []
}

/** The nodes that make some values from others that are given. */
const between = (nodes: readonly Node[], ends: readonly string[], given: ReadonlySet<string>): Node[] => {
  const wanted = new Set(ends)
  return [...nodes]
    .reverse()
    .filter((node) => {
      if (!node.outputs.some((name) => wanted.has(name) && !given.has(name))) return false
      for (const name of readsOf(node)) if (!given.has(name)) wanted.add(name)
      return true
    })
    .reverse()
}

/**
 * Writes the first of ONNX's own Gradient operators (ai.onnx.preview.training) in plain ones, in place: its outputs are
 * ∂y/∂x for each of its `xs`, with `xs` and `zs` bound to its inputs. What leads from them to y is repeated under fresh
 * names, since they may be bound to other values than those of their names.
 * @throws UnsupportedError when a node between an x and y has no gradient.
 */
export const lowerGradient = async (model: Model, runtime: Runtime, feeds: Values): Promise<void> => {
  const { graph } = model
  const place = graph.nodes.findIndex(isGradient)
  const node = graph.nodes[place]!
  const [xs, zs, y] = [namesOf(node, 'xs'), namesOf(node, 'zs'), stringOf(node, 'y', '')]
  const bound = new Map([...xs, ...zs].map((name, i) => [name, node.inputs[i] ?? '']))
  if (xs.length === 0 || y === '')
    throw new EspalierError('a Gradient needs xs and y', { place: { node: nodeLabel(node), operator: 'Gradient' } })

  const builder = new GraphBuilder(graph, nodeLabel(node))
  const names = new Map<string, string>(bound)
  const inner = between(graph.nodes.slice(0, place), [y], new Set(bound.keys()))
  for (const one of inner)
    for (const name of one.outputs) if (name && !names.has(name)) names.set(name, builder.fresh(name))
  const repeated = inner.map((one) => ({ ...renamed(copyNode(one), (name) => names.get(name) ?? name), name: '' }))

  const part = copyModel(model)
  const before = graph.nodes.slice(0, place)
  part.graph.nodes = [...before, ...repeated]
  part.opsets.delete(domain)
  const types = await infer(runtime, part, feeds)
  const target = names.get(y) ?? y
  const dims = types.get(target)?.dims
  if (dims === undefined)
    throw new UnsupportedError(`the value '${y}' a Gradient is taken of is no tensor of the graph`, {
      place: { node: nodeLabel(node), operator: 'Gradient' },
    })
  const emitted: Node[] = []
  const b = new GraphBuilder(graph, `${nodeLabel(node)}/gradient`, emitted)
  const ones = b.constant(tensorLike(types.get(target)!.type, dims, Array(sizeOf(dims)).fill(1)))
  const wanted = xs.map((name) => bound.get(name)!)
  const known = await constants(runtime, part, { shapes: types })
  const gradients = backward({
    nodes: repeated,
    builder: b,
    opset: opsetOf(model),
    types,
    constants: new Map([...graph.initializers, ...known]),
    seeds: new Map([[target, ones]]),
    wanted: new Set(wanted),
  })
  const found = wanted.map((name) => {
    const { type, dims: shape } = types.get(name)!
    return gradients.get(name) ?? b.op('Expand', [b.constant(tensorLike(type, [], [0])), b.ints(shape)])
  })
  graph.nodes.splice(place, 1, ...repeated, ...emitted, ...aliases(found, node.outputs))
  if (!graph.nodes.some((other) => other.domain === domain)) model.opsets.delete(domain)
}
