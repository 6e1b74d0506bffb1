import { int64, numbersOf, sizeOf, type Tensor } from '../base/index.ts'
import { GraphBuilder } from './builder.ts'
import { copyGraph } from './graph.ts'
import { graphOf, makeNode, nodeLabel, subgraphsOf } from './node.ts'
import { forwardSequences } from './sequences.ts'
import type { Graph, Node } from './types.ts'

export type UnfoldOptions = {
  /** Contents of a value that is the same in every run, where they are known. */
  readonly constant: (name: string) => Tensor | undefined
  /** Which If and Loop nodes may be replaced; all unless said. */
  readonly may?: (node: Node) => boolean
}

/** Nodes a Loop may become. */
const maxNodes = 10_000

/**
 * Replaces control flow whose course is known by the nodes it comes to: an If whose condition never changes by the branch
 * taken, a Loop of a known number of rounds by its body as often, and lists of tensors (sequences) by their elements.
 * Exporters write `torch.split`, `unbind` and `squeeze` so. In place; the graph computes what it did.
 *
 * @returns whether anything was replaced: constants found anew may settle more
 */
export const unfoldControl = (graph: Graph, { constant, may = () => true }: UnfoldOptions): boolean => {
  const builder = new GraphBuilder(graph)
  // What a caller may override by feeding it is no constant.
  const fed = new Set(graph.defaults)
  const known = (name: string) => (fed.has(name) ? undefined : (graph.initializers.get(name) ?? constant(name)))
  const unfold = (node: Node) =>
    may(node) ? (branchOf(node, builder, known) ?? roundsOf(node, builder, known)) : undefined
  const nodes = graph.nodes.map((node) => unfold(node) ?? [node])
  const changed = nodes.some((list, i) => list[0] !== graph.nodes[i])
  graph.nodes = nodes.flat()
  return forwardSequences(graph, known) || changed
}

type Known = UnfoldOptions['constant']

const truth = (tensor: Tensor | undefined): boolean | undefined =>
  tensor && sizeOf(tensor.dims) === 1 ? numbersOf(tensor)[0] !== 0 : undefined

const branchOf = (node: Node, builder: GraphBuilder, known: Known): Node[] | undefined => {
  if (node.opType !== 'If' || node.domain !== '') return undefined
  const taken = truth(known(node.inputs[0] ?? ''))
  const branch = taken === undefined ? undefined : graphOf(node, taken ? 'then_branch' : 'else_branch')
  return branch && inline(branch, [], node.outputs, nodeLabel(node), builder)
}

/** Inputs of a body are the round's number, whether to go on, and what is carried; outputs the last two. */
const roundsOf = (node: Node, builder: GraphBuilder, known: Known): Node[] | undefined => {
  const body = node.opType === 'Loop' && node.domain === '' ? graphOf(node, 'body') : undefined
  const count = known(node.inputs[0] ?? '')
  const goesOn = node.inputs[1] ? truth(known(node.inputs[1])) : true
  const carried = node.inputs.slice(2)
  // Outputs beyond what is carried are stacked from all rounds.
  if (!body || !count || !goesOn || body.outputs.length !== carried.length + 1 || !alwaysGoesOn(body, known))
    return undefined
  const rounds = numbersOf(count)[0]!
  if (rounds * body.nodes.length > maxNodes) return undefined
  // A body may declare the round's number and the condition as tensors of one element instead of scalars.
  const [roundDims, conditionDims] = body.inputs.map(({ dims }) => (dims?.length === 1 ? [1] : []))
  const yes = builder.constant({ type: 'bool', dims: conditionDims ?? [], bytes: Uint8Array.of(1) })
  const nodes: Node[] = []
  let state = carried
  for (let round = 0; round < rounds; round++) {
    const next = body.outputs
      .map((value, i) => (i === 0 ? '' : builder.fresh(`${nodeLabel(node)}/${value.name}`)))
      .slice(1)
    const label = `${nodeLabel(node)}/${round}`
    nodes.push(
      ...inline(
        body,
        [builder.constant(int64(roundDims ?? [], [round])), yes, ...state],
        ['', ...next],
        label,
        builder,
      ),
    )
    state = next
  }
  return [...nodes, ...node.outputs.flatMap((name, i) => (name ? [makeNode('Identity', [state[i]!], [name])] : []))]
}

/** Whether a body's first output is true in every round, its second input being so. */
const alwaysGoesOn = (body: Graph, known: Known): boolean => {
  let name = body.outputs[0]?.name ?? ''
  for (;;) {
    if (name === body.inputs[1]?.name) return true
    const maker = body.nodes.find(({ outputs }) => outputs[0] === name)
    if (!maker) return truth(body.initializers.get(name) ?? known(name)) ?? false
    if (maker.opType !== 'Identity' && maker.opType !== 'Cast') return false
    name = maker.inputs[0]!
  }
}

/**
 * A subgraph's nodes as nodes of the graph around it: `given` for its inputs, `wanted` for its outputs ('' where one is not
 * asked for), fresh names for all else, also within subgraphs of its own. Its initializers move along.
 */
const inline = (
  original: Graph,
  given: readonly string[],
  wanted: readonly string[],
  label: string,
  builder: GraphBuilder,
): Node[] => {
  const inner = copyGraph(original)
  const names = new Map(inner.inputs.map(({ name }, i) => [name, given[i]!]))
  for (const name of definedIn(inner)) if (!names.has(name)) names.set(name, builder.fresh(`${label}/${name}`))
  for (const [name, tensor] of inner.initializers) builder.initializer(names.get(name)!, tensor)
  const rename = (name: string) => names.get(name) ?? name
  for (const node of inner.nodes) renameIn(node, rename)
  const passed = wanted.flatMap((name, i) =>
    name ? [makeNode('Identity', [rename(inner.outputs[i]!.name)], [name])] : [],
  )
  return [...inner.nodes, ...passed]
}

/** Names a graph gives to values, those of its subgraphs included. */
const definedIn = (graph: Graph): string[] => [
  ...graph.inputs.map(({ name }) => name),
  ...graph.initializers.keys(),
  ...graph.nodes.flatMap((node) => [
    ...node.outputs.filter((name) => name !== ''),
    ...subgraphsOf(node).flatMap(definedIn),
  ]),
]

const renameIn = (node: Node, rename: (name: string) => string): void => {
  node.inputs = node.inputs.map(rename)
  node.outputs = node.outputs.map(rename)
  for (const graph of subgraphsOf(node)) {
    for (const value of [...graph.inputs, ...graph.outputs]) value.name = rename(value.name)
    graph.initializers = new Map(Array.from(graph.initializers, ([name, tensor]) => [rename(name), tensor]))
    graph.valueInfo = new Map()
    for (const inner of graph.nodes) renameIn(inner, rename)
  }
}
