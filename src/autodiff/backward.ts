import type { Tensor, TensorType } from '../base/index.ts'
import { UnsupportedError } from '../base/index.ts'
import { type GraphBuilder, type Node, nodeLabel, readsOf } from '../onnx/index.ts'
import { operatorOf, stops, unknown } from '../operators/index.ts'

export type BackwardOptions = {
  /** The forward nodes, in topological order. */
  readonly nodes: readonly Node[]
  /** Receives the gradient's nodes, after the forward ones. */
  readonly builder: GraphBuilder
  readonly opset: number
  /** Type and shape of every value of the forward graph. */
  readonly types: ReadonlyMap<string, TensorType>
  /** Contents of the values known before the graph runs. */
  readonly constants: ReadonlyMap<string, Tensor>
  /** ∂L/∂value to start from: for a loss, its own name and a one. */
  readonly seeds: ReadonlyMap<string, string>
  /** The values whose gradients are asked for. */
  readonly wanted: ReadonlySet<string>
}

const differentiable = new Set<TensorType['type']>(['float32', 'float64', 'float16', 'bfloat16'])

/**
 * Reverse-mode differentiation: walks the nodes from last to first, asks each operator's row for ∂L/∂inputs given
 * ∂L/∂outputs, and adds up what arrives at a value from all its readers (the multivariate chain rule). Only nodes that lie
 * on a path from a wanted value to a seed are asked.
 *
 * @returns the name of ∂L/∂v for each wanted value v the seeds depend on.
 * @throws UnsupportedError naming a node on such a path whose operator has no gradient.
 */
export const backward = (options: BackwardOptions): Map<string, string> => {
  const { nodes, builder, types, constants, wanted } = options
  const varying = variesWith(nodes, wanted)
  // Whole numbers that stand for real ones have a gradient too, by the straight-through rule of QuantizeLinear's row.
  const quantized = new Set(nodes.flatMap(({ opType, outputs }) => (opType === 'QuantizeLinear' ? outputs : [])))
  const arriving = new Map([...options.seeds].map(([value, gradient]) => [value, [gradient]]))

  /** Whether a gradient with respect to a value has a meaning and is asked for. What is no tensor may hold some. */
  const passes = (name: string): boolean => {
    const type = types.get(name)?.type
    return varying.has(name) && (type === undefined || quantized.has(name) || differentiable.has(type))
  }

  const gradientOf = (value: string): string | undefined => {
    const parts = arriving.get(value)
    if (parts === undefined || parts.length < 2) return parts?.[0]
    const sum = builder.op(parts.length === 2 ? 'Add' : 'Sum', parts)
    arriving.set(value, [sum])
    return sum
  }

  for (const node of [...nodes].reverse()) {
    const wants = (input: number) => {
      const name = node.inputs[input]
      return name !== undefined && passes(name)
    }
    if (!node.outputs.some((name) => arriving.has(name))) continue
    if (!readsOf(node).some(passes)) continue
    const rule = operatorOf(node)?.gradient
    if (rule === stops) continue
    if (rule === undefined || rule === unknown)
      throw new UnsupportedError(`no gradient is known for operator ${node.opType}`, {
        place: { node: nodeLabel(node), operator: node.domain ? `${node.domain}.${node.opType}` : node.opType },
        remedy: 'freeze the parameters before it, or take the loss from a value before it',
      })
    const known = (name: string): TensorType => {
      const type = types.get(name)
      if (!type)
        throw new UnsupportedError(`the shape of value '${name}' is not known`, { place: { node: nodeLabel(node) } })
      return type
    }
    const gradients = rule({
      node,
      opset: options.opset,
      dims: (name) => known(name).dims,
      type: (name) => known(name).type,
      constant: (name) => constants.get(name),
      grads: node.outputs.map((name) => (name ? gradientOf(name) : undefined)),
      wants,
      b: builder,
    })
    for (const [input, gradient] of gradients.entries()) {
      const name = node.inputs[input]
      if (!name || gradient === undefined || !wants(input)) continue
      const parts = arriving.get(name)
      if (parts) parts.push(gradient)
      else arriving.set(name, [gradient])
    }
  }

  return new Map(
    [...wanted].flatMap((value) => {
      const gradient = gradientOf(value)
      return gradient === undefined ? [] : [[value, gradient]]
    }),
  )
}

/** The values that change when the wanted ones do. */
export const variesWith = (nodes: readonly Node[], wanted: ReadonlySet<string>): Set<string> => {
  const varying = new Set(wanted)
  for (const node of nodes)
    if (readsOf(node).some((name) => varying.has(name))) for (const name of node.outputs) if (name) varying.add(name)
  return varying
}
