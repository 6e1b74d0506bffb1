import type { Tensor } from '../../base/index.ts'
import { copyModel, intOf, liftConstants, type Model, type Node, nodeLabel } from '../../onnx/index.ts'
import type { Group } from '../types.ts'
import { l1, l2, mean, std, sum } from './magnitude.ts'
import { isFloating, memberWeights } from './weights.ts'

/** Every kernel's figures for one layer; `sum[k]` is kernel k's. */
export type KernelStatistics = {
  readonly layer: string
  readonly node: string
  readonly operator: string
  readonly dims: readonly number[]
  /** The axis of the weight that counts kernels: output channels, or output features. */
  readonly axis: number
  readonly sum: Float64Array
  readonly l1: Float64Array
  readonly l2: Float64Array
  readonly mean: Float64Array
  readonly std: Float64Array
}

/** The axis of output units of a layer's weight; for transposed convolutions in groups, within each group. */
const kernelAxis = (node: Node, tensor: Tensor): number | undefined => {
  const rank = tensor.dims.length
  if (rank < 2) return undefined
  if (node.opType === 'Conv') return 0
  if (node.opType === 'ConvTranspose') return 1
  if (node.opType === 'Gemm') return intOf(node, 'transB', 0) === 1 ? 0 : 1
  return node.opType === 'MatMul' ? rank - 1 : undefined
}

/** The sum, L1, L2, mean and standard deviation of every kernel of every convolution and dense layer. */
export const kernelStatistics = (original: Model): KernelStatistics[] => {
  const model = copyModel(original)
  liftConstants(model.graph)
  const seen = new Set<string>()
  return model.graph.nodes.flatMap((node) => {
    const layer = node.inputs[1] ?? ''
    const tensor = model.graph.initializers.get(layer)
    const axis = tensor && isFloating(tensor) ? kernelAxis(node, tensor) : undefined
    if (tensor === undefined || axis === undefined || seen.has(layer)) return []
    seen.add(layer)
    return [statisticsOf(layer, node, tensor, axis)]
  })
}

const statisticsOf = (layer: string, node: Node, tensor: Tensor, axis: number): KernelStatistics => {
  const size = tensor.dims[axis]!
  const indices = Int32Array.from({ length: size }, (_, i) => i)
  const place = { initializer: layer, axis, node: nodeLabel(node), operator: node.opType, input: 1 }
  const group: Group = { name: layer, size, members: [], roots: indices }
  const member = memberWeights(group, { ...place, role: 'produces', perUnit: 1, indices }, tensor)
  const context = { group, member, members: [member] }
  return {
    layer,
    node: place.node,
    operator: node.opType,
    dims: tensor.dims,
    axis,
    sum: sum.score(context),
    l1: l1.score(context),
    l2: l2.score(context),
    mean: mean.score(context),
    std: std.score(context),
  }
}
