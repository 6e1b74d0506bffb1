import { float32, float32Of, own, type Tensor } from '../base/index.ts'
import { copyModel, type Graph, liftConstants, type Model, type Node, nodeLabel, subgraphsOf } from '../onnx/index.ts'
import { aliasesOf } from './prepare.ts'
import { complementOf, cutsOf, zeroSlices } from './slice.ts'
import type { Plan, Slices } from './types.ts'

/**
 * The original with the slices a plan removes set to zero: what the pruned model must equal. Split copies get their own
 * slices; which node reads which copy is looked up in `pruned`, whose values keep the original's names. Constants that only
 * divide are left as they are: a zero there would make 0 ÷ 0 of a channel that is to vanish.
 */
export const maskModel = (original: Model, plan: Plan, pruned: Model): Model => {
  const masked = maskedBy(original, plan, pruned, plan.slices)
  for (const [name, shift] of Object.entries(plan.absorbed?.biases ?? {})) {
    const bias = masked.graph.initializers.get(name)
    if (bias) masked.graph.initializers.set(name, withShift(bias, shift, cutsOf(plan.slices, name).get(0)))
  }
  return masked
}

/** The original with the removed units whose constants were absorbed held at those constants, and all others at zero. */
export const heldModel = (original: Model, plan: Plan, pruned: Model): Model =>
  maskedBy(original, plan, pruned, plan.absorbed?.zero ?? plan.slices)

const withShift = (bias: Tensor, shift: readonly number[], kept: readonly number[] | undefined): Tensor => {
  const values = float32Of(bias).slice()
  for (const [i, value] of shift.entries()) values[kept?.[i] ?? i]! += value
  return float32(bias.dims, values)
}

const maskedBy = (original: Model, plan: Plan, pruned: Model, slices: Slices): Model => {
  const masked = copyModel(original)
  const { graph } = masked
  liftConstants(graph)
  const copyReaders = new Map<string, readonly string[]>(
    pruned.graph.nodes.flatMap((node) =>
      node.inputs.some((name) => Object.hasOwn(plan.copies, name)) ? [[madeBy(node), node.inputs]] : [],
    ),
  )
  const aliases = aliasesOf(graph)
  const readCopies = (node: Node, inputs: readonly string[]) => {
    node.inputs = node.inputs.map((name, i) => {
      const copy = inputs[i] ?? ''
      const shared = aliases.get(name) ?? name
      const tensor = own(plan.copies, copy) === shared ? graph.initializers.get(shared) : undefined
      if (!tensor) return name
      graph.initializers.set(copy, tensor)
      return copy
    })
  }
  /** Nodes of a body are written out as LABEL/…/NAME. */
  const visit = (nodes: readonly Node[], label: string) => {
    for (const node of nodes) {
      const made = madeBy(node)
      const inputs =
        label === ''
          ? copyReaders.get(made)
          : [...copyReaders].find(([name]) => name.startsWith(label) && name.endsWith(`/${made}`))?.[1]
      if (inputs) readCopies(node, inputs)
      for (const inner of subgraphsOf(node)) visit(inner.nodes, label || `${nodeLabel(node)}/`)
    }
  }
  visit(graph.nodes, '')
  const multiplied = maskedNames(graph)
  for (const name of Object.keys(slices)) {
    const tensor = graph.initializers.get(name)
    if (tensor && multiplied.has(name)) graph.initializers.set(name, maskTensor(tensor, slices, name))
  }
  return masked
}

/** What tells a node from others; its first output may be left out. */
const madeBy = ({ outputs }: Node): string => outputs.find((name) => name !== '') ?? ''

/** Values read as anything but a divisor, within the bodies of control flow too. */
export const maskedNames = (graph: Graph): Set<string> => new Set(factorsIn(graph))

const factorsIn = ({ nodes, outputs }: Graph): string[] => [
  ...outputs.map(({ name }) => name),
  ...nodes.flatMap((node) => [
    ...(node.opType === 'Div' ? node.inputs.slice(0, 1) : node.inputs),
    ...subgraphsOf(node).flatMap(factorsIn),
  ]),
]

/** A tensor with the slices that are not kept of `initializer` set to zero. */
const maskTensor = (tensor: Tensor, slices: Slices, initializer: string): Tensor => {
  let masked = tensor
  for (const [axis, kept] of cutsOf(slices, initializer))
    masked = zeroSlices(masked, axis, complementOf(tensor.dims[axis]!, kept))
  return masked
}
