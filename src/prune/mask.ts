import type { Tensor } from '../base/index.ts'
import { copyModel, type Graph, liftConstants, type Model } from '../onnx/index.ts'
import { complementOf, cutsOf, zeroSlices } from './slice.ts'
import type { Plan } from './types.ts'

/**
 * The original with the slices a plan removes set to zero: what the pruned model must equal. Split copies get their own
 * slices; which node reads which copy is looked up in `pruned`, whose values keep the original's names. Constants that only
 * divide are left as they are: a zero there would make 0 ÷ 0 of a channel that is to vanish.
 */
export const maskModel = (original: Model, plan: Plan, pruned: Model): Model => {
  const masked = copyModel(original)
  const { graph } = masked
  liftConstants(graph)
  const copyReaders = new Map<string, readonly string[]>(
    pruned.graph.nodes.flatMap((node) =>
      node.inputs.some((name) => name in plan.copies) ? [[node.outputs[0] ?? '', node.inputs]] : [],
    ),
  )
  for (const node of graph.nodes) {
    const inputs = copyReaders.get(node.outputs[0] ?? '')
    if (!inputs) continue
    node.inputs = node.inputs.map((name, i) => {
      const copy = inputs[i] ?? ''
      if (plan.copies[copy] !== name) return name
      graph.initializers.set(copy, graph.initializers.get(name)!)
      return copy
    })
  }
  const multiplied = maskedNames(graph)
  for (const name of Object.keys(plan.slices)) {
    const tensor = graph.initializers.get(name)
    if (tensor && multiplied.has(name)) graph.initializers.set(name, maskTensor(tensor, plan, name))
  }
  return masked
}

/** Values read as anything but a divisor. */
export const maskedNames = ({ nodes }: Graph): Set<string> =>
  new Set(nodes.flatMap((node) => (node.opType === 'Div' ? node.inputs.slice(0, 1) : node.inputs)))

/** A tensor with the slices its plan removes from `initializer` set to zero. */
export const maskTensor = (tensor: Tensor, plan: Plan, initializer: string): Tensor => {
  let masked = tensor
  for (const [axis, kept] of cutsOf(plan.slices, initializer))
    masked = zeroSlices(masked, axis, complementOf(tensor.dims[axis]!, kept))
  return masked
}
