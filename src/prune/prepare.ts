import { sizeOf, type Tensor } from '../base/index.ts'
import { copyModel, type Graph, liftConstants, type Model, type Node, readsOf } from '../onnx/index.ts'
import { dropZeroStates } from './zero-states.ts'

/** A model in the form that is analysed and cut; the original is not touched, weights are shared with it. */
export type Prepared = {
  readonly model: Model
  /** The copy's name → the shared initializer it was split from. */
  readonly copies: ReadonlyMap<string, string>
}

/**
 * Lifts Constant nodes to initializers, leaves out initial states of zeros, and gives every node its own copy of a vector that
 * several nodes share, by its own name or through Identities.
 *
 * Exporters merge equal weights: the ones and zeros of all fresh normalization layers become one initializer, which would
 * tie unrelated layers to each other. Copying never changes what a model computes, so it is always exact; copies that end
 * up with the same slices become one again when the plan is carried out. Tensors with two or more axes longer than 1 are
 * left shared: those are weights tied on purpose (an embedding and the output layer), and stay tied.
 */
export const prepareModel = (original: Model): Prepared => {
  const model = copyModel(original)
  const { graph } = model
  liftConstants(graph)
  dropZeroStates(graph)
  const aliases = aliasesOf(graph)
  const fixed = new Set([...graph.inputs, ...graph.outputs].map((value) => value.name))
  for (const node of graph.nodes) for (const name of readsOf(node)) if (!node.inputs.includes(name)) fixed.add(name)
  for (const node of graph.nodes) node.inputs = node.inputs.map((name) => aliases.get(name) ?? name)
  graph.nodes = graph.nodes.filter(({ outputs: [name = ''] }) => !aliases.has(name) || fixed.has(name))

  const taken = new Set([...graph.initializers.keys(), ...graph.nodes.flatMap((node) => node.outputs), ...fixed])
  const seen = new Map<string, Node>()
  const copies = new Map<string, string>()
  const constants = new Set(graph.initializers.keys())
  for (const node of graph.nodes) {
    if (node.inputs.every((name) => name === '' || constants.has(name))) {
      // It only rearranges constants (a slice of a packed bias): its copy would be told apart from nothing.
      for (const name of node.outputs) constants.add(name)
      continue
    }
    const own = new Map<string, string>()
    for (const name of new Set(node.inputs)) {
      const tensor = graph.initializers.get(name)
      if (!tensor || fixed.has(name) || !isVector(tensor)) continue
      if (!seen.has(name)) {
        seen.set(name, node)
        continue
      }
      const copy = freshName(`${name}_copy`, taken)
      graph.initializers.set(copy, tensor)
      copies.set(copy, name)
      own.set(name, copy)
    }
    if (own.size > 0) node.inputs = node.inputs.map((name) => own.get(name) ?? name)
  }
  return { model, copies }
}

/** Names that Identities give initializers once more → the initializer. PyTorch's exporter so writes equal weights of layers. */
export const aliasesOf = ({ nodes, initializers }: Graph): Map<string, string> => {
  const aliases = new Map<string, string>()
  for (const { opType, domain, inputs, outputs } of nodes) {
    const from = aliases.get(inputs[0] ?? '') ?? inputs[0] ?? ''
    if (opType === 'Identity' && domain === '' && initializers.has(from)) aliases.set(outputs[0] ?? '', from)
  }
  return aliases
}

const isVector = ({ dims }: Tensor) => {
  const longest = Math.max(1, ...dims)
  return longest > 1 && sizeOf(dims) === longest
}

/** `hint1`, `hint2`…: the first that nothing has, taken from then on. */
const freshName = (hint: string, taken: Set<string>): string => {
  let i = 1
  while (taken.has(`${hint}${i}`)) i++
  taken.add(`${hint}${i}`)
  return `${hint}${i}`
}
