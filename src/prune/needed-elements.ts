import { type Model, type Node, opsetOf, readsOf } from '../onnx/index.ts'
import { operatorOf } from '../operators/index.ts'
import { atomsOf, leastOf } from '../operators/sizes/index.ts'
import type { Sizes } from './follow-sizes.ts'

/** Places in a value, or the whole of it. */
export type Elements = ReadonlySet<number> | 'all'

/**
 * Which elements of the values that hold sizes have a part in what the model computes. A Shape of which only the batch is
 * read does not tie its positions down.
 */
export const neededElements = (model: Model, sizes: Sizes): ((value: string) => Elements) => {
  const { graph } = model
  const opset = opsetOf(model)
  const needed = new Map<string, Elements>()
  const need = (name: string, elements: Elements) => {
    const known = needed.get(name) ?? new Set()
    needed.set(name, known === 'all' || elements === 'all' ? 'all' : new Set([...known, ...elements]))
  }
  for (const { name } of graph.outputs) need(name, 'all')
  for (const node of graph.nodes.toReversed()) {
    const inputs = new Set(node.inputs)
    // What a subgraph reads is not followed into it.
    for (const name of readsOf(node)) if (!inputs.has(name)) need(name, 'all')
    for (const [position, name] of node.inputs.entries()) {
      if (name === '' || graph.initializers.has(name)) continue
      const elements = sizes.elements(name)
      if (!elements) need(name, 'all')
      else
        for (const [output, made] of node.outputs.entries()) {
          if (made === '') continue
          const wanted = sizes.elements(made) ? (needed.get(made) ?? new Set()) : 'all'
          need(name, sourcesOf({ node, opset, position, output }, wanted, sizes))
        }
    }
  }
  return (value) => needed.get(value) ?? new Set()
}

/** One input and one output of a node, by position. */
type Place = { readonly node: Node; readonly opset: number; readonly position: number; readonly output: number }

/**
 * The elements of one input that some of an output's are computed from: the node's own size rule is asked with an unknown in
 * place of each.
 */
const sourcesOf = ({ node, opset, position, output }: Place, wanted: Elements, sizes: Sizes): Elements => {
  if (wanted !== 'all' && wanted.size === 0) return wanted
  const { quantities } = sizes
  const unknowns = sizes
    .elements(node.inputs[position]!)!
    .map((size, i) => quantities.named(`element ${i} of input ${position}, at least ${leastOf(size)}`, leastOf(size)))
  const name = (input: number) => node.inputs[input] ?? ''
  const made = operatorOf(node)?.sizes?.({
    ...{ node, opset, quantities },
    dims: (input) => sizes.dims(name(input)),
    elements: (input) => (input === position ? unknowns : sizes.elements(name(input))),
    type: (input) => sizes.type(name(input)),
  })[output]?.elements
  if (!made) return 'all'
  const read = (wanted === 'all' ? [...made.keys()] : [...wanted]).map((i) => atomsOf(made[i] ?? 0))
  const ids = unknowns.map((unknown) => [...atomsOf(unknown)][0]!)
  return new Set([...ids.keys()].filter((i) => read.some((atoms) => atoms.has(ids[i]!))))
}
